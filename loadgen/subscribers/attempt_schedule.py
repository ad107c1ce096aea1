"""The schedule of connection attempts: rate-limited, with exponential backoff and jitter.

Pure: times and random numbers come from outside.

New subscribers go to the nodes in turn, not more than so many a second.  One that is lost tries another node
after a while that doubles with each failure, as the smart client does; and all of them together are not tried
faster than that either, so that a node that comes back is not run over.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

#: Nanoseconds before the first new try and at most, before jitter (a factor of 0.5 to 1.5).
FIRST_NS, MOST_NS = 50_000_000, 10_000_000_000
#: What was not tried in time is made up for, but not more than that at once.
BURST_NS = 20_000_000
#: A time that never comes.
NEVER = 1 << 62


class Attempt(NamedTuple):
    """An attempt to be made now."""

    node: int
    #: Tries that have failed since this one was last connected.
    failures: int


class AttemptSchedule:
    """The attempts of one process that are to be made."""

    def __init__(self, random: Callable[[], float]) -> None:
        """*random*: 0 <= x < 1."""
        self._random = random
        self._nodes = 0
        self._turn = 0
        self._fresh = 0
        self._pause_ns = 1_000_000
        self._free_ns = 0
        #: (when, failures, the node that was lost)
        self._again: list[tuple[int, int, int]] = []

    @property
    def waiting(self) -> int:
        """How many attempts are not made yet."""
        return self._fresh + len(self._again)

    def want(self, count: int, nodes: int, per_second: float) -> None:
        """*count* more, on *nodes* nodes; from now on *per_second* attempts of any kind."""
        self._fresh += count
        self._nodes = nodes
        self._pause_ns = max(1, int(1e9 / per_second))

    def lost(self, node: int, failures: int, now_ns: int) -> None:
        """A subscriber lost *node*, or did not get it, for the *failures*-th time in a row (from 1)."""
        pause = min(MOST_NS, FIRST_NS << min(failures - 1, 20))
        heappush(self._again, (now_ns + int(pause * (0.5 + self._random())), failures, node))

    def due(self) -> int:
        """When there is something to do."""
        if self._fresh:
            return self._free_ns
        return max(self._free_ns, self._again[0][0]) if self._again else NEVER

    def take(self, now_ns: int, most: int) -> list[Attempt]:
        """The attempts to be made now, at most so many."""
        attempts: list[Attempt] = []
        self._free_ns = max(self._free_ns, now_ns - BURST_NS)
        while len(attempts) < most and self.due() <= now_ns:
            self._free_ns += self._pause_ns
            if self._again and self._again[0][0] <= now_ns:
                _, failures, lost = heappop(self._again)
                attempts.append(Attempt(self._other(lost), failures))
            else:
                self._fresh -= 1
                attempts.append(Attempt(self._turn % self._nodes, 0))
                self._turn += 1
        return attempts

    def _other(self, lost: int) -> int:
        """Any node but *lost*, if there is another."""
        if self._nodes == 1:
            return 0
        return (lost + 1 + int(self._random() * (self._nodes - 1))) % self._nodes
