"""How long users look at a page, as far as connections care: whether one closes before the next request.

A connection that rests for *keep* seconds is closed.  With the survival function S(t) = P(T > t) of the time
between page views, a view needs new connections with probability S(keep), and holds its own for
E[min(T, keep)] = the integral of S from 0 to *keep*.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from loadgen.plan.inputs import Think

#: Intervals of Simpson's rule; in the square root of t, where S has no steep beginning.
_STEPS = 200
#: Share of users that is as good as none.
_NOBODY = 1e-9


def survival(think: Think) -> Callable[[float], float]:
    """P(T > t), for t in seconds."""
    mean, shape, sigma = think.mean_s, think.shape, think.sigma
    if think.kind == "weibull":
        scale = mean / math.gamma(1 + 1 / shape)
        return lambda t: math.exp(-((t / scale) ** shape))
    if think.kind == "lognormal":
        middle = math.log(mean) - sigma * sigma / 2
        return lambda t: 0.5 * math.erfc((math.log(t) - middle) / (sigma * math.sqrt(2))) if t > 0 else 1.0
    if think.kind == "exponential":
        return lambda t: math.exp(-t / mean)
    return lambda t: 1.0 if t < mean else 0.0


def held(think: Think, keep: float) -> float:
    """E[min(T, *keep*)], seconds."""
    if think.kind == "constant":
        return min(think.mean_s, keep)
    alive = survival(think)
    end = think.mean_s
    while end < keep and alive(end) > _NOBODY:
        end *= 2
    keep = min(keep, end)
    step = math.sqrt(keep) / _STEPS
    weights = (1, *(4 if number % 2 else 2 for number in range(1, _STEPS)), 1)
    total = sum(
        weight * alive((number * step) ** 2) * 2 * number * step for number, weight in enumerate(weights)
    )
    return min(total * step / 3, think.mean_s)
