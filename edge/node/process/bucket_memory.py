"""The memory that all workers of a node take tokens from (:mod:`edge.access.buckets`), without a name."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os

from edge.access.buckets import HEADER_BYTES, SET_BYTES, SETS, make_buckets
from edge.shares import PREFIX_BITS

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class BucketMemory:
    """The buckets of a node, mapped."""

    def __init__(self, fd: int) -> None:
        """*fd* stays the caller's."""
        self.fd = fd
        self.memory = mmap.mmap(fd, os.fstat(fd).st_size)

    @classmethod
    def create(cls, prefix: int = PREFIX_BITS) -> BucketMemory:
        """New ones, all full, which nobody can make shorter; *prefix*: see :func:`make_buckets`."""
        fd = os.memfd_create("edge-buckets", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, HEADER_BYTES + SETS * SET_BYTES)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        made = cls(fd)
        make_buckets(made.memory, prefix)
        return made

    def close(self) -> None:
        """Unmap and close; memory that others still use stays mapped until they let go."""
        with contextlib.suppress(BufferError):
            self.memory.close()
        os.close(self.fd)
