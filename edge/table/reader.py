"""Look-ups in the table, in Python: a seqlock's reader, linear probing.  The twin of ``edge_table.c``.

A slot is copied between two reads of its counter, and used only if both were equal and even.  In
CPython each ``unpack_from`` is a run of loads in program order, and x86-64 neither reorders loads with
loads nor stores with stores, so the protocol holds there as it stands.  On machines that do reorder,
the native build with its fences is the one to use; this reader still refuses an odd counter.

Blocks of the arena are only reused when no reader is inside (epoch-based reclamation), so bytes are
copied out between :meth:`Reader.enter` and :meth:`Reader.leave`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from edge.table.hashing import path_hasher
from edge.table.layout import (
    GRANULE,
    HEAD_RECORD,
    LENGTH_BITS,
    LENGTH_MASK,
    MAX_PROBES,
    OFFSET_EPOCH,
    SLOT,
    SLOT_BYTES,
    SLOT_EMPTY,
    SLOT_LIVE,
    SLOT_TEMPLATE,
    U32,
    U64,
)
from edge.table.segment import Segment

_READ_TRIES = 64
_FOUND = (SLOT_LIVE, SLOT_TEMPLATE)
_unpack_slot, _unpack_seq, _unpack_home = SLOT.unpack_from, U32.unpack_from, U64.unpack_from
#: The fields of a slot in the order of edge.table.layout: seq, state, variant, variants, key, etag, body,
#: length, head, modified.
Slot: TypeAlias = "tuple[int, int, int, int, bytes, bytes, int, int, int, int]"
#: The most bytes of header lines in a head record, of each kind.
LINES_LIMIT = 8192


class Entry(NamedTuple):
    """One variant of a path, copied out of the table."""

    variant: int
    #: Mask of the variants that the path has.
    variants: int
    etag: bytes
    #: Last-Modified, Unix seconds.
    modified: int
    length: int
    lines_200: bytes
    lines_304: bytes
    #: None: not in memory (or not asked for).
    body: bytes | None
    #: Whether the bytes are in memory.
    in_memory: bool
    #: Lends its lines to the answer of a POST; not for GET.
    template: bool
    #: False: the lease of who published it has run out, it must not be confirmed.
    confirmed: bool = True


class Reader:
    """Finds entries, as one worker.  Not thread-safe."""

    def __init__(self, segment: Segment, worker_index: int, now_ms: Callable[[], int] = lambda: 0) -> None:
        """*now_ms*: CLOCK_MONOTONIC in milliseconds, what leases are compared with."""
        self.segment = segment
        self._now_ms = now_ms
        self._memory = segment.memory
        self._slots = segment.slots_offset
        self._mask = segment.slot_count - 1
        self._block = segment.block(worker_index).memory
        self._inside = 0
        #: The key of a path; remembered, for some paths are asked for most of the time.
        self.key_of = lru_cache(maxsize=4096)(path_hasher(segment.hash_key))

    @property
    def sequence(self) -> int:
        """Publishes and purges so far."""
        return self.segment.sequence

    @property
    def complete(self) -> bool:
        """Whether a miss means that the path does not exist."""
        return self.segment.complete

    def enter(self) -> None:
        """From now on nothing that is found is reclaimed.  Nests."""
        self._inside += 1
        if self._inside > 1:
            return
        memory, block = self._memory, self._block
        epoch = U64.unpack_from(memory, OFFSET_EPOCH)[0]
        while True:
            U64.pack_into(block, 0, epoch)
            again = U64.unpack_from(memory, OFFSET_EPOCH)[0]
            if again == epoch:
                return
            epoch = again

    def leave(self) -> None:
        """The end of what :meth:`enter` began."""
        self._inside -= 1
        if not self._inside:
            U64.pack_into(self._block, 0, 0)

    def find(self, path: bytes, variant: int = 0) -> Entry | None:
        """The entry, with its body if that is in memory; None: not there, or not readable now."""
        self.enter()
        try:
            return self.find_key(self.key_of(path), variant, with_body=True)
        finally:
            self.leave()

    def find_without_body(self, path: bytes, variant: int = 0) -> Entry | None:
        """The entry without its body, which is not copied; otherwise :meth:`find`."""
        self.enter()
        try:
            return self.find_key(self.key_of(path), variant, with_body=False)
        finally:
            self.leave()

    def find_key(self, key: bytes, variant: int, *, with_body: bool) -> Entry | None:
        """The entry of a path's key; the caller has entered.  Otherwise :meth:`find`."""
        slot = self.find_slot(key, variant)
        return None if slot is None else self.entry_of(slot, with_body=with_body)

    def find_slot(self, key: bytes, variant: int) -> Slot | None:
        """The slot of a live or template entry, as it was at one moment; the caller has entered."""
        home = _unpack_home(key)[0]
        for probe in range(MAX_PROBES):
            slot = self._read(self._slots + (home + probe & self._mask) * SLOT_BYTES)
            if slot is None:
                continue
            if slot[4] == key and slot[2] == variant and slot[1] in _FOUND:
                return slot
            if slot[1] == SLOT_EMPTY:
                return None
        return None

    def entry_of(self, slot: Slot, *, with_body: bool) -> Entry | None:
        """What a slot refers to; None: its offsets cannot be right.  The caller is still inside."""
        _, state, variant, variants, _, etag, body, packed, head, modified = slot
        length = packed & LENGTH_MASK
        lines = self._lines(head * GRANULE)
        segment = self.segment
        if lines is None or (
            body and not (segment.arena_offset <= body and body + length <= segment.arena_end)
        ):
            return None
        in_memory = bool(body) or not length
        taken = self._memory[body : body + length] if in_memory and with_body else None
        template = state == SLOT_TEMPLATE
        confirmed = self._confirms(packed >> LENGTH_BITS)
        return Entry(variant, variants, etag, modified, length, *lines, taken, in_memory, template, confirmed)

    def is_current(self, path: bytes, etag: bytes) -> bool:
        """Whether some live variant of *path* has this ETag, and may be confirmed."""
        key = self.key_of(path)
        home = U64.unpack_from(key)[0]
        for probe in range(MAX_PROBES):
            slot = self._read(self._slots + (home + probe & self._mask) * SLOT_BYTES)
            if slot is None:
                continue
            if slot[1] == SLOT_EMPTY:
                return False
            if slot[1] == SLOT_LIVE and slot[4] == key and slot[5] == etag:
                return self._confirms(slot[7] >> LENGTH_BITS)
        return False

    def _confirms(self, origin: int) -> bool:
        return not origin or self.segment.lease(origin) > self._now_ms()

    def _read(self, at: int) -> Slot | None:
        memory = self._memory
        for _ in range(_READ_TRIES):
            slot: Slot = _unpack_slot(memory, at)
            if not slot[0] & 1 and _unpack_seq(memory, at)[0] == slot[0]:
                return slot
        return None

    def _lines(self, at: int) -> tuple[bytes, bytes] | None:
        segment, memory = self.segment, self._memory
        if not segment.arena_offset <= at <= segment.arena_end - HEAD_RECORD.size:
            return None
        of_200, of_304 = HEAD_RECORD.unpack_from(memory, at)
        at += HEAD_RECORD.size
        if of_200 > LINES_LIMIT or of_304 > LINES_LIMIT or at + of_200 + of_304 > segment.arena_end:
            return None
        return memory[at : at + of_200], memory[at + of_200 : at + of_200 + of_304]
