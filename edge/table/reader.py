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
from typing import NamedTuple, TypeAlias

from edge.cache.record import HEAD_BYTES as RECORD_HEAD_BYTES
from edge.cache.record import SUFFIXES, AnswerRecord, opaque, own_tag, size_of, unpack
from edge.remembered import remembered
from edge.table.hashing import path_hasher
from edge.table.layout import (
    GRANULE,
    HEAD_RECORD,
    LENGTH_BITS,
    LENGTH_MASK,
    MAX_PROBES,
    OFFSET_EPOCH,
    OFFSET_HITS,
    OWN_CORS,
    OWN_ETAG,
    SLOT,
    SLOT_ANSWER,
    SLOT_BYTES,
    SLOT_DELETED,
    SLOT_EMPTY,
    SLOT_LIVE,
    SLOT_OTHER,
    SLOT_REDIRECT,
    SLOT_TEMPLATE,
    TICKS_PER_SECOND,
    U32,
    U64,
    ticks_between,
    ticks_of,
)
from edge.table.segment import Segment

_READ_TRIES = 64
_FILES, _ANSWERS = (SLOT_LIVE, SLOT_TEMPLATE, SLOT_REDIRECT), (SLOT_ANSWER, SLOT_OTHER)
_unpack_slot, _unpack_seq, _unpack_home = SLOT.unpack_from, U32.unpack_from, U64.unpack_from
#: The fields of a slot in the order of edge.table.layout: seq, state, variant, variants, key, etag, body,
#: doubts, length, head, modified.
Slot: TypeAlias = "tuple[int, int, int, int, bytes, bytes, int, int, int, int, int]"
#: In a mask of variants of an answer, those of variants.
VARIANTS_MASK = ~(OWN_ETAG | OWN_CORS)
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
    #: Of a redirect, or of what is gone; then *lines_304* is the line Location, or nothing.
    status: int = 200


class Answer(NamedTuple):
    """One variant of an application's stored answer, copied out of the table."""

    #: Mask of the variants that the answer has, and the flags of :mod:`edge.table.layout`.
    variants: int
    #: The one that this is.
    variant: int
    #: A hash of the body, as of all entries.
    etag: bytes
    length: int
    lines_200: bytes
    lines_304: bytes
    body: bytes
    #: Of the whole answer.
    record: AnswerRecord
    #: Seconds since the application made it.
    age: int
    #: Seconds for which it is still fresh; not positive: it is not.
    remaining: float
    #: Seconds since its lifetime ended, however long it was prolonged; negative: it has not.
    overdue: float
    #: Of its slot: what :meth:`Reader.mark_hit` takes.
    number: int
    #: It may be older than a change: its application was doubted since, or this node has lost touch with
    #: another one.
    doubtful: bool

    @property
    def fresh(self) -> bool:
        """Whether it may be sent without a word."""
        return self.remaining > 0 and not self.doubtful


class Version(NamedTuple):
    """One state of one slot; see :meth:`Reader.version_of`."""

    #: Where in the segment the slot is.
    at: int
    #: Of its seqlock.
    number: int


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
        self.worker_index = worker_index
        self._inside = 0
        #: The key of a path; remembered, for some paths are asked for most of the time.
        self.key_of = remembered(4096)(path_hasher(segment.hash_key))

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
        """The slot of a live or template entry, as it was at one moment; who has entered may follow it."""
        found = self.find_any(key, variant)
        return found[1] if found is not None and found[1][1] in _FILES else None

    def find_any(self, key: bytes, variant: int) -> tuple[int, Slot] | None:
        """(number, slot) of an entry or an answer, as it was at one moment; who has entered may follow it."""
        home = _unpack_home(key)[0]
        memory, slots, mask = self._memory, self._slots, self._mask
        for probe in range(MAX_PROBES):
            number = home + probe & mask
            at = slots + number * SLOT_BYTES
            slot: Slot | None = _unpack_slot(memory, at)
            assert slot is not None, "it was unpacked"
            if slot[0] & 1 or _unpack_seq(memory, at)[0] != slot[0]:
                slot = self._read(at)  # it is being written: again
                if slot is None:
                    continue
            if slot[1] == SLOT_EMPTY:
                return None
            if slot[4] == key and slot[2] == variant and slot[1] != SLOT_DELETED:
                return number, slot
        return None

    def is_file(self, path: bytes) -> bool:
        """Whether something is published under *path*, in memory or not."""
        return self.find_slot(self.key_of(path), 0) is not None

    def version_of(self, path: bytes) -> Version | None:
        """What tells whether what is published under *path* is still that: :meth:`is_unchanged`."""
        found = self.find_any(self.key_of(path), 0)
        return None if found is None else Version(self._slots + found[0] * SLOT_BYTES, found[1][0])

    def is_unchanged(self, version: Version) -> bool:
        """Whether nobody has written there since: each write gives a slot another number."""
        return bool(_unpack_seq(self._memory, version.at)[0] == version.number)

    def has_answer(self, name: bytes) -> bool:
        """Whether an answer is stored under the *name* of a key, fresh or not."""
        found = self.find_any(self.key_of(name), 0)
        return found is not None and found[1][1] in _ANSWERS

    def find_answer(self, name: bytes, choose: Callable[[int], int] = lambda variants: 0) -> Answer | None:
        """The stored answer under the *name* of a key (:mod:`edge.cache.keys`), fresh or not.

        *choose*: out of a mask of variants the one to be sent.
        """
        self.enter()
        try:
            key = self.key_of(name)
            found = self.find_any(key, 0)
            if found is None or found[1][1] not in _ANSWERS:
                return None
            first = self.entry_of(found[1], with_body=True)
            record = self._record_of(found[1])
            if first is None or first.body is None or record is None or record.name != name:
                return None
            variant = choose(found[1][3] & VARIANTS_MASK)
            sent = 0
            slot, entry = found[1], first
            if variant:
                other = self.find_any(key, variant)
                chosen = self.entry_of(other[1], with_body=True) if other is not None else None
                if other is not None and chosen is not None and other[1][1] == slot[1]:
                    slot, entry, sent = other[1], chosen, variant
            now = ticks_of(self._now_ms())
            return Answer(
                found[1][3], sent, entry.etag, entry.length, entry.lines_200, entry.lines_304,
                entry.body or b"", record, max(0, ticks_between(record.born, now)) // TICKS_PER_SECOND,
                ticks_between(now, slot[10]) / TICKS_PER_SECOND,
                ticks_between(record.born, now) / TICKS_PER_SECOND - record.fresh,
                found[0], not self._is_certain(slot),
            )  # fmt: skip
        finally:
            self.leave()

    def is_fresh(self, slot: Slot) -> bool:
        """Whether the answer in *slot* may be sent."""
        return ticks_between(ticks_of(self._now_ms()), slot[10]) > 0 and self._is_certain(slot)

    def _is_certain(self, slot: Slot) -> bool:
        return slot[7] == self.segment.doubts(slot[8] >> LENGTH_BITS) and self.holds_answers()

    def holds_answers(self) -> bool:
        """Whether this node is in touch with all others: their lease of answers holds."""
        return self.segment.answers_lease > self._now_ms()

    def age_date_and_etag(self, slot: Slot) -> tuple[int, int, bytes] | None:
        """(age in seconds, Date in Unix seconds, ETag of the application or b"") of the answer in *slot*.

        Its variant 0.
        """
        record = self._record_of(slot)
        if record is None:
            return None
        age = max(0, ticks_between(record.born, ticks_of(self._now_ms()))) // TICKS_PER_SECOND
        return age, record.date, record.etag if slot[3] & OWN_ETAG else b""

    def _record_of(self, slot: Slot) -> AnswerRecord | None:
        """What lies behind the body of variant 0 of an answer."""
        at = slot[6] * GRANULE + (slot[8] & LENGTH_MASK)
        size = size_of(self._memory[at : at + RECORD_HEAD_BYTES]) if slot[6] else None
        if size is None or at + size > self.segment.arena_end:
            return None
        return unpack(self._memory[at : at + size])

    def mark_hit(self, number: int) -> None:
        """The answer in slot *number* was sent: what is asked for stays."""
        self._block[OFFSET_HITS + number] = 1

    def entry_of(self, slot: Slot, *, with_body: bool) -> Entry | None:
        """What a slot refers to; None: its offsets cannot be right.  The caller is still inside."""
        _, state, variant, variants, _, etag, granule, _, packed, head, modified = slot
        body, length = granule * GRANULE, packed & LENGTH_MASK
        lines = self._lines(head * GRANULE)
        segment = self.segment
        if lines is None or (
            body and not (segment.arena_offset <= body and body + length <= segment.arena_end)
        ):
            return None
        in_memory = bool(body) or not length
        taken = self._memory[body : body + length] if in_memory and with_body else None
        template = state == SLOT_TEMPLATE
        confirmed = state in _ANSWERS or self.confirms(packed >> LENGTH_BITS)
        status = modified if state == SLOT_REDIRECT else 200
        return Entry(
            variant, variants, etag, modified, length, *lines, taken, in_memory, template, confirmed, status
        )

    def is_current(self, target: bytes, etag: bytes) -> bool:
        """Whether some variant of what is asked for by *target* has this ETag, and may be confirmed.

        The file of its path, whatever the query; else an application's fresh answer to exactly this query.
        """
        path, mark, _ = target.partition(b"?")
        current, is_file = self._is_current(path, etag)
        if mark and not is_file:
            current, _ = self._is_current(target, etag)
        return current

    def _is_current(self, name: bytes, etag: bytes) -> tuple[bool, bool]:
        """(whether it is current, whether it is a file)."""
        key = self.key_of(name)
        home = U64.unpack_from(key)[0]
        is_file = False
        for probe in range(MAX_PROBES):
            slot = self._read(self._slots + (home + probe & self._mask) * SLOT_BYTES)
            if slot is None:
                continue
            state = slot[1]
            if state == SLOT_EMPTY:
                break
            if state == SLOT_DELETED or slot[4] != key:
                continue
            is_file = is_file or state in _FILES
            same = slot[5] == etag
            if state in _ANSWERS and (same or self._has_own_tag(slot, etag)):
                return self.is_fresh(slot), is_file
            if same and state == SLOT_LIVE:
                return self.confirms(slot[8] >> LENGTH_BITS), is_file
        return False, is_file

    def _has_own_tag(self, slot: Slot, tag: bytes) -> bool:
        """Whether the application's own ETag of the answer in *slot*, in any of its variants, is *tag*."""
        if slot[2] or not slot[3] & OWN_ETAG:
            return False
        record = self._record_of(slot)
        return record is not None and any(
            slot[3] >> variant & 1 and opaque(own_tag(record.etag, variant)) == tag
            for variant in range(len(SUFFIXES))
        )

    def confirms(self, origin: int) -> bool:
        """Whether what has the lease number *origin* may be confirmed now; 0: it needs none."""
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
