"""Token buckets in shared memory, in C or in Python: whichever the fast path of the worker takes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.access.buckets import Buckets, PythonBuckets

if TYPE_CHECKING:
    import mmap


class NativeBuckets:
    """Buckets that are taken from in C.  Implements :class:`~edge.access.buckets.Buckets`."""

    def __init__(self, memory: mmap.mmap) -> None:
        """:exc:`ImportError`: that is not built."""
        from edge._native import ffi, lib

        self._lib, self._memory = lib, ffi.from_buffer(memory, require_writable=True)
        self._buckets = ffi.new("edge_buckets *")
        if not lib.edge_buckets_open(self._buckets, self._memory, len(self._memory)):
            raise ValueError("those are no buckets")

    def take(self, rule: int, address: bytes, now_us: int, interval: int, burst: int) -> int:
        return int(self._lib.edge_buckets_take(self._buckets, rule, address, now_us, interval, burst))

    def give(self, rule: int, address: bytes, interval: int) -> None:
        self._lib.edge_buckets_give(self._buckets, rule, address, interval)


def buckets_of(kind: str, memory: mmap.mmap, fd: int) -> Buckets:
    """The buckets in *memory*, whose descriptor is *fd*, as a fast path of that *kind* takes from them."""
    return NativeBuckets(memory) if kind == "native" else PythonBuckets(memory, fd)
