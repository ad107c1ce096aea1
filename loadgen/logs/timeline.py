"""Entries in the order of their times, from 0 on, whatever the clock of the server did (sans-IO).

Lines are written when an answer ends, so they stand a little out of order: a heap puts entries right that
are within :data:`WINDOW_S` of each other.  An entry further away is waited with until :data:`FEW` in a row
are: then the clock was set, or nobody came for long, and time goes on from there; fewer are lines with a
wrong time, and left out.  So neither a line from the year 2099 nor a clock that was set back costs more.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from loadgen.logs.account import Account
from loadgen.logs.entries import Entry

#: How far a line may stand behind others; how long nobody may come; both in seconds.
WINDOW_S, GAP_S = 60.0, 3600.0
#: So many in a row are no mistake of a line.
FEW = 8
#: Entries that are held to be put right.
MOST = 50_000


class Timeline:
    """Feed it entries with the place of their line, take them with the seconds since the first."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._heap: list[tuple[float, int, Entry]] = []
        self._away: deque[tuple[Entry, str]] = deque()
        self._number = 0
        #: The newest time of the log; what is added to times; the last one that was given out.
        self._newest: float | None = None
        self._shift = 0.0
        self._last = 0.0

    def add(self, entry: Entry, place: str) -> Iterator[tuple[float, Entry]]:
        """Take *entry*; those whose turn has come."""
        if self._newest is None:
            self._newest, self._shift = entry.at, -entry.at
        if not self._is_near(entry.at):
            self._away.append((entry, place))
            if len(self._away) < FEW:
                return
            self._jump()
        else:
            while self._away:
                _, where = self._away.popleft()
                self._account.skip("its time is far from that of the lines around it", where)
            self._take(entry)
        yield from self._due()

    def end(self) -> Iterator[tuple[float, Entry]]:
        """All that is left."""
        while self._away:
            self._jump()
        yield from self._due(at_end=True)

    def _is_near(self, at: float) -> bool:
        assert self._newest is not None
        return self._newest - WINDOW_S <= at <= self._newest + GAP_S

    def _jump(self) -> None:
        """Go on from the first of the entries that are away; the others follow, or are away again."""
        away = list(self._away)
        self._away.clear()
        (first, place), *rest = away
        assert self._newest is not None
        step = first.at - self._newest
        self._shift -= step - GAP_S if step > 0 else step
        self._newest = first.at
        if step > 0:
            self._account.note(
                f"{place}: nobody came for {step / 3600:.1f} h before it, or the clock was set; "
                f"{GAP_S / 3600:.0f} h of that is kept"
            )
        else:
            self._account.note(f"{place}: the clock was set back by {-step:.0f} s; time goes on from there")
        self._take(first)
        for entry, where in rest:
            if self._is_near(entry.at) and not self._away:
                self._take(entry)
            else:
                self._away.append((entry, where))

    def _take(self, entry: Entry) -> None:
        assert self._newest is not None
        self._newest = max(self._newest, entry.at)
        self._number += 1
        heapq.heappush(self._heap, (entry.at + self._shift, self._number, entry))

    def _due(self, at_end: bool = False) -> Iterator[tuple[float, Entry]]:
        assert self._newest is not None or not self._heap
        until = (self._newest or 0.0) + self._shift - WINDOW_S
        while self._heap and (at_end or self._heap[0][0] <= until or len(self._heap) > MOST):
            at, _, entry = heapq.heappop(self._heap)
            self._last = max(self._last, at)
            yield self._last, entry
