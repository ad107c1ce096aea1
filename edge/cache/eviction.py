"""Which stored answers make room: S3-FIFO (Yang et al., SOSP 2023), by bits instead of counters.

Three queues.  What is new enters the *small* one, a tenth of all; who was asked for while it went through it
moves to the *main* one, all others leave, and only a fingerprint of them stays in the *ghost* queue.  Who
comes back from there enters the main queue at once.  Who was asked for while going through the main queue
goes through it again.

Readers never tell us: whether an answer was asked for since it was last looked at is a bit that each worker
sets in memory of its own, and that is read and cleared here, when the answer comes up.

Entries are small numbers, and what is kept of each is in arrays: 9 bytes an entry, and 8 for a fingerprint.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

_NONE, _SMALL, _MAIN = range(3)
#: The small queue's share of all entries, one in this many.
SMALL_SHARE = 10
#: Entries of the main queue that go round before one leaves although it was asked for: a bound on the time
#: taken.
MOST_ROUNDS = 64
_FINGERPRINT = 0xFFFFFFFF


class _Queue:
    """A FIFO of numbers: a doubly linked ring through arrays that all queues share, at an anchor."""

    def __init__(self, anchor: int, before: array[int], after: array[int]) -> None:
        self.anchor = anchor
        self.count = 0
        self._before, self._after = before, after

    def push(self, number: int) -> None:
        """The last one from now on."""
        last = self._before[self.anchor]
        self._before[number], self._after[number] = last, self.anchor
        self._after[last] = self._before[self.anchor] = number
        self.count += 1

    def remove(self, number: int) -> None:
        """Out of the queue, wherever it stands."""
        before, after = self._before[number], self._after[number]
        self._after[before], self._before[after] = after, before
        self.count -= 1

    @property
    def first(self) -> int:
        """The one that has been here longest; the queue is not empty."""
        return self._after[self.anchor]


class Ghosts:
    """Fingerprints of who left unasked for: a direct-mapped table, in which newer ones replace older ones."""

    def __init__(self) -> None:
        self._tags = array("I", [0] * 1024)
        self._times = array("I", [0] * 1024)
        self._now = 0

    def add(self, fingerprint: int, remembered: int) -> None:
        """Remember *fingerprint* (64 bits) while *remembered* others follow it."""
        if remembered > len(self._tags):
            size = 1 << (remembered - 1).bit_length()
            self._tags, self._times = array("I", [0]) * size, array("I", [0]) * size
        self._now = self._now + 1 & _FINGERPRINT
        at = fingerprint & len(self._tags) - 1
        self._tags[at], self._times[at] = fingerprint >> 32, self._now

    def take(self, fingerprint: int, remembered: int) -> bool:
        """Whether *fingerprint* is remembered; it is not from now on."""
        at = fingerprint & len(self._tags) - 1
        known = (
            self._times[at] != 0
            and self._tags[at] == fingerprint >> 32
            and (self._now - self._times[at] & _FINGERPRINT) < remembered
        )
        if known:
            self._times[at] = 0
        return known


class S3Fifo:
    """The order in which entries leave."""

    def __init__(self, was_hit: Callable[[int], bool]) -> None:
        """*was_hit*: whether the entry with that number was asked for since this was called last for it."""
        self._was_hit = was_hit
        # Numbers 0 to 2 are the anchors of the queues: entries begin with 3.
        self._before, self._after = array("I", range(3)), array("I", range(3))
        self._where = bytearray(3)
        self._small = _Queue(_SMALL, self._before, self._after)
        self._main = _Queue(_MAIN, self._before, self._after)
        self._free: array[int] = array("I")
        self._ghosts = Ghosts()

    def __len__(self) -> int:
        return self._small.count + self._main.count

    @property
    def small(self) -> int:
        """Entries in the small queue."""
        return self._small.count

    def add(self, fingerprint: int) -> int:
        """The number of a new entry; *fingerprint*: 64 bits of the hash of its key."""
        if self._free:
            number = self._free.pop()
        else:
            number = len(self._before)
            self._before.append(0)
            self._after.append(0)
            self._where.append(_NONE)
        queue, where = (
            (self._main, _MAIN)
            if self._ghosts.take(fingerprint, max(len(self), 1))
            else (self._small, _SMALL)
        )
        self._where[number] = where
        queue.push(number)
        return number

    def remove(self, number: int) -> None:
        """The entry has gone for another reason; its number is free again."""
        where = self._where[number]
        if where == _NONE:
            return
        (self._small if where == _SMALL else self._main).remove(number)
        self._where[number] = _NONE
        self._free.append(number)

    def evict(self, fingerprint_of: Callable[[int], int]) -> int | None:
        """The number of the entry that leaves; it is free again.  None: there is none."""
        while self._small.count * SMALL_SHARE > len(self):
            number = self._small.first
            if not self._was_hit(number):
                self._ghosts.add(fingerprint_of(number), max(len(self), 1))
                self.remove(number)
                return number
            self._small.remove(number)
            self._where[number] = _MAIN
            self._main.push(number)
        for _ in range(MOST_ROUNDS):
            if not self._main.count:
                break
            number = self._main.first
            if not self._was_hit(number):
                break
            self._main.remove(number)
            self._main.push(number)
        queue = self._main if self._main.count else self._small
        if not queue.count:
            return None
        number = queue.first
        self.remove(number)
        return number
