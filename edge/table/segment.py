"""The shared segment as memory (a sealed memfd): made by the supervisor, attached by workers.

A segment is a ``memfd``: it has no name, nobody but the processes that inherit its descriptor can
open it, and it is sealed against resizing, so that no mapping of it can ever fault.  See
:mod:`edge.table.layout` for its bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import secrets

from edge.errors import SegmentError
from edge.table.counters import COUNTER_COUNT, COUNTERS, INDEX
from edge.table.layout import (
    HEADER,
    HEADER_BYTES,
    LAYOUT_VERSION,
    MAGIC,
    MAX_WORKERS,
    OFFSET_COMPLETE,
    OFFSET_COUNTERS,
    OFFSET_ENTRIES,
    OFFSET_EPOCH,
    OFFSET_LEASES,
    OFFSET_SEQUENCE,
    ORIGIN_COUNT,
    SLOT_BYTES,
    U32,
    U64,
    WORKER_BLOCK,
    align,
)

#: Slots per entry of capacity: at half load a probe rarely leaves its first cache line.
SLOTS_PER_ENTRY = 2
DEFAULT_CAPACITY = 2**20
DEFAULT_ARENA_BYTES = 512 * 1024 * 1024
_PAGE = 4096


class Segment:
    """A mapped segment.  :meth:`create` or :meth:`attach`; the descriptor stays open until close."""

    def __init__(self, fd: int, memory: mmap.mmap) -> None:
        self.fd = fd
        self.memory = memory
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
    ) -> Segment:
        """A new, empty table for *capacity* entries, on *fd* (taken over) or a new memfd.

        :exc:`SegmentError` when the numbers make no sense or there is no memory for it.
        """
        if not (0 < capacity <= 2**28 and 0 < workers <= MAX_WORKERS and arena_bytes >= _PAGE):
            raise SegmentError(
                f"a table of {capacity} entries, {arena_bytes} arena bytes and {workers} workers "
                f"cannot be made: at most {2**28} entries and {MAX_WORKERS} workers, at least {_PAGE} bytes"
            )
        slots = 1 << (capacity * SLOTS_PER_ENTRY - 1).bit_length()
        slots_offset = align(HEADER_BYTES + workers * WORKER_BLOCK, _PAGE)
        arena_offset = align(slots_offset + slots * SLOT_BYTES, _PAGE)
        total = arena_offset + align(arena_bytes, _PAGE)
        sealed = fd is None
        if fd is None:
            fd = os.memfd_create("edge-table", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, total)
            if sealed:
                fcntl.fcntl(
                    fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
                )
            memory = mmap.mmap(fd, total)
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
            WORKER_BLOCK,
            secrets.token_bytes(16),
        )
        U64.pack_into(memory, OFFSET_EPOCH, 1)
        memory[: len(MAGIC)] = MAGIC  # last: before it, the bytes are no table
        return cls(fd, memory)

    @classmethod
    def attach(cls, fd: int) -> Segment:
        """The table on *fd* (owned from now on); :exc:`SegmentError` says why it is none."""
        size = os.fstat(fd).st_size
        if size < HEADER_BYTES:
            raise SegmentError(f"the shared table is truncated: {size} bytes, less than its header")
        memory = mmap.mmap(fd, size)
        problem = _problem(memory, size)
        if problem is not None:
            memory.close()
            raise SegmentError(f"the shared table cannot be used: {problem}")
        return cls(fd, memory)

    @property
    def sequence(self) -> int:
        """Publishes and purges so far."""
        return int(U64.unpack_from(self.memory, OFFSET_SEQUENCE)[0])

    @property
    def epoch(self) -> int:
        """The global epoch of reclamation."""
        return int(U64.unpack_from(self.memory, OFFSET_EPOCH)[0])

    @property
    def complete(self) -> bool:
        """Whether a path that is not here does not exist on this node."""
        return bool(U32.unpack_from(self.memory, OFFSET_COMPLETE)[0])

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
        U64.pack_into(self.memory, OFFSET_LEASES + 8 * origin, until_ms)

    def block_offset(self, worker_index: int) -> int:
        """Where the block of a worker begins; :exc:`SegmentError` if it has none."""
        if not 0 <= worker_index < self.worker_count:
            raise SegmentError(
                f"the shared table has no block for worker {worker_index}: it has {self.worker_count}"
            )
        return HEADER_BYTES + worker_index * WORKER_BLOCK

    def worker_epochs(self) -> list[int]:
        """The epoch that each worker reads in, 0 where it does not."""
        return [int(U64.unpack_from(self.memory, self.block_offset(i))[0]) for i in range(self.worker_count)]

    def totals(self) -> dict[str, int]:
        """All counters, summed over the workers (``lag_us``: the worst)."""
        blocks = [CounterBlock(self, index).read() for index in range(self.worker_count)]
        totals = {name: sum(block[name] for block in blocks) for name in COUNTERS}
        totals["lag_us"] = max(block["lag_us"] for block in blocks)
        return totals

    def close(self) -> None:
        """Unmaps and closes.  Memory that others still use stays mapped until they let go."""
        with contextlib.suppress(BufferError):
            self.memory.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _problem(memory: mmap.mmap, size: int) -> str | None:
    (magic, version, header, total, slots_at, slots, arena_at, arena, workers, block, _key) = (
        HEADER.unpack_from(memory)
    )
    if magic != MAGIC:
        return "it does not begin with the table's magic bytes"
    if (version, header, block) != (LAYOUT_VERSION, HEADER_BYTES, WORKER_BLOCK):
        return f"it has layout version {version}, this program reads {LAYOUT_VERSION}"
    if total > size:
        return f"it is truncated: {size} of {total} bytes"
    if (
        slots == 0
        or slots & (slots - 1)
        or workers > MAX_WORKERS
        or slots_at % _PAGE
        or arena_at % _PAGE
        or slots_at < HEADER_BYTES + workers * WORKER_BLOCK
        or arena_at < slots_at + slots * SLOT_BYTES
        or arena_at + arena > total
    ):
        return "the sizes in its header contradict each other"
    return None


class CounterBlock:
    """The counters of one worker; only that worker may write them."""

    def __init__(self, segment: Segment, worker_index: int) -> None:
        begin = segment.block_offset(worker_index) + OFFSET_COUNTERS
        self._cells = memoryview(segment.memory)[begin : begin + 8 * COUNTER_COUNT].cast("Q")

    def add(self, index: int, n: int = 1) -> None:
        """Counts *n* more; see :data:`edge.table.counters.INDEX`."""
        self._cells[index] = (self._cells[index] + n) & 0xFFFFFFFFFFFFFFFF

    def set(self, index: int, value: int) -> None:
        """Sets a gauge."""
        self._cells[index] = value

    def read(self) -> dict[str, int]:
        """Values by name."""
        return {name: self._cells[index] for name, index in INDEX.items()}
