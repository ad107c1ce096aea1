"""A hybrid logical clock (Kulkarni and others, 2014): orders changes of all nodes, close to real time.

One number of 64 bits: Unix milliseconds in the upper 48, a counter in the lower 16.  It grows with every
change, and is never behind a clock that was heard of; so what was caused by a change is always newer than
it - whatever the dates of the machines are.  A machine whose date is wrong by days or months orders its
changes as well as any other: what it dated ahead is simply gone beyond by the next change of anybody who
has heard of it, itself included once its date is right again.

Only a date that no mistake of a machine explains is not taken: more than :data:`AHEAD_MS` after the date
here, which is taken to be no earlier than the program itself (:data:`OLDEST_MS`: a machine without a battery
begins in 1970).  So nobody can use up the numbers for ever.
"""

from __future__ import annotations

#: Milliseconds that a change may be dated ahead of the date here: ten years.
AHEAD_MS = 10 * 365 * 86_400_000
#: No machine that runs this program has an earlier date (2025-01-01), if it is right.
OLDEST_MS = 1_735_689_600_000
#: A later date (the year 4199) is not this machine's either.
LATEST_MS = 1 << 47


class HybridClock:
    """The hybrid logical clock of one node; *newest*: the highest that was ever given out or heard of."""

    def __init__(self, newest: int = 0) -> None:
        self.newest = newest

    def tick(self, now_ms: int) -> int:
        """The clock of a new change."""
        self.newest = max(min(now_ms, LATEST_MS) << 16, self.newest + 1)
        return self.newest

    def hear(self, clock: int) -> None:
        """*clock*, which is believed, came from another node."""
        self.newest = max(self.newest, clock)


def ahead(clock: int, now_ms: int) -> int:
    """Milliseconds by which *clock* is ahead of what can be believed at *now_ms*; not above 0: it can."""
    return (clock >> 16) - (max(min(now_ms, LATEST_MS), OLDEST_MS) + AHEAD_MS)


def latest_believed(now_ms: int) -> int:
    """The highest clock that can be believed at *now_ms*."""
    return ((max(min(now_ms, LATEST_MS), OLDEST_MS) + AHEAD_MS) << 16) | 0xFFFF
