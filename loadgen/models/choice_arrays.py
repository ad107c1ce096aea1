"""The choice of a node by many clients at once: ``choice.py`` on arrays whose last axis is the nodes.

Beside single draws there are their distributions: the share of clients that goes to each node.  A test
compares them with the scalar core and with the smart client's own code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loadgen.models.choice_constants import CHOICE

Floats = NDArray[np.float64]


def scores(weights: ArrayLike, expected: ArrayLike, best: ArrayLike, trusts: ArrayLike) -> Floats:
    """What nodes are drawn in proportion to; *expected*: their latency, *best*: the lowest of any."""
    lowest = np.asarray(best, dtype=np.float64)[..., np.newaxis]
    slower = np.maximum(1.0, np.asarray(expected, dtype=np.float64) / (CHOICE.near * lowest))
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
    first: Floats = np.divide(given, total, out=np.zeros_like(given), where=total > 0)
    if cost.min(initial=np.inf) >= cost.max(initial=0.0) / CHOICE.equal:
        return first  # none is so much cheaper that it would be taken instead
    one, other = given[..., :, np.newaxis], given[..., np.newaxis, :]
    rest = total[..., np.newaxis] - one
    both = (one > 0) & (other > 0) & ~np.eye(given.shape[-1], dtype=bool)
    second = np.divide(other, rest, out=np.zeros(both.shape), where=both & (rest > 0))
    cheaper = both & _near(one, other) & (cost[..., np.newaxis, :] < cost[..., :, np.newaxis] / CHOICE.equal)
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
    return np.where(near & (cost[rows, other] < cost[rows, one] / CHOICE.equal), other, one)


def _near(one: Floats, other: Floats) -> NDArray[np.bool_]:
    ratio = np.divide(one, other, out=np.full(np.broadcast(one, other).shape, np.inf), where=other > 0)
    result: NDArray[np.bool_] = (ratio <= CHOICE.equal) & (ratio >= 1 / CHOICE.equal)
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
