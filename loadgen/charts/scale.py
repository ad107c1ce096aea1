"""The scale of an axis: the pixel of a value, and the ticks.

Linear axes have steps of 1, 2 or 5 times a power of ten; logarithmic ones have decades, and 2 and 5 between
them when there are few.  An axis of y begins and ends at a tick, one of x where the data does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

#: Of a double, less a margin: what is farther away, or on a logarithmic axis nearer to 0, is not drawn.
_LARGEST, _SMALLEST = 1e300, 1e-300


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map of [low, high] to pixels [begin, end]; upwards: *end* is the smaller."""

    low: float
    high: float
    begin: float
    end: float
    log: bool
    ticks: tuple[float, ...]

    @property
    def digits(self) -> int:
        """Significant digits that tell its ticks apart."""
        if self.log or len(self.ticks) < 2:
            return 3
        farthest = max(abs(tick) for tick in self.ticks)
        return max(3, math.floor(math.log10(farthest / (self.ticks[1] - self.ticks[0]))) + 2)

    def drawable(self, value: float) -> bool:
        """Whether *value* has a place: a number, above 0 on a logarithmic axis."""
        return abs(value) < _LARGEST and (value > _SMALLEST or not self.log)

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
    if high - low < _SMALLEST:
        low, high = (low, low + 1) if zero else (low - 0.5, low + 0.5)
    # Closer together than a double can tell apart: an axis around them.
    if high - low < max(abs(low), abs(high)) * 1e-12:
        margin = max(abs(low), abs(high)) * 1e-9
        low, high = low - margin, high + margin
    factor, power = nice_step((high - low) / most)
    step = float(f"{factor}e{power}")
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    # By float(): a product like 3 * 0.1 is not the tick 0.3.
    ticks = [float(f"{count * factor}e{power}") for count in range(first, last + 1)]
    if zero:
        return Scale(ticks[0], ticks[-1], begin, end, False, tuple(ticks))
    margin = step * 1e-6
    inside = (tick for tick in ticks if low - margin <= tick <= high + margin)
    return Scale(low, high, begin, end, False, tuple(inside))


def logarithmic(values: Iterable[float], begin: float, end: float, *, whole: bool = True) -> Scale:
    """An axis for the positive ones of *values*; *whole*: it begins and ends at ticks."""
    low, high = _extent((value for value in values if _SMALLEST < value < _LARGEST), 1.0, 10.0)
    few = math.log10(high / low) < 2
    factors = (1, 2, 5) if few else (1,)
    first, last = math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1
    every = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in factors]
    bottom = max(tick for tick in every if tick <= low * (1 + 1e-9))
    top = min(tick for tick in every if tick >= high * (1 - 1e-9) and tick > bottom)
    ticks = [tick for tick in every if bottom <= tick <= top]
    inside = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    if not whole and len(inside) > 1:
        bottom, top, ticks = low, high, inside
    stride = math.ceil(len(ticks) / 9)
    return Scale(bottom, top, begin, end, True, tuple(ticks[::stride]))


def nice_step(least: float) -> tuple[int, int]:
    """The smallest step not below *least* (> 0): 1, 2 or 5, and the power of ten to multiply it with."""
    power = math.floor(math.log10(least))
    for factor in (1, 2, 5):
        if float(f"{factor}e{power}") >= least * (1 - 1e-9):
            return factor, power
    return 1, power + 1


def _extent(values: Iterable[float], low: float, high: float) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (low, high)
