"""The weight that clients draw a node with: computed here from its utilization, and damped.

Clients that all go to the least loaded node overload it, since they all read the same stale
figures.  So a node publishes its *headroom*, 1 - utilization, and a client draws a node at random with
probability in proportion.

How often may clients draw again?  Let N equal nodes carry a load of rho each on average, and let a
fraction a of the clients draw again between two readings of the figures.  If one node has the share
1/N + d of the clients, it publishes 1 - rho - N rho d, and draws the share 1/N - d rho/(1 - rho) of those
who choose again.  Next time its deviation is::

    d' = (1 - a) d - a rho/(1 - rho) d = (1 - a/(1 - rho)) d

which shrinks if and only if **a < 2 (1 - rho)**: at rho = 0.8 at most 40 % may choose again at once.

The published weight is damped: it follows the headroom with the gain g between two readings,
w' = w + g (headroom - w).  The loop then has the characteristic polynomial
``x^2 - (2 - a - g) x + (1 - a)(1 - g) + a g rho/(1 - rho)``, and by Jury's criterion it is stable if and
only if **a g/(a + g) < 1 - rho**: with g = 0.2 even when everybody chooses again every time, up to
rho = 0.83.  (`tests/load/test_weight.py` simulates both bounds, from both sides.)
"""

from __future__ import annotations

import math

#: Time constant of the damping, seconds.  Clients read the figures about every 5 s: g = 0.2.
WEIGHT_SECONDS = 22.4
#: A node that has nothing left is still drawn now and then: its clients must not all move at once.
LEAST_WEIGHT = 0.01


def headroom(utilization: float) -> float:
    """The headroom at *utilization*: what is left, 0..1."""
    return min(1.0, max(0.0, 1.0 - utilization))


def gain(passed: float, seconds: float = WEIGHT_SECONDS) -> float:
    """The part of the way to the headroom, 0..1, that a weight goes in *passed* seconds."""
    return 1.0 - math.exp(-max(0.0, passed) / seconds)


class Weight:
    """The damped weight of one node."""

    def __init__(self, seconds: float = WEIGHT_SECONDS) -> None:
        self._seconds = seconds
        self._at: float | None = None
        self._value = 0.0

    def observe(self, at: float, utilization: float) -> float:
        """The weight at the time *at* (seconds), 0.01..1; the first figure counts at once."""
        target = headroom(utilization)
        if self._at is None:
            self._value = target
        else:
            self._value += gain(at - self._at, self._seconds) * (target - self._value)
        self._at = at
        return max(LEAST_WEIGHT, self._value)
