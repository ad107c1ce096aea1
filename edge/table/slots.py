"""The slots of the table, as its writer has them: linear probing, tombstones.

Each slot is one variant of a path, or of an application's answer.  Every store goes through a seqlock
(:mod:`edge.table.stores`), so readers find the slot before or after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edge.table.layout import (
    GRANULE,
    LENGTH_BITS,
    LENGTH_MASK,
    MAX_PROBES,
    OFFSET_ENTRIES,
    OFFSET_KEY,
    OFFSET_SLOT_DOUBTS,
    OFFSET_STATE,
    SLOT,
    SLOT_ANSWER,
    SLOT_BYTES,
    SLOT_DELETED,
    SLOT_EMPTY,
    SLOT_LIVE,
    SLOT_OTHER,
    SLOT_REDIRECT,
    SLOT_TEMPLATE,
    U32,
    U64,
    WHOLE_U32,
)
from edge.table.segment import Segment
from edge.table.stores import Stores

#: States of slots with an answer of an application; and with anything.
ANSWERS = (SLOT_ANSWER, SLOT_OTHER)
USED = (SLOT_LIVE, SLOT_TEMPLATE, SLOT_REDIRECT, *ANSWERS)


class Slot(NamedTuple):
    """The fields of a slot, in the order of :mod:`edge.table.layout`."""

    seq: int
    state: int
    variant: int
    variants: int
    key: bytes
    etag: bytes
    granule: int
    doubts: int
    length: int
    head: int
    modified: int

    @property
    def body(self) -> int:
        """Segment offset of the body; 0: not in memory."""
        return self.granule * GRANULE

    @property
    def head_at(self) -> int:
        """Segment offset of the head record."""
        return self.head * GRANULE

    @property
    def size(self) -> int:
        """Bytes of the body: *length* without the origin."""
        return self.length & LENGTH_MASK

    @property
    def origin(self) -> int:
        """What of *length* is not the size: who published it; of an answer, the number of its application."""
        return self.length >> LENGTH_BITS

    @property
    def is_answer(self) -> bool:
        """Whether it is of an application's answer."""
        return self.state in ANSWERS

    @property
    def has_record(self) -> bool:
        """Whether a record lies behind the body."""
        return self.is_answer and self.variant == 0


class Slots:
    """All slots of *segment*."""

    def __init__(self, segment: Segment, stores: Stores) -> None:
        self.count = segment.slot_count
        self._memory = segment.memory
        self._offset = segment.slots_offset
        self._mask = self.count - 1
        self._probes = min(MAX_PROBES, self.count)
        self._stores = stores
        self._entries = segment.entries
        #: How many were cleared so far.
        self.cleared = 0

    @property
    def entries(self) -> int:
        """How many are used; readers of the segment see it, too."""
        return self._entries

    @entries.setter
    def entries(self, count: int) -> None:
        self._entries = count
        U32.pack_into(self._memory, OFFSET_ENTRIES, count)

    def load(self, index: int) -> Slot:
        """Slot *index*."""
        return Slot._make(SLOT.unpack_from(self._memory, self._offset + index * SLOT_BYTES))

    def fingerprint(self, index: int) -> int:
        """64 bits of the key of slot *index*; of an empty one, nobody's."""
        return int(U64.unpack_from(self._memory, self._offset + index * SLOT_BYTES + OFFSET_KEY)[0])

    def store(self, index: int, slot: Slot) -> None:
        """Put *slot* in place of slot *index*; readers find the one or the other."""
        self._stores.store_slot(self._offset + index * SLOT_BYTES, SLOT.pack(*slot))

    def set_doubts(self, index: int, doubts: int) -> None:
        """Of an answer: its doubts, and nothing else of it; readers find the ones or the others."""
        WHOLE_U32.pack_into(self._memory, self._offset + index * SLOT_BYTES + OFFSET_SLOT_DOUBTS, doubts)

    def of(self, key: bytes) -> Iterator[tuple[int, Slot]]:
        """All variants under *key*, with their numbers."""
        memory, offset = self._memory, self._offset
        for index in self._probe(key):
            slot = SLOT.unpack_from(memory, offset + index * SLOT_BYTES)
            if slot[1] == SLOT_EMPTY:
                break
            if slot[4] == key and slot[1] in USED:
                yield index, Slot._make(slot)

    def place(self, key: bytes, variant: int) -> tuple[int | None, Slot | None]:
        """The slot to write, and what is in it if that is this entry; (None, None): table full."""
        free = None
        memory, offset = self._memory, self._offset
        for index in self._probe(key):
            slot = SLOT.unpack_from(memory, offset + index * SLOT_BYTES)
            state = slot[1]
            if state in USED:
                if slot[4] == key and slot[2] == variant:
                    return index, Slot._make(slot)
                continue
            if free is None:
                free = index
            if state == SLOT_EMPTY:
                break
        # Never the last empty slots: probes must end somewhere.
        return (free, None) if self._entries < self._mask else (None, None)

    def clear(self, index: int, slot: Slot) -> None:
        """Slot *index*, which is *slot*, is used no longer."""
        self.bury(index, slot)
        self.entries -= 1
        self.cleared += 1
        self._trim(index)

    def bury(self, index: int, slot: Slot) -> None:
        """Leave a tombstone: what lies behind *slot* is still to be found."""
        self.store(index, slot._replace(state=SLOT_DELETED, granule=0, length=0, head=0))

    def _trim(self, index: int) -> None:
        """Deleted slots that no probe for anything that is there passes become empty again.

        Looks at the run around *index*, from its end to its begin.  Without it, what comes and goes would
        fill the table with tombstones, and each question for what is not there would look at all probes.
        """
        memory, offset, mask = self._memory, self._offset, self._mask
        end, last = index, index + self._probes - 1
        while end < last and self._state(end + 1 & mask) != SLOT_EMPTY:
            end += 1
        # Behind a run that goes on, something may be whose probe passes all but what is before *index*.
        known = end if end < last else index
        lowest = end + 1  # where the first probe of all that is behind *at* begins
        for at in range(end, index - self._probes, -1):
            slot_at = offset + (at & mask) * SLOT_BYTES
            state = memory[slot_at + OFFSET_STATE]
            if state == SLOT_EMPTY:
                return
            if state != SLOT_DELETED:
                home = U64.unpack_from(memory, slot_at + OFFSET_KEY)[0]
                lowest = min(lowest, at - (at - home & mask))
            elif at <= known and at < lowest:
                self.store(at & mask, self.load(at & mask)._replace(state=SLOT_EMPTY, key=bytes(16)))

    def _state(self, index: int) -> int:
        return int(self._memory[self._offset + index * SLOT_BYTES + OFFSET_STATE])

    def _probe(self, key: bytes) -> Iterable[int]:
        """The numbers of the slots where *key* may be, the likeliest first."""
        home = U64.unpack_from(key)[0] & self._mask
        if home + self._probes <= self.count:
            return range(home, home + self._probes)
        return (home + probe & self._mask for probe in range(self._probes))
