"""Which node a client goes to: the formulas of ``webroot/edge/worker/nodes.js``, for many clients at once,
and the policies that it is compared with.

Pure arithmetic on arrays whose last axis is the nodes.  A test runs the original beside it and compares every
number.  Times are seconds; latencies have any unit, as long as it is the same.

==============  ==================================================================================
smart           stays with its node; draws another by weight, latency and trust, rarely
least-loaded    the lowest published utilization, each time
two-choices     two nodes at random, the one with the lower published utilization, each time
random          any, each time
one             always the first
==============  ==================================================================================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

POLICIES = ("smart", "least-loaded", "two-choices", "random", "one")

#: Slower than the fastest by less than this factor counts as equally fast.
NEAR = 1.5
#: Slower by more than this: not to be stayed with.
SLOW = 3.0
#: No node is better than this: less is noise.
LEAST_MS = 10.0
#: Scores within this factor are near-equal.
EQUAL = 1.25
#: Bounds of the share of clients that draws again within one period.
LEAST_REDRAW, MOST_REDRAW = 0.02, 0.5
#: Failures in a row that eject a node; for how long the first time, and at most.
ERRORS = 2
EJECT_S, EJECT_MOST_S = 5.0, 120.0
#: A node that was ejected gets its full share again after this long.
RETURN_S = 15.0
#: What a node that returns gets of its share at once.
RETURN_SHARE = 0.1

Floats = NDArray[np.float64]


def redraw_share(utilizations: ArrayLike, weights: ArrayLike) -> float:
    """The fraction of clients that draws again within one period (ttl) of the load document."""
    used = np.asarray(utilizations, dtype=np.float64)[np.asarray(weights) > 0]
    rho = float(used.sum()) / max(1, len(used))
    return min(MOST_REDRAW, max(LEAST_REDRAW, (1 - rho) / 2))


def trust(until: ArrayLike, now: ArrayLike) -> Floats:
    """Of a node whose last ejection ends at *until* (0: none was): 0 while ejected, then slowly back to 1."""
    end, at = np.asarray(until, dtype=np.float64), np.asarray(now, dtype=np.float64)
    back = np.minimum(1.0, RETURN_SHARE + (1 - RETURN_SHARE) * (at - end) / RETURN_S)
    return np.where(end == 0, 1.0, np.where(at < end, 0.0, back))


def scores(weights: ArrayLike, expected: ArrayLike, best: ArrayLike, trusts: ArrayLike) -> Floats:
    """What nodes are drawn in proportion to; *expected*: their latency, *best*: the lowest of any."""
    lowest = np.asarray(best, dtype=np.float64)[..., np.newaxis]
    slower = np.maximum(1.0, np.asarray(expected, dtype=np.float64) / (NEAR * lowest))
    result: Floats = np.asarray(weights, dtype=np.float64) * np.asarray(trusts) / (slower * slower)
    return result


def draw(of: ArrayLike, at: ArrayLike) -> NDArray[np.intp]:
    """A place, with probability proportional to what is there; *at*: 0 <= number < 1; -1: all are 0."""
    given = np.asarray(of, dtype=np.float64)
    steps = np.cumsum(given, axis=-1)
    total = steps[..., -1:]
    place = np.sum(steps <= np.asarray(at, dtype=np.float64)[..., np.newaxis] * total, axis=-1)
    # Rounding can lead beyond the last place that has anything.
    last = given.shape[-1] - 1 - np.argmax(given[..., ::-1] > 0, axis=-1)
    return np.where(total[..., 0] > 0, np.minimum(place, last), -1)


def shares(of: ArrayLike, costs: ArrayLike) -> Floats:
    """The probability that each node is the better of two drawn ones.

    The second is drawn among the others; it is taken if the scores *of* both are near-equal and its cost,
    latency times requests on the way, is lower by more than that factor.  All 0: nobody is drawn.
    """
    given, cost = np.asarray(of, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    total = given.sum(axis=-1, keepdims=True)
    first = np.divide(given, total, out=np.zeros_like(given), where=total > 0)
    one, other = given[..., :, np.newaxis], given[..., np.newaxis, :]
    rest = total[..., np.newaxis] - one
    both = (one > 0) & (other > 0) & ~np.eye(given.shape[-1], dtype=bool)
    second = np.divide(other, rest, out=np.zeros(both.shape), where=both & (rest > 0))
    cheaper = both & _near(one, other) & (cost[..., np.newaxis, :] < cost[..., :, np.newaxis] / EQUAL)
    moved = np.where(cheaper, first[..., :, np.newaxis] * second, 0.0)
    # Rounding may leave a node that gives all of its share with less than nothing.
    result: Floats = np.maximum(0.0, first - moved.sum(axis=-1) + moved.sum(axis=-2))
    return result


def better_of_two(
    of: ArrayLike, costs: ArrayLike, one_at: ArrayLike, other_at: ArrayLike
) -> NDArray[np.intp]:
    """The drawn one itself, see :func:`shares`, by two random numbers."""
    given, cost = np.atleast_2d(np.asarray(of, dtype=np.float64)), np.atleast_2d(costs)
    one = draw(given, np.atleast_1d(one_at))
    rows = np.arange(len(given))
    rest = given.copy()
    rest[rows, one] = 0.0
    other = np.asarray(draw(rest, np.atleast_1d(other_at)))
    first, second = given[rows, one], rest[rows, other]
    near = (other >= 0) & _near(first, second)
    return np.where(near & (cost[rows, other] < cost[rows, one] / EQUAL), other, one)


def _near(one: Floats, other: Floats) -> NDArray[np.bool_]:
    ratio = np.divide(one, other, out=np.full(np.broadcast(one, other).shape, np.inf), where=other > 0)
    result: NDArray[np.bool_] = (ratio <= EQUAL) & (ratio >= 1 / EQUAL)
    return result


def policy_shares(policy: str, weights: ArrayLike, utilizations: ArrayLike) -> Floats:
    """The share of requests that each node gets from clients that choose each time, by published figures."""
    weight, used = np.asarray(weights, dtype=np.float64), np.asarray(utilizations, dtype=np.float64)
    count = weight.shape[-1]
    if policy == "random":
        return np.full(count, 1 / count)
    if policy == "one":
        return np.where(np.arange(count) == 0, 1.0, 0.0)
    # Nodes that are not to be chosen come last, whatever their utilization.
    order = np.lexsort((used, weight <= 0))
    ranks = np.empty(count, dtype=np.int64)
    ranks[order] = np.arange(count)
    if policy == "least-loaded":
        return np.asarray(ranks == 0, dtype=np.float64)
    # Of all pairs, the node of rank r is the better of those with the nodes behind it.
    pairs = 2 * (count - 1 - ranks) / (count * (count - 1)) if count > 1 else [1.0]
    return np.asarray(pairs, dtype=np.float64)
