"""The difference of two series of seconds, with a confidence interval that holds for seconds that depend.

A second that is slow is followed by slow ones, so the seconds of a run are fewer than they look: their
**effective number** is n (1 - r) / (1 + r), with r the correlation of neighbours (Zwiers and von Storch,
1995; r corrected for its bias in short series).  The variance of the mean is that of the seconds over this
number, or that of the means of blocks of sqrt(n) seconds, whichever is greater; the degrees of freedom are
the fewer of both.

Two runs of **one plan** (scenario, users, seed, length) are compared second by second: what the plan itself
does in a second, both have.  Others are compared by their means (Welch).  The interval is Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadgen.compare.student import two_sided

#: Seconds that each run has to have, and effective ones, for anything to be said.
LEAST_SECONDS, LEAST_EFFECTIVE = 20, 6.0

Floats = NDArray[np.float64]


class Difference(NamedTuple):
    """B less A, and the interval in which it is with the confidence asked for."""

    estimate: float
    low: float
    high: float

    @property
    def is_shown(self) -> bool:
        """Whether 0, no difference, is outside of the interval."""
        return self.low > 0 or self.high < 0


class _Mean(NamedTuple):
    mean: float
    #: Of the mean.
    variance: float
    freedom: float


def difference(
    one: Sequence[float], other: Sequence[float], confidence: float, paired: bool, rare: float = 0.0
) -> Difference | None:
    """*other* less *one*; None: too few seconds to tell.

    *paired*: place by place.  *rare*: the share of seconds, on each side, that count as the one next to them
    (winsorized): a stall now and then is not what the others are.
    """
    a, b = np.array(one, dtype=np.float64), np.array(other, dtype=np.float64)
    if min(len(a), len(b)) < LEAST_SECONDS:
        return None
    if paired:
        return _interval(_mean(_winsorized(b - a, rare)), confidence)
    first, second = _mean(_winsorized(a, rare)), _mean(_winsorized(b, rare))
    if first is None or second is None:
        return None
    variance = first.variance + second.variance
    parts = first.variance**2 / first.freedom + second.variance**2 / second.freedom
    freedom = variance**2 / parts if parts else first.freedom
    return _interval(_Mean(second.mean - first.mean, variance, freedom), confidence)


def _winsorized(values: Floats, rare: float) -> Floats:
    low, high = np.quantile(values, (rare, 1 - rare))
    return np.clip(values, low, high)


def _interval(found: _Mean | None, confidence: float) -> Difference | None:
    if found is None:
        return None
    half = two_sided(1 - confidence, max(3.0, found.freedom)) * math.sqrt(found.variance)
    return Difference(found.mean, found.mean - half, found.mean + half)


def _mean(values: Floats) -> _Mean | None:
    """The mean of seconds that depend on each other; None: they are too few, effectively."""
    count = len(values)
    mean = float(values.mean())
    away = values - mean
    spread = float(away @ away)
    if not spread:
        return _Mean(mean, 0.0, count - 1.0)
    found = float(away[:-1] @ away[1:]) / spread
    # Kendall's bias of the estimate, to first order.
    correlation = min(max(0.0, found + (1 + 4 * found) / count), 0.99)
    effective = count * (1 - correlation) / (1 + correlation)
    if effective < LEAST_EFFECTIVE:
        return None
    variance, freedom = spread / (count - 1) / effective, effective - 1
    size = math.isqrt(count)
    blocks = values[: count // size * size].reshape(-1, size).mean(axis=1)
    of_blocks = float(blocks.var(ddof=1)) / len(blocks)
    return _Mean(mean, max(variance, of_blocks), min(freedom, len(blocks) - 1.0))
