"""The shared segment as memory (sealed memfds): made by the supervisor, attached by workers.

A segment is a ``memfd``: it has no name, and nobody but the processes that inherit its descriptor can open
it.  It is sealed against resizing, so that no mapping of it can ever fault, and against new writers: only the
process that made it writes to it, a worker can map it for nothing but reading.  What workers write, their
counters and epochs, is a memfd for each.  See :mod:`edge.table.layout` for the bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import secrets
from collections.abc import Mapping

from edge.errors import SegmentError
from edge.table.counters import COUNTER_COUNT, COUNTERS, INDEX
from edge.table.layout import (
    APPLICATION_COUNT,
    HEADER,
    HEADER_BYTES,
    LAYOUT_VERSION,
    MAGIC,
    MAX_WORKERS,
    OFFSET_ANSWERS_LEASE,
    OFFSET_COMPLETE,
    OFFSET_COUNTERS,
    OFFSET_DOUBTS,
    OFFSET_ENTRIES,
    OFFSET_EPOCH,
    OFFSET_HITS,
    OFFSET_LEASES,
    OFFSET_SEQUENCE,
    ORIGIN_COUNT,
    SLOT_BYTES,
    U32,
    U64,
    WHOLE_U32,
    WHOLE_U64,
    align,
    site_rows_bytes,
    worker_block_bytes,
)

#: Slots per entry of capacity: at half load a probe rarely leaves its first cache line.
SLOTS_PER_ENTRY = 2
DEFAULT_CAPACITY = 2**20
DEFAULT_ARENA_BYTES = 512 * 1024 * 1024
_PAGE = 4096


#: Linux 5.1: nobody can map the memory for writing, or write into it, from now on; who has, still can.
_F_SEAL_FUTURE_WRITE = 0x0010
#: A lease that has no end.
ENDLESS = 2**64 - 1
_NO_OTHER_SIZE = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


class WorkerBlock:
    """The memory that one worker writes: its epoch, its counters, and what it has sent; pages of its own."""

    def __init__(self, fd: int, size: int, sites: int = 0) -> None:
        """*fd* is owned from now on; *size*: what the header says; :exc:`SegmentError`: that is no block.

        Behind that are the rows of so many *sites*.
        """
        whole = size + site_rows_bytes(sites)
        if os.fstat(fd).st_size != whole:
            raise SegmentError(f"the block of a worker has {os.fstat(fd).st_size} bytes, not {whole}")
        self.fd = fd
        self.memory = mmap.mmap(fd, whole)
        self.site_rows_offset = size

    @classmethod
    def create(cls, size: int, sites: int = 0) -> WorkerBlock:
        """A new block of zeros, which nobody can make shorter; memory is taken for what is written alone."""
        fd = os.memfd_create("edge-worker", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, size + site_rows_bytes(sites))
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _NO_OTHER_SIZE | fcntl.F_SEAL_SEAL)
        return cls(fd, size, sites)

    def close(self) -> None:
        """Unmaps and closes."""
        _close(self.memory, self.fd)
        self.fd = -1


class Segment:
    """A mapped segment.  :meth:`create` or :meth:`attach`; the descriptors stay open until close.

    Who creates it is its writer, who attaches it reads, and writes to the blocks that it was given.
    """

    def __init__(self, fd: int, memory: mmap.mmap, blocks: Mapping[int, WorkerBlock], sites: int = 0) -> None:
        self.fd = fd
        self.memory = memory
        self._blocks = blocks
        #: Of so many sites requests are counted apart.
        self.counted_sites = sites
        (
            _magic,
            _version,
            _header_bytes,
            self.segment_bytes,
            self.slots_offset,
            self.slot_count,
            self.arena_offset,
            self.arena_bytes,
            self.worker_count,
            _worker_bytes,
            self.hash_key,
        ) = HEADER.unpack_from(memory)
        self.arena_end = self.arena_offset + self.arena_bytes

    @classmethod
    def create(
        cls,
        capacity: int = DEFAULT_CAPACITY,
        arena_bytes: int = DEFAULT_ARENA_BYTES,
        workers: int = 1,
        fd: int | None = None,
        sites: int = 0,
    ) -> Segment:
        """A new, empty table for *capacity* entries, on *fd* (taken over) or a new memfd.

        *sites*: of so many requests are counted apart.
        :exc:`SegmentError` when the numbers make no sense or there is no memory for it.
        """
        if not (0 < capacity <= 2**28 and 0 < workers <= MAX_WORKERS and arena_bytes >= _PAGE):
            raise SegmentError(
                f"a table of {capacity} entries, {arena_bytes} arena bytes and {workers} workers "
                f"cannot be made: at most {2**28} entries and {MAX_WORKERS} workers, at least {_PAGE} bytes"
            )
        slots = 1 << (capacity * SLOTS_PER_ENTRY - 1).bit_length()
        slots_offset = align(HEADER_BYTES, _PAGE)
        arena_offset = align(slots_offset + slots * SLOT_BYTES, _PAGE)
        total = arena_offset + align(arena_bytes, _PAGE)
        anonymous = fd is None
        if fd is None:
            fd = os.memfd_create("edge-table", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, total)
            memory = mmap.mmap(fd, total)
            if anonymous:
                _seal(fd)
        except (OSError, ValueError) as error:
            os.close(fd)
            raise SegmentError(f"no shared memory of {total >> 20} MiB for the table: {error}") from None
        HEADER.pack_into(
            memory,
            0,
            b"\0" * 8,
            LAYOUT_VERSION,
            HEADER_BYTES,
            total,
            slots_offset,
            slots,
            arena_offset,
            total - arena_offset,
            workers,
            worker_block_bytes(slots),
            secrets.token_bytes(16),
        )
        U64.pack_into(memory, OFFSET_EPOCH, 1)
        U64.pack_into(memory, OFFSET_ANSWERS_LEASE, ENDLESS)
        memory[: len(MAGIC)] = MAGIC  # last: before it, the bytes are no table
        size = worker_block_bytes(slots)
        return cls(fd, memory, {index: WorkerBlock.create(size, sites) for index in range(workers)}, sites)

    @classmethod
    def attach(cls, fd: int, blocks: Mapping[int, int] | None = None, sites: int = 0) -> Segment:
        """The table on *fd* (owned from now on), to be read; :exc:`SegmentError` says why it is none.

        *blocks*: descriptors (owned from now on) of blocks, by the number of the worker.
        *sites*: as :meth:`create` was told.
        """
        size = os.fstat(fd).st_size
        if size < HEADER_BYTES:
            raise SegmentError(f"the shared table is truncated: {size} bytes, less than its header")
        memory = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
        problem = _problem(memory, size)
        if problem is not None:
            memory.close()
            raise SegmentError(f"the shared table cannot be used: {problem}")
        size = HEADER.unpack_from(memory)[9]
        found = {index: WorkerBlock(block, size, sites) for index, block in (blocks or {}).items()}
        return cls(fd, memory, found, sites)

    @property
    def sequence(self) -> int:
        """Publishes and purges so far."""
        return int(U64.unpack_from(self.memory, OFFSET_SEQUENCE)[0])

    @property
    def is_sealed(self) -> bool:
        """Whether no other process can write to it."""
        try:
            return bool(fcntl.fcntl(self.fd, fcntl.F_GET_SEALS) & _F_SEAL_FUTURE_WRITE)
        except OSError:  # not a memfd
            return False

    @property
    def epoch(self) -> int:
        """The global epoch of reclamation."""
        return int(U64.unpack_from(self.memory, OFFSET_EPOCH)[0])

    @property
    def complete(self) -> bool:
        """Whether a path that is not here does not exist on this node."""
        return bool(U32.unpack_from(self.memory, OFFSET_COMPLETE)[0])

    def doubts(self, application: int) -> int:
        """How often all answers of the application with this number became doubtful."""
        return int(U32.unpack_from(self.memory, OFFSET_DOUBTS + 4 * application)[0])

    def doubt(self, application: int | None = None) -> None:
        """What is stored of that application, None: of each, is not fresh any more."""
        for one in range(APPLICATION_COUNT) if application is None else (application,):
            WHOLE_U32.pack_into(self.memory, OFFSET_DOUBTS + 4 * one, self.doubts(one) + 1 & 0xFFFFFFFF)

    @property
    def answers_lease(self) -> int:
        """Until when answers are fresh at most, CLOCK_MONOTONIC in milliseconds."""
        return int(U64.unpack_from(self.memory, OFFSET_ANSWERS_LEASE)[0])

    def set_answers_lease(self, until_ms: int) -> None:
        """Pushes it on; see :attr:`answers_lease`."""
        WHOLE_U64.pack_into(self.memory, OFFSET_ANSWERS_LEASE, until_ms)

    @property
    def entries(self) -> int:
        """Live entries."""
        return int(U32.unpack_from(self.memory, OFFSET_ENTRIES)[0])

    def lease(self, origin: int) -> int:
        """Until when entries of *origin* may be confirmed, CLOCK_MONOTONIC in milliseconds."""
        return int(U64.unpack_from(self.memory, OFFSET_LEASES + 8 * origin)[0])

    def set_lease(self, origin: int, until_ms: int) -> None:
        """Pushes the lease of *origin* (from 1) on; see :meth:`lease`."""
        if not 0 < origin < ORIGIN_COUNT:
            raise SegmentError(f"there is no lease for the origin {origin}")
        WHOLE_U64.pack_into(self.memory, OFFSET_LEASES + 8 * origin, until_ms)

    def block(self, worker_index: int) -> WorkerBlock:
        """The block of a worker; :exc:`SegmentError` if it is not here."""
        try:
            return self._blocks[worker_index]
        except KeyError:
            raise SegmentError(
                f"there is no block for worker {worker_index} of {self.worker_count} in this process"
            ) from None

    def take_hit(self, number: int) -> bool:
        """Whether a worker has sent the answer in slot *number* since this was asked last."""
        at, hit = OFFSET_HITS + number, False
        for block in self._blocks.values():
            if block.memory[at]:
                block.memory[at] = 0
                hit = True
        return hit

    def worker_epochs(self) -> list[int]:
        """The epoch that each worker reads in, 0 where it does not."""
        return [int(U64.unpack_from(block.memory)[0]) for block in self._blocks.values()]

    def totals(self) -> dict[str, int]:
        """All counters, summed over the workers (``lag_us``: the worst)."""
        blocks = [CounterBlock(self, index).read() for index in range(self.worker_count)]
        totals = {name: sum(block[name] for block in blocks) for name in COUNTERS}
        totals["lag_us"] = max(block["lag_us"] for block in blocks)
        return totals

    def close(self) -> None:
        """Unmaps and closes.  Memory that others still use stays mapped until they let go."""
        for block in self._blocks.values():
            block.close()
        _close(self.memory, self.fd)
        self.fd = -1


def _seal(fd: int) -> None:
    """Fix the size of a memfd, and that nobody but who has mapped it already can write to it."""
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _NO_OTHER_SIZE | _F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SEAL)
    except OSError:  # before Linux 5.1
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _NO_OTHER_SIZE | fcntl.F_SEAL_SEAL)


def _close(memory: mmap.mmap, fd: int) -> None:
    with contextlib.suppress(BufferError):
        memory.close()
    if fd >= 0:
        os.close(fd)


def _problem(memory: mmap.mmap, size: int) -> str | None:
    (magic, version, header, total, slots_at, slots, arena_at, arena, workers, block, _key) = (
        HEADER.unpack_from(memory)
    )
    if magic != MAGIC:
        return "it does not begin with the table's magic bytes"
    if (version, header) != (LAYOUT_VERSION, HEADER_BYTES):
        return f"it has layout version {version}, this program reads {LAYOUT_VERSION}"
    if total > size:
        return f"it is truncated: {size} of {total} bytes"
    if (
        slots == 0
        or slots & (slots - 1)
        or workers > MAX_WORKERS
        or slots_at % _PAGE
        or arena_at % _PAGE
        or slots_at < HEADER_BYTES
        or arena_at < slots_at + slots * SLOT_BYTES
        or arena_at + arena > total
        or block != worker_block_bytes(slots)
    ):
        return "the sizes in its header contradict each other"
    return None


class CounterBlock:
    """The counters of one worker, in its block."""

    def __init__(self, segment: Segment, worker_index: int) -> None:
        block = memoryview(segment.block(worker_index).memory)
        self._cells = block[OFFSET_COUNTERS : OFFSET_COUNTERS + 8 * COUNTER_COUNT].cast("Q")

    def add(self, index: int, n: int = 1) -> None:
        """Counts *n* more; see :data:`edge.table.counters.INDEX`."""
        self._cells[index] = (self._cells[index] + n) & 0xFFFFFFFFFFFFFFFF

    def set(self, index: int, value: int) -> None:
        """Sets a gauge."""
        self._cells[index] = value

    def read(self) -> dict[str, int]:
        """Values by name."""
        return {name: self._cells[index] for name, index in INDEX.items()}
