"""Distributions fitted by maximum likelihood, and how far from the data each is.

The distance is Kolmogorov's: the greatest difference of both distribution functions, 0..1.  With many data
no simple law is "accepted" by a test; the distance and the quantiles say what the difference means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from loadgen.models.think import Think, survival
from loadgen.record.intervals import Floats, Intervals

#: Below so many intervals, or views, a fit is noise.
LEAST = 20
#: What scenarios take.
_SHAPES, _SIGMAS = (0.1, 10.0), (0.01, 10.0)
#: Ninth decile over first: below it, all are one.
_CONSTANT = 1.1


class ThinkFit(NamedTuple):
    """A distribution of think times, and its Kolmogorov distance from the data."""

    think: Think
    distance: float


def think_fits(intervals: Intervals) -> list[ThinkFit]:
    """All kinds that scenarios know, nearest first; [] when there are too few data."""
    if intervals.count < LEAST:
        return []
    middles, borders, counts = intervals.binned()
    share = counts / counts.sum()
    logs = np.log(middles)
    mean, mean_log = float(share @ middles), float(share @ logs)
    spread = math.sqrt(max(0.0, float(share @ (logs - mean_log) ** 2)))
    sigma = min(max(spread, _SIGMAS[0]), _SIGMAS[1])
    shape = _weibull_shape(middles, logs, share, mean_log)
    scale = float(share @ middles**shape) ** (1 / shape)
    made = [
        Think(kind="weibull", mean_s=_mean(scale * math.gamma(1 + 1 / shape)), shape=shape),
        Think(kind="lognormal", mean_s=_mean(math.exp(mean_log + sigma**2 / 2)), sigma=sigma),
        Think(kind="exponential", mean_s=_mean(mean)),
    ]
    if intervals.quantile(0.9) < _CONSTANT * intervals.quantile(0.1):
        made.append(Think(kind="constant", mean_s=_mean(mean)))
    fits = [ThinkFit(think, _distance(think, borders, share)) for think in made]
    # All of one length: no distance of a step from another one says anything.
    return sorted(fits, key=lambda fit: (fit.think.kind != "constant", fit.distance))


def _mean(seconds: float) -> float:
    return min(max(seconds, 1e-3), 1e9)


def _weibull_shape(middles: Floats, logs: Floats, share: Floats, mean_log: float) -> float:
    """The root of the likelihood equation, which rises with the shape."""

    def excess(shape: float) -> float:
        # By the greatest, so that no power overflows.
        powers = share * np.exp(shape * (logs - logs[-1]))
        return float(powers @ logs / powers.sum()) - 1 / shape - mean_log

    return _root(excess, *_SHAPES)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where the rising *function* is 0, or the border nearer to it."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


def _distance(think: Think, borders: Floats, share: Floats) -> float:
    alive = survival(think)
    model = np.array([1 - alive(float(border)) for border in borders])
    data = np.cumsum(share)
    # Between two bins that have some the data's function is flat; both ends of it count.
    lower = np.array([1 - alive(float(border) / 1.02) for border in borders])
    return float(max(np.abs(data - model).max(), np.abs(data - share - lower).max()))


def quantile(think: Think, share: float) -> float:
    """The seconds that a think time does not exceed with probability *share*."""
    alive = survival(think)
    return math.exp(_root(lambda log: (1 - share) - alive(math.exp(log)), math.log(1e-4), math.log(1e9)))


def page_count_distance(counts: Mapping[int, int], mean: float) -> float:
    """Kolmogorov distance of counts of page views by session from the geometric law with this *mean*."""
    total, so_far, most = sum(counts.values()), 0, 0.0
    for number in sorted(counts):
        before = 1 - (1 - 1 / mean) ** (number - 1)
        most = max(most, abs(so_far / total - before))
        so_far += counts[number]
        most = max(most, abs(so_far / total - (1 - (1 - 1 / mean) ** number)))
    return most


def zipf_exponent(views: Sequence[int]) -> float:
    """The exponent of Zipf's law for pages viewed so often, most first; 0: all alike."""
    if len(views) < 2:
        return 0.0
    counts = np.array(views, dtype=np.float64)
    logs = np.log(np.arange(1, len(views) + 1, dtype=np.float64))
    mean_log = float(counts @ logs / counts.sum())

    def excess(exponent: float) -> float:
        weights = np.exp(-exponent * logs)
        return mean_log - float(weights @ logs / weights.sum())

    return _root(excess, 0.0, 10.0) if excess(0.0) < 0 else 0.0


def zipf_shares(count: int, exponent: float) -> Floats:
    """Shares of views that the first 1, 2, ... *count* pages have together, by Zipf's law."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    shares: Floats = np.cumsum(weights) / weights.sum()
    return shares
