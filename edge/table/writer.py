"""The table's writer: the one process that may; linear probing, tombstones, recovery.

A put of a resource stores its new bodies first, then its slots, variant 0 - which tells the mask - after
the variants that it announces, and deletes variants that are gone last.  So a reader finds a whole old
or a whole new entry of each variant, and at worst a variant that it was told of is missing: a miss.

The stores themselves are in ``stores.py``: with fences from the native build where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from edge.cache.record import HEAD_BYTES as RECORD_HEAD_BYTES
from edge.cache.record import AnswerRecord, size_of, unpack
from edge.resource import Coding, Media, Representation, Resource, etag_of, split_status, variant_number
from edge.table.arena import Arena
from edge.table.hashing import path_hasher
from edge.table.heads import Heads
from edge.table.layout import (
    GRANULE,
    LENGTH_BITS,
    OFFSET_COMPLETE,
    OFFSET_SEQUENCE,
    OWN_CORS,
    OWN_ETAG,
    SLOT_ANSWER,
    SLOT_DELETED,
    SLOT_EMPTY,
    SLOT_LIVE,
    SLOT_OTHER,
    SLOT_REDIRECT,
    SLOT_TEMPLATE,
    U32,
    U64,
    align,
)
from edge.table.segment import Segment
from edge.table.slots import Slot, Slots
from edge.table.stores import stores_of

#: Variants of each medium: the codings.
CODINGS = variant_number(Media.WEBP, Coding.IDENTITY)
#: Answers that make room for one block at most, before it is done without.
_MOST_ROOM = 256


class StoredAnswer(NamedTuple):
    """An answer of an application, as it is put into the table."""

    #: What is hashed: :attr:`edge.cache.keys.Key.name`.
    name: bytes
    #: Variant 0 first; every body is there.
    representations: tuple[Representation, ...]
    #: Packed (:mod:`edge.cache.record`).
    record: bytes
    #: Ticks: until when it is fresh.
    until: int
    #: OWN_ETAG, OWN_CORS; see :mod:`edge.table.layout`.
    flags: int = 0
    #: The number of its application: see "doubts" there.
    application: int = 0
    #: With status 200: the fast path may send it.
    plain: bool = True


class CopiedAnswer(NamedTuple):
    """An answer of an application, as it is in the table."""

    record: AnswerRecord
    #: Ticks: until when it is fresh.
    until: int
    #: It may be older than a change: the application is to confirm it.
    doubtful: bool
    #: OWN_ETAG, OWN_CORS.
    flags: int
    #: Variant 0 first, each with its body.
    representations: tuple[Representation, ...]


def _as_stored(resource: Resource) -> tuple[int, int, tuple[Representation, ...]]:
    """(state of its slots, their field "modified", its representations) of *resource* in the table."""
    status, lines = split_status(resource.representations[0].lines_200)
    if not status:
        return SLOT_LIVE, resource.modified, resource.representations
    return SLOT_REDIRECT, status, (replace(resource.representations[0], lines_200=lines),)


def _nobody_minds(number: int) -> None:
    """The answer that has gone is nobody's concern."""


def _nothing_to_take() -> bool:
    """No answer can make room."""
    return False


class Writer:
    """The only writer of *segment*.  After another writer's death call :meth:`recover` first."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._memory = segment.memory
        self._key_of = path_hasher(segment.hash_key)
        self._stores = stores_of(segment)
        self._slots = Slots(segment, self._stores)
        self._arena = Arena(segment.arena_offset, segment.arena_end)
        self._heads = Heads(self._memory, self._arena)
        self._spilled = 0
        self._answer_bytes = 0
        #: Called with the number of a slot whose answer, variant 0, has gone for another reason than
        #: :meth:`put_answer` of the same name.
        self.answer_gone: Callable[[int], None] = _nobody_minds
        #: Called when a block has no room: takes an answer away; False: there is none.
        self.make_room: Callable[[], bool] = _nothing_to_take

    @property
    def sequence(self) -> int:
        """Publishes and purges so far."""
        return self.segment.sequence

    @property
    def entries(self) -> int:
        """Slots in use."""
        return self._slots.entries

    @property
    def answer_bytes(self) -> int:
        """Bytes of the arena that bodies and records of answers take."""
        return self._answer_bytes

    @property
    def free_bytes(self) -> int:
        """Bytes of the arena that nothing takes."""
        return self._arena.free_bytes

    def put(
        self,
        resource: Resource,
        spill: Callable[[Representation], None] | None = None,
        counts: bool = True,
        origin: int = 0,
    ) -> bool:
        """Publishes *resource* in place of what its path had.

        A body that does not fit the arena is given to *spill*, which must write its blob file before it
        returns.  False: not everything fits; then the path is gone from the table, and the table no
        longer :attr:`~edge.table.segment.Segment.complete`.

        *origin*: who published it, see "leases" in :mod:`edge.table.layout`; 0: this node.
        Not *counts*: the node's own figures, which do not advance the sequence of the site.
        """
        key = self._key_of(resource.path)
        mask = 0
        state, modified, representations = _as_stored(resource)
        for representation in representations:
            mask |= 1 << representation.variant
        # Variant 0 last: its mask announces the others.
        for representation in sorted(representations, key=lambda one: -one.variant):
            slot = Slot(
                0, state, representation.variant, mask, key, representation.etag, 0, 0,
                representation.length | origin << LENGTH_BITS, 0, modified,
            )  # fmt: skip
            if self._put_one(slot, representation, spill) is None:
                self._delete(key, 0xFFFF)
                self.set_complete(False)
                if counts:
                    self._changed()
                return False
        self._delete(key, ~mask & 0xFFFF)
        if counts:
            self._changed()
        return True

    def put_answer(self, answer: StoredAnswer) -> int | None:
        """Stores *answer* in place of what was under its name; the number of its slot, while it is there.

        None: a file is there, or there is no room; then no answer is there.  Does not advance the sequence:
        answers are not part of the site.
        """
        key = self._key_of(answer.name)
        _, old = self._slots.place(key, 0)
        if old is not None and not old.is_answer:
            return None
        state, mask = SLOT_ANSWER if answer.plain else SLOT_OTHER, answer.flags
        for one in answer.representations:
            mask |= 1 << one.variant
        number, doubts = None, self.segment.doubts(answer.application)
        for one in sorted(answer.representations, key=lambda one: -one.variant):
            slot = Slot(
                0, state, one.variant, mask, key, one.etag, 0, doubts,
                one.length | answer.application << LENGTH_BITS, 0, answer.until,
            )  # fmt: skip
            number = self._put_one(slot, one, None, b"" if one.variant else answer.record)
            if number is None:
                self._delete(key, 0xFFFF)
                return None
        if old is not None:  # else of what a crash may have left nobody is told
            self._delete(key, ~mask & 0xFFFF)
        return number

    def prolong_answer(self, number: int, until: int) -> None:
        """The answer in slot *number* is fresh until then, in ticks; its variants, too."""
        first = self._slots.load(number)
        if not first.is_answer:
            return
        for index, slot in self._slots.of(first.key):
            if slot.is_answer:
                self._slots.store(index, slot._replace(modified=until))

    def remove_answer(self, number: int) -> bool:
        """Takes the answer in slot *number* away, with its variants; whether there was one."""
        slot = self._slots.load(number)
        return slot.is_answer and self._delete(slot.key, 0xFFFF) > 0

    def answer_until(self, number: int) -> int | None:
        """Until when the answer in slot *number* is fresh, in ticks; None: there is none."""
        slot = self._slots.load(number)
        return slot.modified if slot.has_record else None

    def doubt_answer(self, number: int) -> None:
        """The answer in slot *number* is doubtful from now on: a tenth of what it takes to take it away."""
        first = self._slots.load(number)
        doubts = self.segment.doubts(first.origin) - 1 & 0xFFFFFFFF
        several = first.variants & ~(OWN_ETAG | OWN_CORS) != 1
        for index, slot in self._slots.of(first.key) if several else ((number, first),):
            if slot.is_answer:
                self._slots.set_doubts(index, doubts)

    def is_doubtful(self, number: int) -> bool:
        """Whether the answer in slot *number* was stored before its application was doubted."""
        return self._is_doubtful(self._slots.load(number))

    def _is_doubtful(self, slot: Slot) -> bool:
        return slot.doubts != self.segment.doubts(slot.origin)

    def fingerprint_at(self, number: int) -> int:
        """64 bits of the hash that slot *number* is for; of an empty one, nobody's."""
        return self._slots.fingerprint(number)

    def record_at(self, number: int) -> AnswerRecord | None:
        """What is kept beside the answer in slot *number*; None: there is none."""
        slot = self._slots.load(number)
        size = self._record_bytes(slot)
        at = slot.body + slot.size
        return unpack(self._memory[at : at + size]) if size else None

    def copy_answer(self, name: bytes) -> CopiedAnswer | None:
        """What is stored under the *name* of a key, with all its variants; None: nothing."""
        number = self.find_answer(name)
        record = self.record_at(number) if number is not None else None
        if number is None or record is None:
            return None
        first = self._slots.load(number)
        found = {
            slot.variant: self._representation(slot)
            for _, slot in self._slots.of(first.key)
            if slot.state == first.state
        }
        representations = tuple(found[variant] for variant in sorted(found))
        return CopiedAnswer(
            record,
            first.modified,
            self._is_doubtful(first),
            first.variants & (OWN_ETAG | OWN_CORS),
            representations,
        )

    def _representation(self, slot: Slot) -> Representation:
        lines_200, lines_304 = self._heads.lines(slot.head_at)
        body = bytes(self._memory[slot.body : slot.body + slot.size])
        return Representation(
            slot.variant, slot.etag, sha256(body).digest(), slot.size, lines_200, lines_304, body
        )

    def find_answer(self, name: bytes) -> int | None:
        """The number of the slot with the answer under *name*."""
        index, old = self._slots.place(self._key_of(name), 0)
        return index if old is not None and old.is_answer else None

    def has_originals(self, resource: Resource) -> bool:
        """Whether its path has the same with the same header lines already, but for content codings."""
        key = self._key_of(resource.path)
        state, modified, representations = _as_stored(resource)
        wanted = {one.variant: one for one in representations if one.variant % CODINGS == 0}
        first = self._slots.place(key, 0)[1]
        if first is None or {one for one in range(0, 16, CODINGS) if first.variants >> one & 1} != set(
            wanted
        ):
            return False
        for variant, one in wanted.items():
            slot = self._slots.place(key, variant)[1]
            if slot is None or slot.state != state or slot.etag != one.etag:
                return False
            if state == SLOT_REDIRECT and slot.modified != modified:
                return False
            if not self._heads.has(slot.head_at, one.lines_200, one.lines_304):
                return False
        return True

    def set_body(self, path: bytes, variant: int, etag: bytes, body: bytes) -> bool:
        """Takes the *body* of an entry that was put without it into memory; False: no room, or no such entry.

        Does not advance the sequence: nobody sees a difference.
        """
        key = self._key_of(path)
        index, old = self._slots.place(key, variant)
        if index is None or old is None or old.state != SLOT_LIVE or old.body or old.etag != etag:
            return False
        if old.size != len(body) or not body:
            return False
        at = self._allocate(len(body))
        if at is None:
            return False
        self._memory[at : at + len(body)] = body
        self._slots.store(index, old._replace(granule=at // GRANULE))
        return True

    def put_template(self, path: bytes, lines_200: bytes, lines_304: bytes, body: bytes = b"") -> bool:
        """An entry that only lends its lines to the answer of a POST; does not advance the sequence.

        Or one whose *body* tells workers something; False: there is no room for it.
        """
        etag = etag_of(sha256(body).digest()) if body else b"template-no-etag"
        one = Representation(0, etag, b"", len(body), lines_200, lines_304, body)
        slot = Slot(0, SLOT_TEMPLATE, 0, 1, self._key_of(path), one.etag, 0, 0, len(body), 0, 0)
        number = self._put_one(slot, one, None)
        return number is not None and (not body or self._slots.load(number).body > 0)

    def remove(self, path: bytes) -> bool:
        """Takes *path* away; whether it was there."""
        key = self._key_of(path)
        _, old = self._slots.place(key, 0)
        if old is not None and old.is_answer:
            return False  # of an application: no part of the site
        removed = self._delete(key, 0xFFFF)
        if removed:
            self._changed()
        return removed > 0

    def set_complete(self, complete: bool) -> None:
        """Tells readers whether a miss means that a path does not exist."""
        U32.pack_into(self._memory, OFFSET_COMPLETE, int(complete))

    def reclaim(self) -> int:
        """Frees retired blocks that no worker can be reading; how many."""
        return self._arena.reclaim(self.segment.worker_epochs())

    def worker_gone(self, worker_index: int) -> None:
        """The worker is dead: what it was reading may be reclaimed."""
        U64.pack_into(self.segment.block(worker_index).memory, 0, 0)

    def statistics(self) -> dict[str, int | float | bool]:
        """Figures for people and metrics: counts, and sizes in bytes."""
        segment = self.segment
        return {
            "entries": self._slots.entries,
            "slots": segment.slot_count,
            "load": round(self._slots.entries / segment.slot_count, 4),
            "arena_bytes": self._arena.end - self._arena.begin,
            "arena_free_bytes": self._arena.free_bytes,
            "answer_bytes": self._answer_bytes,
            "retired_blocks": self._arena.retired_blocks,
            "heads": len(self._heads),
            "spilled": self._spilled,
            "sequence": segment.sequence,
            "complete": segment.complete,
        }

    def recover(self) -> int:
        """Takes over a segment whose writer died: how many slots had to be given up.

        Nothing in the segment is believed: a slot that was being written, whose offsets leave the arena
        or whose blocks overlap another's is deleted; what is free is worked out from the rest.
        """
        self._arena = Arena(self.segment.arena_offset, self.segment.arena_end)
        self._heads = Heads(self._memory, self._arena)
        self._answer_bytes = entries = given_up = 0
        self.set_complete(False)
        for index in range(self._slots.count):
            slot = self._slots.load(index)
            if slot.state in (SLOT_EMPTY, SLOT_DELETED) and not slot.seq & 1:
                continue
            if slot.seq & 1 or not self._readopt(slot):
                self._slots.bury(index, slot)
                given_up += 1
            else:
                entries += 1
        self._slots.entries = entries
        self._changed()
        return given_up

    # One slot

    def _put_one(
        self,
        slot: Slot,
        one: Representation,
        spill: Callable[[Representation], None] | None,
        record: bytes | None = None,
    ) -> int | None:
        """Stores *slot* with the lines and the body of *one*; its number, None: there is no room.

        *record*: of an answer, to lie behind its body; None: it is no answer.
        """
        head = self._heads.use(one.lines_200, one.lines_304, self._allocate)
        if head is None:
            return None
        index, old = self._slots.place(slot.key, one.variant)
        body, cleared = None, self._slots.cleared
        if index is not None:
            body = self._body(one, spill, old) if record is None else self._body_and_record(one, record)
            if self._slots.cleared != cleared:  # to make room, and perhaps this one
                index, old = self._slots.place(slot.key, one.variant)
        if index is None or body is None:
            self._free_head(head)
            return None
        placed = slot._replace(granule=body // GRANULE, head=head // GRANULE)
        self._slots.store(index, placed)
        if record is not None:
            self._answer_bytes += align(one.length + len(record), GRANULE)
        if old is None:
            self._slots.entries += 1
        else:
            self._let_go(old, keep_body=old.body == body)
            if old.has_record and not slot.is_answer:
                self.answer_gone(index)
        return index

    def _body_and_record(self, one: Representation, record: bytes) -> int | None:
        """Where the body of an answer is from now on, with its *record* right behind it."""
        assert one.body is not None
        at = self._allocate(one.length + len(record))
        if at is not None:
            self._memory[at : at + one.length] = one.body
            self._memory[at + one.length : at + one.length + len(record)] = record
        return at

    def _body(
        self, one: Representation, spill: Callable[[Representation], None] | None, old: Slot | None
    ) -> int:
        """Where the body is from now on; 0: in a blob file."""
        if not one.length or one.body is None:
            return 0
        if (
            old is not None
            and old.body
            and not old.is_answer
            and old.etag == one.etag
            and old.size == one.length
        ):
            return old.body
        at = self._allocate(one.length)
        if at is None:
            if spill is not None:
                spill(one)
            self._spilled += 1
            return 0
        self._memory[at : at + one.length] = one.body
        return at

    def _allocate(self, size: int) -> int | None:
        at = self._arena.allocate(size)
        if at is None and self.reclaim():
            at = self._arena.allocate(size)
        for _ in range(_MOST_ROOM):
            if at is not None or not self.make_room():
                break
            self.reclaim()
            at = self._arena.allocate(size)
        return at

    def _let_go(self, slot: Slot, keep_body: bool = False) -> None:
        """What *slot* referred to is not reachable through it any more."""
        self._answer_bytes -= self._answer_bytes_of(slot)
        retired = []
        if slot.body and not keep_body:
            retired.append((slot.body, slot.size + self._record_bytes(slot)))
        unused = self._heads.leave(slot.head_at)
        if unused:
            retired.append((slot.head_at, unused))
        if retired:
            epoch = self._stores.advance_epoch()
            for at, size in retired:
                self._arena.retire(at, size, epoch)

    def _answer_bytes_of(self, slot: Slot) -> int:
        """What the block of an answer takes; 0: it is none."""
        return align(slot.size + self._record_bytes(slot), GRANULE) if slot.is_answer else 0

    def _record_bytes(self, slot: Slot) -> int:
        """Bytes of the record behind the body; 0: there is none, or it makes no sense."""
        at = slot.body + slot.size
        return (size_of(self._memory[at : at + RECORD_HEAD_BYTES]) or 0) if slot.has_record else 0

    def _delete(self, key: bytes, variants: int) -> int:
        """Deletes those variants of a path; how many there were."""
        count = 0
        for index, slot in self._slots.of(key):
            if 1 << slot.variant & variants:
                self._slots.clear(index, slot)
                self._let_go(slot)
                count += 1
                if slot.has_record:
                    self.answer_gone(index)
        return count

    def _readopt(self, slot: Slot) -> bool:
        """Recovery: takes the blocks of a slot into the account; False if they cannot be right."""
        if not self._heads.adopt(slot.head_at):
            return False
        record_bytes = self._record_bytes(slot)
        broken = slot.has_record and (not slot.body or not record_bytes)
        if broken or (slot.body and not self._arena.reserve(slot.body, slot.size + record_bytes)):
            self._free_head(slot.head_at)
            return False
        self._answer_bytes += self._answer_bytes_of(slot)
        return True

    def _free_head(self, at: int) -> None:
        """What was to use the head at *at* is not there."""
        unused = self._heads.leave(at)
        if unused:
            self._arena.free(at, unused)

    def _changed(self) -> None:
        U64.pack_into(self._memory, OFFSET_SEQUENCE, self.segment.sequence + 1)
