"""When sessions begin: an endless ascending sequence of times, from a seeded generator.

A rate that changes is a piecewise linear function; a Poisson process of such a rate comes from one of
constant rate by thinning (Lewis and Shedler, 1979).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from numpy.random import Generator

_BLOCK = 1024


class Rate(NamedTuple):
    """Sessions per second over time."""

    #: Seconds, ascending, and the rate from each on; before the first it is 0.
    seconds: Sequence[float]
    rates: Sequence[float]
    #: Whether it goes straight from one to the next, or stays until the next.
    linear: bool = False

    def at(self, second: float) -> float:
        """The rate at that time."""
        place = bisect.bisect_right(self.seconds, second) - 1
        if place < 0:
            return 0.0
        if not self.linear or place + 1 >= len(self.seconds):
            return self.rates[place]
        share = (second - self.seconds[place]) / (self.seconds[place + 1] - self.seconds[place])
        return self.rates[place] + share * (self.rates[place + 1] - self.rates[place])

    def scaled(self, factor: float) -> Rate:
        """The same, so many times as high."""
        return self._replace(rates=[rate * factor for rate in self.rates])


def constant(per_second: float, phase: float = 0.5) -> Iterator[float]:
    """Evenly spaced, beginning after a *phase* (0..1) of an interval."""
    number = 0
    while per_second > 0:
        yield (number + phase) / per_second
        number += 1


def poisson(rate: Rate, random: Generator) -> Iterator[float]:
    """A Poisson process of *rate*; it ends when that has sunk to 0 for good."""
    most = max(rate.rates, default=0.0)
    if most <= 0:
        return
    at = 0.0
    last = math.inf if rate.rates[-1] > 0 else rate.seconds[-1]
    while at < last:
        gaps, keeps = random.exponential(1 / most, _BLOCK).tolist(), random.random(_BLOCK).tolist()
        for gap, keep in zip(gaps, keeps, strict=True):
            at += gap
            if keep * most < rate.at(at):
                yield at


def parse_rates(text: str) -> Rate:
    """A rate file, lines ``SECOND,RATE``; # begins a comment; :exc:`ValueError` names the line."""
    seconds: list[float] = []
    rates: list[float] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        try:
            second, rate = (float(part) for part in line.split(","))
        except ValueError:
            raise ValueError(f"line {number}: {line!r} is not SECOND,RATE") from None
        if not 0 <= rate < 1e9 or not (seconds or [-1.0])[-1] < second < 1e9:
            raise ValueError(f"line {number}: rates from 0 up, seconds that grow")
        seconds.append(second)
        rates.append(rate)
    if not seconds:
        raise ValueError("there is no line SECOND,RATE in it")
    return Rate(seconds, rates)
