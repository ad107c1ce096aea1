"""The lanes in which files wait for the schedule, each a queue by priority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import IntEnum
from heapq import heappop, heappush


class Lane(IntEnum):
    """Where files wait; lower ones are more urgent."""

    ASKED = 2
    CHANGE = 3
    BULK = 4
    LARGE = 5
    BETTER = 6


class Lanes:
    """Which files wait, by name: each in one lane at most."""

    def __init__(self) -> None:
        self._heaps: dict[Lane, list[tuple[tuple[int, ...], int, str]]] = {lane: [] for lane in Lane}
        #: By the number of when they came; what stands in a heap with another one is there no longer.
        self._waiting: dict[str, tuple[Lane, int]] = {}
        self._lengths: Counter[Lane] = Counter()
        self._serial = 0

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    def length(self, lane: Lane) -> int:
        """How many wait in *lane*."""
        return self._lengths[lane]

    def put(self, name: str, lane: Lane, key: tuple[int, ...]) -> None:
        """*name* waits in *lane* from now on, behind those whose *key* is less or who came before."""
        self.leave(name)
        self._serial += 1
        self._waiting[name] = lane, self._serial
        self._lengths[lane] += 1
        heappush(self._heaps[lane], (key, self._serial, name))

    def leave(self, name: str) -> None:
        """*name* does not wait any more."""
        lane, _ = self._waiting.pop(name, (None, 0))
        if lane is not None:
            self._lengths[lane] -= 1

    def take(self, lane: Lane) -> Iterator[str]:
        """Those who wait in *lane*, from the most urgent one on; each leaves as it is given."""
        heap = self._heaps[lane]
        while heap:
            _, serial, name = heappop(heap)
            if self._waiting.get(name) == (lane, serial):
                self.leave(name)
                yield name
