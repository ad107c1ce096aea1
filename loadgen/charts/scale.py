"""Where a value stands on an axis, and which ticks the axis has.

Linear axes have steps of 1, 2 or 5 times a power of ten; logarithmic ones have decades, and 2 and 5 between
them when there are few.  An axis begins and ends at a tick, except a linear one of x: that ends with the data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

#: Of a double, less a margin: what is farther away cannot be drawn beside anything else.
_LARGEST = 1e300


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to pixels [begin, end]; *end* may be the smaller one (upwards)."""

    low: float
    high: float
    begin: float
    end: float
    log: bool
    ticks: tuple[float, ...]

    def drawable(self, value: float) -> bool:
        """Whether *value* has a place: a finite number, above 0 on a logarithmic axis."""
        return math.isfinite(value) and abs(value) < _LARGEST and (value > 0 or not self.log)

    def place(self, value: float) -> float:
        """The pixel of a drawable *value*."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.begin + (value - low) / (high - low) * (self.end - self.begin)


def linear(values: Iterable[float], begin: float, end: float, *, zero: bool, most: int = 5) -> Scale:
    """An axis for *values* with about *most* steps; *zero*: it has 0 and ends at ticks."""
    low, high = _extent((value for value in values if abs(value) < _LARGEST), 0.0, 1.0)
    if zero:
        low, high = min(0.0, low), max(0.0, high)
    if low == high:
        low, high = (low, low + 1) if zero else (low - 0.5, low + 0.5)
    # Closer together than a double can tell apart: an axis around them.
    if high - low < max(abs(low), abs(high)) * 1e-9:
        margin = max(abs(low), abs(high)) * 1e-6
        low, high = low - margin, high + margin
    step = nice_step((high - low) / most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if zero:
        low, high = first * step, last * step
    ticks = (round(count * step, 12) if step < 1e3 else count * step for count in range(first, last + 1))
    margin = (high - low) * 1e-9
    kept = tuple(tick for tick in ticks if low - margin <= tick <= high + margin)
    return Scale(low, high, begin, end, False, kept)


def logarithmic(values: Iterable[float], begin: float, end: float) -> Scale:
    """An axis for the positive ones of *values*, whole decades or nearly so."""
    low, high = _extent((value for value in values if 0 < value < _LARGEST), 1.0, 10.0)
    low, high = max(low, 1e-300), max(high, 1e-300)
    few = math.log10(high / low) < 3
    factors = (1, 2, 5) if few else (1,)
    first, last = math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1
    # Powers by float(): 10.0**-3 is not 0.001 everywhere.
    every = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in factors]
    bottom = max(tick for tick in every if tick <= low * (1 + 1e-9))
    top = min(tick for tick in every if tick >= high * (1 - 1e-9) and tick > bottom)
    ticks = [tick for tick in every if bottom <= tick <= top]
    stride = math.ceil(len(ticks) / 9)
    return Scale(bottom, top, begin, end, True, tuple(ticks[::stride]))


def nice_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below *least* (> 0)."""
    power = float(f"1e{math.floor(math.log10(least))}")
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _extent(values: Iterable[float], low: float, high: float) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (low, high)
