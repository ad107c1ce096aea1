"""The time series of a run: its seconds as columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from loadgen.results import Result, Second

#: Shares are of this many stretches at most: those of single seconds are noise in a long run.
STRETCHES = 240


class Unit(NamedTuple):
    """The unit of a time axis."""

    name: str
    seconds: float


def unit(results: Iterable[Result]) -> Unit:
    """The unit for a run: seconds up to ten minutes, minutes up to three hours, then hours."""
    longest = max((result.series[-1].at for result in results if result.series), default=0)
    if longest <= 600:
        return Unit("s", 1)
    return Unit("min", 60) if longest <= 3 * 3600 else Unit("h", 3600)


def times(seconds: Sequence[Second], of: Unit) -> list[float]:
    """When each of them began."""
    return [second.at / of.seconds for second in seconds]


def latency(percentile: int) -> Callable[[Second], float]:
    """The getter of a latency (ms), by its place in ``Second.latency_ms``; NaN where nothing was answered."""

    def take(second: Second) -> float:
        value = second.latency_ms[percentile] if percentile < len(second.latency_ms) else 0.0
        return value if value > 0 else math.nan

    return take


def stretches(series: Sequence[Second]) -> list[Sequence[Second]]:
    """The seconds in at most :data:`STRETCHES` parts."""
    length = max(1, math.ceil(len(series) / STRETCHES))
    return [series[begin : begin + length] for begin in range(0, len(series), length)]


def share(stretch: Sequence[Second], take: Callable[[Second], dict[str, int]], name: str) -> float:
    """Percent that *name* has of all that *take* counts; NaN of nothing."""
    whole = sum(sum(take(second).values()) for second in stretch)
    return 100 * sum(take(second).get(name, 0) for second in stretch) / whole if whole else math.nan


def notes(series: Iterable[Second]) -> list[tuple[int, str]]:
    """The notes: at which second, and what."""
    return [(second.at, note) for second in series for note in second.notes]


def names_in(series: Iterable[Second], take: Callable[[Second], dict[str, int]]) -> list[str]:
    """All names that *take* ever counts, in the order of the alphabet."""
    return sorted({name for second in series for name in take(second)})
