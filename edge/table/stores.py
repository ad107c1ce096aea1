"""The two stores whose order readers rely on: a slot under its counter, and the epoch.

With the native build they carry the memory fences of C11.  Without it they are plain Python stores:
CPython performs them one after the other, and x86-64 makes them visible in that order.
"""

from __future__ import annotations

from typing import Any, Protocol

from edge.table.layout import OFFSET_EPOCH, SLOT_BYTES, U32, U64
from edge.table.segment import Segment


class Stores(Protocol):
    """The two stores of a writer: a slot under its seqlock, and the epoch."""

    def store_slot(self, at: int, slot: bytes) -> None:
        """Replaces the slot at segment offset *at* by *slot* (64 bytes; its counter is ignored)."""

    def advance_epoch(self) -> int:
        """Advances the epoch; the one before, which tags what is retired."""


class PythonStores:
    """Stores in program order; implements :class:`Stores`."""

    def __init__(self, segment: Segment) -> None:
        self._memory = segment.memory

    def store_slot(self, at: int, slot: bytes) -> None:
        memory = self._memory
        odd = U32.unpack_from(memory, at)[0] | 1
        U32.pack_into(memory, at, odd)
        memory[at + 4 : at + SLOT_BYTES] = slot[4:]
        U32.pack_into(memory, at, odd + 1 & 0xFFFFFFFF)

    def advance_epoch(self) -> int:
        epoch: int = U64.unpack_from(self._memory, OFFSET_EPOCH)[0]
        U64.pack_into(self._memory, OFFSET_EPOCH, epoch + 1)
        return epoch


class NativeStores:
    """Stores with fences, by ``edge_table.c``; implements :class:`Stores`."""

    def __init__(self, segment: Segment, ffi: Any, lib: Any) -> None:
        self._ffi, self._lib = ffi, lib
        self._base = self._ffi.from_buffer("uint8_t[]", segment.memory, require_writable=True)

    def store_slot(self, at: int, slot: bytes) -> None:
        ffi = self._ffi
        value = ffi.from_buffer(slot)
        self._lib.edge_slot_store(ffi.cast("edge_slot *", self._base + at), ffi.cast("edge_slot *", value))

    def advance_epoch(self) -> int:
        return int(self._lib.edge_epoch_advance(self._ffi.cast("edge_header *", self._base)))


def stores_of(segment: Segment) -> Stores:
    """The native stores where they are built, else the Python ones."""
    try:
        from edge._native import ffi, lib
    except ImportError:
        return PythonStores(segment)
    return NativeStores(segment, ffi, lib)
