"""Think times, counted in logarithmic bins of 2 %: as exact as the fit needs, and of a fixed size."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: Seconds that the bins begin and end with, and the ratio of two borders.
LEAST_S, MOST_S, RATIO = 0.01, 100_000.0, 1.02
_COUNT = math.ceil(math.log(MOST_S / LEAST_S) / math.log(RATIO))
_LOG_LEAST, _LOG_RATIO = math.log(LEAST_S), math.log(RATIO)

Floats = NDArray[np.float64]


class Intervals:
    """Seconds, counted."""

    def __init__(self) -> None:
        self._counts = [0] * _COUNT

    def add(self, seconds: float) -> None:
        """Count an interval; what lies outside of the bins counts in the nearest."""
        place = int((math.log(seconds) - _LOG_LEAST) / _LOG_RATIO) if seconds > LEAST_S else 0
        self._counts[min(place, _COUNT - 1)] += 1

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self._counts)

    def binned(self) -> tuple[Floats, Floats, Floats]:
        """Of bins that have some: geometric middles (s), upper borders (s), counts."""
        counts = np.array(self._counts, dtype=np.float64)
        used = np.flatnonzero(counts)
        borders: Floats = LEAST_S * np.power(RATIO, used + 1.0)
        middles: Floats = borders / math.sqrt(RATIO)
        return middles, borders, counts[used]

    def quantile(self, share: float) -> float:
        """What so much of them does not exceed, seconds; NaN without any."""
        middles, _, counts = self.binned()
        if not len(counts):
            return math.nan
        place = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
        return float(middles[min(place, len(middles) - 1)])
