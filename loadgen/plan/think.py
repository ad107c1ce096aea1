"""How long users look at a page, as far as connections care: whether one closes before the next request.

A connection that rests for *keep* seconds is closed.  With the survival function S(t) = P(T > t) of the time
between page views, a view needs new connections with probability S(keep), and holds its own for
E[min(T, keep)] = the integral of S from 0 to *keep*.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from loadgen.plan.inputs import Think

#: The integral is taken over halves, quarters, eighths ... of the whole: where S falls, steps are small.
_HALVES = 40
#: Intervals of Simpson's rule in each.
_STEPS = 8


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
    total = 0.0
    for _ in range(_HALVES):
        keep, end = keep / 2, keep
        total += _simpson(alive, keep, end)
    return min(total + keep, think.mean_s)


def _simpson(alive: Callable[[float], float], begin: float, end: float) -> float:
    step = (end - begin) / _STEPS
    inner = sum(alive(begin + number * step) * (4 if number % 2 else 2) for number in range(1, _STEPS))
    return (alive(begin) + inner + alive(end)) * step / 3
