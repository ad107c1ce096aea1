"""Suspicion timeouts: how long a suspected member has to refute.  Lifeguard's dynamic suspicion.

(Dadgar, Phillips, Currey: "Lifeguard: Local Health Awareness for More Accurate Failure Detection", 2018.)
The first suspicion of a node gets a long time, *highest*; each further accuser, who found the same by
probes of its own, shortens it, until after *expected* of them it is *lowest*::

    timeout = max(lowest, highest - (highest - lowest) log(c + 1) / log(expected + 1))

So a single node with a bad link needs long to kill anybody, and a real crash, which all see, is a matter of
the lowest time.
"""

from __future__ import annotations

import math


class Suspicion:
    """The suspicion of one member, from the time *at*, and who confirmed it."""

    __slots__ = ("_accusers", "_expected", "_highest", "_lowest", "at")

    def __init__(self, at: float, accuser: str, lowest: float, highest: float, expected: int) -> None:
        self.at = at
        self._accusers = {accuser}
        self._lowest = lowest
        self._highest = highest if expected > 0 else lowest
        self._expected = expected

    def confirm(self, accuser: str) -> bool:
        """Another accuser; whether it is a new one that still counts."""
        if accuser in self._accusers or len(self._accusers) > self._expected:
            return False
        self._accusers.add(accuser)
        return True

    @property
    def deadline(self) -> float:
        """When it becomes a death."""
        if self._expected <= 0:
            return self.at + self._lowest
        confirmed = len(self._accusers) - 1
        share = math.log(confirmed + 1) / math.log(self._expected + 1)
        return self.at + max(self._lowest, self._highest - (self._highest - self._lowest) * share)
