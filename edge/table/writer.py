"""The table's writer: the one process that may; linear probing, tombstones, recovery.

A put of a resource stores its new bodies first, then its slots, variant 0 - which tells the mask - after
the variants that it announces, and deletes variants that are gone last.  So a reader finds a whole old
or a whole new entry of each variant, and at worst a variant that it was told of is missing: a miss.

The stores themselves are in ``stores.py``: with fences from the native build where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from edge.resource import Representation, Resource
from edge.table.arena import Arena
from edge.table.hashing import path_hasher
from edge.table.layout import (
    GRANULE,
    HEAD_RECORD,
    LENGTH_BITS,
    LENGTH_MASK,
    MAX_PROBES,
    OFFSET_COMPLETE,
    OFFSET_ENTRIES,
    OFFSET_SEQUENCE,
    SLOT,
    SLOT_BYTES,
    SLOT_DELETED,
    SLOT_EMPTY,
    SLOT_LIVE,
    SLOT_TEMPLATE,
    U32,
    U64,
)
from edge.table.reader import LINES_LIMIT
from edge.table.segment import Segment
from edge.table.stores import stores_of

#: Tombstones that end a run before an empty slot become empty again, at most this many at once.
_TRIM = MAX_PROBES


class _Slot(NamedTuple):
    seq: int
    state: int
    variant: int
    variants: int
    key: bytes
    etag: bytes
    body: int
    length: int
    head: int
    modified: int

    @property
    def size(self) -> int:
        """Bytes of the body: *length* without the origin."""
        return self.length & LENGTH_MASK


class _Head:
    """A head record in the arena and how many entries use it."""

    __slots__ = ("at", "size", "users")

    def __init__(self, at: int, size: int) -> None:
        self.at = at
        self.size = size
        self.users = 0


class Writer:
    """The only writer of *segment*.  After another writer's death call :meth:`recover` first."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._memory = segment.memory
        self._mask = segment.slot_count - 1
        self._key_of = path_hasher(segment.hash_key)
        self._stores = stores_of(segment)
        self._arena = Arena(segment.arena_offset, segment.arena_end)
        self._heads: dict[bytes, _Head] = {}
        self._heads_at: dict[int, bytes] = {}
        self._entries = segment.entries
        self._spilled = 0

    @property
    def sequence(self) -> int:
        """Publishes and purges so far."""
        return self.segment.sequence

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
        for representation in resource.representations:
            mask |= 1 << representation.variant
        # Variant 0 last: its mask announces the others.
        for representation in sorted(resource.representations, key=lambda one: -one.variant):
            if not self._put_one(key, mask, resource.modified, representation, SLOT_LIVE, spill, origin):
                self._delete(key, 0xFFFF)
                self.set_complete(False)
                if counts:
                    self._changed()
                return False
        self._delete(key, ~mask & 0xFFFF)
        if counts:
            self._changed()
        return True

    def set_body(self, path: bytes, variant: int, etag: bytes, body: bytes) -> bool:
        """Takes the *body* of an entry that was put without it into memory; False: no room, or no such entry.

        Does not advance the sequence: nobody sees a difference.
        """
        key = self._key_of(path)
        index, old = self._place(key, variant)
        if index is None or old is None or old.state != SLOT_LIVE or old.body or old.etag != etag:
            return False
        if old.size != len(body) or not body:
            return False
        at = self._allocate(len(body))
        if at is None:
            return False
        self._memory[at : at + len(body)] = body
        self._store(index, old._replace(body=at))
        return True

    def put_template(self, path: bytes, lines_200: bytes, lines_304: bytes) -> bool:
        """An entry that only lends its lines to the answer of a POST; does not advance the sequence."""
        nothing = Representation(0, b"template-no-etag", b"", 0, lines_200, lines_304, b"")
        return self._put_one(self._key_of(path), 1, 0, nothing, SLOT_TEMPLATE, None)

    def remove(self, path: bytes) -> bool:
        """Takes *path* away; whether it was there."""
        removed = self._delete(self._key_of(path), 0xFFFF)
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
            "entries": self._entries,
            "slots": segment.slot_count,
            "load": round(self._entries / segment.slot_count, 4),
            "arena_bytes": self._arena.end - self._arena.begin,
            "arena_free_bytes": self._arena.free_bytes,
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
        given_up = 0
        self._arena = Arena(self.segment.arena_offset, self.segment.arena_end)
        self._heads.clear()
        self._heads_at.clear()
        self._entries = 0
        self.set_complete(False)
        for index in range(self.segment.slot_count):
            slot = self._load(index)
            if slot.state in (SLOT_EMPTY, SLOT_DELETED) and not slot.seq & 1:
                continue
            if slot.seq & 1 or not self._readopt(slot):
                self._store(index, slot._replace(state=SLOT_DELETED, body=0, length=0, head=0))
                given_up += 1
            else:
                self._entries += 1
        self._note_entries()
        self._changed()
        return given_up

    # ---- one slot ----

    def _put_one(
        self,
        key: bytes,
        mask: int,
        modified: int,
        one: Representation,
        state: int,
        spill: Callable[[Representation], None] | None,
        origin: int = 0,
    ) -> bool:
        index, old = self._place(key, one.variant)
        if index is None:
            return False
        head = self._head(one.lines_200, one.lines_304)
        if head is None:
            return False
        body = self._body(one, spill, old)
        slot = _Slot(
            0, state, one.variant, mask, key, one.etag, body, one.length | origin << LENGTH_BITS,
            head.at // GRANULE, modified,
        )  # fmt: skip
        head.users += 1
        self._store(index, slot)
        if old is None:
            self._entries += 1
            self._note_entries()
        else:
            self._let_go(old, keep_body=old.body == body)
        return True

    def _body(
        self, one: Representation, spill: Callable[[Representation], None] | None, old: _Slot | None
    ) -> int:
        """Where the body is from now on; 0: in a blob file."""
        if not one.length or one.body is None:
            return 0
        if old is not None and old.body and old.etag == one.etag and old.size == one.length:
            return old.body
        at = self._allocate(one.length)
        if at is None:
            if spill is not None:
                spill(one)
            self._spilled += 1
            return 0
        self._memory[at : at + one.length] = one.body
        return at

    def _head(self, lines_200: bytes, lines_304: bytes) -> _Head | None:
        if max(len(lines_200), len(lines_304)) > LINES_LIMIT:
            return None
        record = HEAD_RECORD.pack(len(lines_200), len(lines_304)) + lines_200 + lines_304
        head = self._heads.get(record)
        if head is None:
            at = self._allocate(len(record))
            if at is None:
                return None
            self._memory[at : at + len(record)] = record
            head = self._heads[record] = _Head(at, len(record))
            self._heads_at[at] = record
        return head

    def _allocate(self, size: int) -> int | None:
        at = self._arena.allocate(size)
        if at is None and self.reclaim():
            at = self._arena.allocate(size)
        return at

    def _let_go(self, slot: _Slot, keep_body: bool = False) -> None:
        """What *slot* referred to is not reachable through it any more."""
        retired = []
        if slot.body and not keep_body:
            retired.append((slot.body, slot.size))
        record = self._heads_at.get(slot.head * GRANULE)
        if record is not None:
            head = self._heads[record]
            head.users -= 1
            if not head.users:
                del self._heads[record], self._heads_at[head.at]
                retired.append((head.at, head.size))
        if retired:
            epoch = self._stores.advance_epoch()
            for at, size in retired:
                self._arena.retire(at, size, epoch)

    def _delete(self, key: bytes, variants: int) -> int:
        """Deletes those variants of a path; how many there were."""
        count = 0
        for index in self._probe(key):
            slot = self._load(index)
            if slot.state == SLOT_EMPTY:
                break
            if slot.key == key and slot.state in (SLOT_LIVE, SLOT_TEMPLATE) and 1 << slot.variant & variants:
                self._store(index, slot._replace(state=SLOT_DELETED, body=0, length=0, head=0))
                self._let_go(slot)
                self._entries -= 1
                count += 1
                self._trim(index)
        if count:
            self._note_entries()
        return count

    def _trim(self, index: int) -> None:
        """Deleted slots right before an empty one end no probe early: they become empty."""
        if self._load(index + 1 & self._mask).state != SLOT_EMPTY:
            return
        for step in range(_TRIM):
            at = index - step & self._mask
            slot = self._load(at)
            if slot.state != SLOT_DELETED:
                return
            self._store(at, slot._replace(state=SLOT_EMPTY, key=bytes(16)))

    def _place(self, key: bytes, variant: int) -> tuple[int | None, _Slot | None]:
        """The slot to write, and what is in it if that is this entry; (None, None): table full."""
        free = None
        for index in self._probe(key):
            slot = self._load(index)
            if slot.state in (SLOT_LIVE, SLOT_TEMPLATE):
                if slot.key == key and slot.variant == variant:
                    return index, slot
                continue
            if free is None:
                free = index
            if slot.state == SLOT_EMPTY:
                break
        # Never the last empty slots: probes must end somewhere.
        return (free, None) if self._entries < self._mask else (None, None)

    def _probe(self, key: bytes) -> Iterator[int]:
        home = U64.unpack_from(key)[0]
        return (home + probe & self._mask for probe in range(min(MAX_PROBES, self.segment.slot_count)))

    def _load(self, index: int) -> _Slot:
        return _Slot._make(SLOT.unpack_from(self._memory, self.segment.slots_offset + index * SLOT_BYTES))

    def _store(self, index: int, slot: _Slot) -> None:
        self._stores.store_slot(self.segment.slots_offset + index * SLOT_BYTES, SLOT.pack(*slot))

    def _readopt(self, slot: _Slot) -> bool:
        """Recovery: takes the blocks of a slot into the account; False if they cannot be right."""
        at = slot.head * GRANULE
        record = self._heads_at.get(at)
        if record is None:
            record = self._record_at(at)
            if record is None or not self._arena.reserve(at, len(record)):
                return False
            self._heads[record] = _Head(at, len(record))
            self._heads_at[at] = record
        if slot.body and not self._arena.reserve(slot.body, slot.size):
            self._drop_unused(record)
            return False
        self._heads[record].users += 1
        return True

    def _drop_unused(self, record: bytes) -> None:
        head = self._heads[record]
        if not head.users:
            del self._heads[record], self._heads_at[head.at]
            self._arena.free(head.at, head.size)

    def _record_at(self, at: int) -> bytes | None:
        segment = self.segment
        if not segment.arena_offset <= at <= segment.arena_end - HEAD_RECORD.size:
            return None
        of_200, of_304 = HEAD_RECORD.unpack_from(self._memory, at)
        end = at + HEAD_RECORD.size + of_200 + of_304
        if max(of_200, of_304) > LINES_LIMIT or end > segment.arena_end:
            return None
        record = self._memory[at:end]
        return None if record in self._heads else record

    def _changed(self) -> None:
        U64.pack_into(self._memory, OFFSET_SEQUENCE, self.segment.sequence + 1)

    def _note_entries(self) -> None:
        U32.pack_into(self._memory, OFFSET_ENTRIES, self._entries)
