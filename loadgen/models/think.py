"""The distribution of think times T, the seconds between page views of a session, and what follows from it.

With the survival function S(t) = P(T > t): a connection that is closed after *keep* seconds of rest is gone
at the next view with probability S(keep), and is open for E[min(T, keep)], the integral of S from 0 to
*keep*.  Who refreshes something at the first view at which it is *ttl* seconds old does so at one of E[N]
views, where N is the number of think times until their sum reaches *ttl*: E[N] = 1 + M(ttl), with the renewal
function M of T (Cox, Renewal Theory, section 4.1).  A session that goes on after each view with probability p
often ends before that: then it is (1 / (1 + M) - (1 - p)) / p, with the sum M of p^k P(T1 + ... + Tk < ttl).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Annotated, Literal, Protocol

import msgspec
import numpy as np
from msgspec import Meta
from numpy.random import Generator
from numpy.typing import NDArray

#: The integral is taken over halves, quarters, eighths ... of the whole: where S falls, steps are small.
_HALVES = 40
#: Intervals of Simpson's rule in each.
_STEPS = 8
#: Points of the renewal function.
_RENEWALS = 200


class ThinkTimes(Protocol):
    """What names a distribution; lognormal's *sigma* is the standard deviation of the logarithm."""

    @property
    def kind(self) -> str:
        """``weibull``, ``lognormal``, ``exponential`` or ``constant``."""

    @property
    def mean_s(self) -> float:
        """E[T], seconds."""

    @property
    def shape(self) -> float:
        """Weibull's k."""

    @property
    def sigma(self) -> float:
        """A lognormal's standard deviation of the logarithm."""


class Think(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Think time as scenarios and simulations name it: seconds between page views of a session."""

    #: Their distribution.
    kind: Literal["weibull", "lognormal", "exponential", "constant"] = "weibull"
    #: On average.
    mean_s: Annotated[float, Meta(gt=0, le=1e9)] = 20.0
    #: Weibull's k: below 1, many short ones and a few very long ones (Liu, White, Dumais: 0.6 to 0.8).
    shape: Annotated[float, Meta(ge=0.1, le=10)] = 0.8
    #: Lognormal's standard deviation of the logarithm.
    sigma: Annotated[float, Meta(gt=0, le=10)] = 1.0


def sample(think: ThinkTimes, random: Generator, count: int) -> NDArray[np.float64]:
    """*count* independent think times, seconds."""
    mean = think.mean_s
    if think.kind == "weibull":
        return mean / math.gamma(1 + 1 / think.shape) * random.weibull(think.shape, count)
    if think.kind == "lognormal":
        return random.lognormal(math.log(mean) - think.sigma**2 / 2, think.sigma, count)
    if think.kind == "exponential":
        return random.exponential(mean, count)
    return np.full(count, mean)


def survival(think: ThinkTimes) -> Callable[[float], float]:
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


def held(think: ThinkTimes, keep: float) -> float:
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


def refresh_share(think: ThinkTimes, ttl: float, stay: float = 1.0) -> float:
    """Of views a think time apart, those that find something *ttl* seconds old and refresh it.

    It is new at the first view, which is not among them; *stay*: P(a view is not the last one).
    """
    return _refresh_share(think.kind, think.mean_s, think.shape, think.sigma, ttl, stay)


@functools.lru_cache(maxsize=4096)
def _refresh_share(kind: str, mean: float, shape: float, sigma: float, ttl: float, stay: float) -> float:
    if not stay:
        return 0.0
    if kind == "constant":
        steps = max(1, math.ceil(ttl / mean - 1e-9))
        return (1 / sum(stay**step for step in range(steps)) - (1 - stay)) / stay
    think = Think(kind=kind, mean_s=mean, shape=shape, sigma=sigma)  # type: ignore[arg-type]
    if kind == "exponential":
        often = -math.expm1(-(1 - stay) * ttl / mean) / (1 - stay) if stay < 1 else ttl / mean
        renewals = stay * often
    else:
        renewals = _renewal(survival(think), ttl, stay)
    return (1 / (1 + renewals) - (1 - stay)) / stay


def _renewal(alive: Callable[[float], float], end: float, stay: float) -> float:
    """M(*end*) by sums of Riemann and Stieltjes (Xie, On the solution of renewal-type equations, 1989)."""
    step = end / _RENEWALS
    at_points = [stay * (1 - alive(number * step)) for number in range(_RENEWALS + 1)]
    #: F in the middles of the steps, the first first; with *stay*, as above.
    at_middles = np.array([stay * (1 - alive((number + 0.5) * step)) for number in range(_RENEWALS)])
    found = np.zeros(_RENEWALS + 1)
    for number in range(1, _RENEWALS + 1):
        risen = np.diff(found[:number])
        before = float(risen @ at_middles[number - 1 : 0 : -1]) if number > 1 else 0.0
        least = float(at_middles[0])
        found[number] = (at_points[number] + before - least * found[number - 1]) / (1 - least)
    return float(found[-1])
