"""The choice of a node by one client: weighted random, the better of two, outlier ejection, peak EWMA.

These are the rules of ``webroot/edge/worker/nodes.js`` and ``latency.js``, one client at a time; a test runs
the originals beside them and compares every number.  ``choice_arrays.py`` has the same for many clients at
once.  Times are seconds; latencies have any unit, as long as it is the same.

==============  ==================================================================================
smart           stays with its node; draws another by weight, latency and trust, rarely
least-loaded    the lowest published utilization, each time
two-choices     two nodes at random, the one with the lower published utilization, each time
random          any, each time
one             always the first
==============  ==================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from loadgen.models.choice_constants import CHOICE

POLICIES = ("smart", "least-loaded", "two-choices", "random", "one")

LEAST_MS = CHOICE.least_ms
SLOW = CHOICE.slow
_TAU_S, _FORGIVE_S = CHOICE.tau_ms / 1000, CHOICE.forgive_ms / 1000
_EJECT_S, _EJECT_MOST_S = CHOICE.eject_ms / 1000, CHOICE.eject_most_ms / 1000
_RETURN_S = CHOICE.return_ms / 1000


# ---- latencies ----


def observed(average: float, latency: float, since_s: float) -> float:
    """The peak EWMA *average* after one more *latency*, *since_s* after the last: up at once, down slowly."""
    if latency >= average:
        return latency
    keep = math.exp(-max(0.0, since_s) / _TAU_S)
    return average * keep + latency * (1 - keep)


def expected(average: float, best: float, since_s: float) -> float:
    """The latency to expect: the *average*, relaxing towards *best* while nobody looks, for *since_s* now."""
    if average <= best:
        return best
    return best + (average - best) * math.exp(-max(0.0, since_s) / _FORGIVE_S)


def risen_floor(floor: float, average: float, latency: float) -> float:
    """The least latency seen, after one more answer; it may rise again, slowly."""
    return min(floor * CHOICE.floor_rise, average, latency)


def is_slow(latency: float, best: float) -> bool:
    """Whether a node with this expected *latency* is not to be stayed with."""
    return latency > SLOW * best


# ---- outlier ejection ----


class OutlierEjection:
    """The outlier ejection of one node by one client: failures in a row, how often, until when (seconds)."""

    __slots__ = ("ejections", "errors", "until")

    def __init__(self) -> None:
        self.errors = self.ejections = 0
        #: The end of the last ejection; 0: there was none.
        self.until = 0.0

    def failed(self, now: float, random: Callable[[], float]) -> None:
        """No answer, or 5xx; *random*: 0 <= number < 1."""
        self.errors += 1
        returning = 0 < self.until <= now
        if now < self.until or (self.errors < CHOICE.errors and not returning):
            return
        self.ejections += 1
        lasts = min(_EJECT_MOST_S, _EJECT_S * 2 ** (self.ejections - 1))
        self.until = now + lasts * (CHOICE.eject_least + random() * CHOICE.eject_spread)

    def answered(self, now: float) -> bool:
        """An answer came; whether all is forgotten."""
        self.errors = 0
        return now > self.until + _RETURN_S

    def trust(self, now: float) -> float:
        """0 while ejected, then slowly back to 1."""
        return trust(self.until, now)


def trust(until: float, now: float) -> float:
    """Of a node whose last ejection ends at *until* (0: none was): its share of what it would get."""
    if not until:
        return 1.0
    if now < until:
        return 0.0
    return min(1.0, CHOICE.return_share + (1 - CHOICE.return_share) * (now - until) / _RETURN_S)


# ---- drawing ----


def redraw_share(utilizations: Iterable[float], weights: Iterable[float]) -> float:
    """The fraction of clients that draws again within one period (ttl) of the load document."""
    used = [float(one) for one, weight in zip(utilizations, weights, strict=True) if weight > 0]
    headroom = 1 - sum(used) / max(1, len(used))
    return min(CHOICE.redraw_most, max(CHOICE.redraw_least, headroom * CHOICE.redraw))


def scores(
    weights: Sequence[float], latencies: Sequence[float], best: float, trusts: Sequence[float]
) -> list[float]:
    """What nodes are drawn in proportion to; *latencies*: expected ones, *best*: the lowest of any."""
    found = []
    for weight, latency, trusted in zip(weights, latencies, trusts, strict=True):
        slower = max(1.0, latency / (CHOICE.near * best))
        found.append(weight * trusted / (slower * slower))
    return found


def draw(given: Sequence[float], at: float) -> int:
    """A place, with probability proportional to what is there; *at*: 0 <= number < 1; -1: all are 0."""
    rest, last = at * sum(given), -1
    for place, score in enumerate(given):
        if score > 0:
            last = place
            rest -= score
            if rest < 0:
                break
    return last


def better_of_two(given: Sequence[float], costs: Sequence[float], one_at: float, other_at: float) -> int:
    """Draws two, by the scores *given*, and takes the cheaper if they are near-equal; -1: all scores are 0.

    *costs*: latency times requests on the way; the other is taken if it is cheaper by more than the factor
    that counts as equal.
    """
    one = draw(given, one_at)
    if one < 0:
        return -1
    other = draw([0.0 if place == one else score for place, score in enumerate(given)], other_at)
    if other < 0:
        return one
    near = 1 / CHOICE.equal <= given[one] / given[other] <= CHOICE.equal
    return other if near and costs[other] < costs[one] / CHOICE.equal else one
