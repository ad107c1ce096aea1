"""What of each second of two runs is compared: latencies by their logarithm, failures by their share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from loadgen.compare.difference import Difference, difference
from loadgen.results import Result, Second

#: The beginning is another state: caches and connections are cold.
_WARM_UP_SHARE, _WARM_UP_MOST = 0.1, 10
#: Places of ``Second.latency_ms``, and the share of seconds that count as rare: p50 and p90 are what a usual
#: second is, p99 is where stalls are looked for.
_LATENCIES = {"p50": (0, 0.05), "p90": (1, 0.05), "p99": (2, 0.0)}


class Measured(NamedTuple):
    """A measure of two runs."""

    name: str
    #: Of each run: the geometric mean of its seconds (ms), or the mean share of requests that failed.
    one: float
    other: float
    #: Of the logarithm, or of the share; None: too few seconds.
    difference: Difference | None
    is_share: bool

    @property
    def interval(self) -> tuple[float, float, float]:
        """Estimate, lower and upper end: B over A less 1, or B's share less A's."""
        if self.difference is None:
            return math.nan, math.nan, math.nan
        low, middle, high = self.difference.low, self.difference.estimate, self.difference.high
        if self.is_share:
            return middle, low, high
        return math.expm1(middle), math.expm1(low), math.expm1(high)


def compare(one: Result, other: Result, confidence: float) -> list[Measured]:
    """All measures; together they have this *confidence* (Bonferroni)."""
    each = 1 - (1 - confidence) / (len(_LATENCIES) + 1)
    paired = same_plan(one, other)
    found = [
        _measured(name, *_series(one, other, paired, _latency(place)), each, paired, rare)
        for name, (place, rare) in _LATENCIES.items()
    ]
    return [*found, _measured("failed", *_series(one, other, paired, _failed), each, paired)]


def same_plan(one: Result, other: Result) -> bool:
    """Whether both had the same requests at the same times to send."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("title", "users", "seed", "seconds", "processes", "policy")
    )


def _series(
    one: Result, other: Result, paired: bool, take: Callable[[Second], float | None]
) -> tuple[list[float], list[float]]:
    """The values of both runs; *paired*: of the seconds that both have."""
    a, b = dict(_values(one, take)), dict(_values(other, take))
    if not paired:
        return list(a.values()), list(b.values())
    both = sorted(a.keys() & b.keys())
    return [a[at] for at in both], [b[at] for at in both]


def _measured(
    name: str,
    one: list[float],
    other: list[float],
    confidence: float,
    paired: bool,
    rare: float | None = None,
) -> Measured:
    """*rare*: of logarithms of latencies; None: these are shares."""
    shown = [sum(values) / len(values) if values else math.nan for values in (one, other)]
    first, second = shown if rare is None else map(math.exp, shown)
    return Measured(
        name, first, second, difference(one, other, confidence, paired, rare or 0.0), is_share=rare is None
    )


def _values(result: Result, take: Callable[[Second], float | None]) -> Iterator[tuple[int, float]]:
    """The seconds of *result* that count, and what they have."""
    begin = min(_WARM_UP_MOST, math.ceil(_WARM_UP_SHARE * result.seconds))
    for second in result.series:
        # What comes after the end is what was late.
        if begin <= second.at < result.seconds - 0.5 and (value := take(second)) is not None:
            yield second.at, value


def _latency(place: int) -> Callable[[Second], float | None]:
    def take(second: Second) -> float | None:
        value = second.latency_ms[place] if len(second.latency_ms) > place else 0.0
        return math.log(value) if 0 < value < math.inf else None

    return take


def _failed(second: Second) -> float | None:
    failed = sum(second.errors.values())
    asked = max(second.planned, failed)
    return failed / asked if asked else None
