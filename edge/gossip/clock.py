"""A hybrid logical clock (Kulkarni and others, 2014): orders changes of all nodes, close to real time.

One number of 64 bits: Unix milliseconds in the upper 48, a counter in the lower 16.  It grows with every
change, and is never behind a clock that was heard of; so what was caused by a change is always newer than
it.  A clock that is too far ahead is refused: one node with a wrong date must not win for days.
"""

from __future__ import annotations

from edge.gossip.schema import GossipError

#: Milliseconds that another node's clock may be ahead of ours.
SKEW_MS = 60_000


class SkewError(GossipError):
    """A clock is too far ahead."""


class HybridClock:
    """The hybrid logical clock of one node; *newest*: the highest that was ever given out or heard of."""

    def __init__(self, newest: int = 0, skew_ms: int = SKEW_MS) -> None:
        self.newest = newest
        self._skew_ms = skew_ms

    def tick(self, now_ms: int) -> int:
        """The clock of a new change."""
        self.newest = max(now_ms << 16, self.newest + 1)
        return self.newest

    def hear(self, clock: int, now_ms: int) -> None:
        """*clock* came from another node; :class:`SkewError`."""
        if clock >> 16 > now_ms + self._skew_ms:
            raise SkewError(f"a clock {(clock >> 16) - now_ms} ms ahead of ours")
        self.newest = max(self.newest, clock)
