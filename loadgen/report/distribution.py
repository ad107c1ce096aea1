"""The cumulative distribution of an HDR histogram: how many values were not greater than each that occurred.

``loadgen.histogram`` records and adds; here is what only readers need, from the same text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram


@dataclass(frozen=True)
class Distribution:
    """Microseconds that occurred (within the precision), ascending, and how many values were up to each."""

    values: list[int]
    counts: list[int]
    #: Of all values.
    total: float

    @classmethod
    def decode(cls, text: str) -> Distribution:
        """The distribution in what :meth:`loadgen.histogram.Histogram.encode` made; :exc:`ValueError`."""
        values: list[int] = []
        counts: list[int] = []
        total = 0.0
        try:
            for step in HdrHistogram.decode(text).get_recorded_iterator():
                values.append(int(step.value_iterated_to))
                counts.append(int(step.total_count_to_this_value))
                total = float(step.total_value_to_this_value)
        except Exception as error:  # the library raises what zlib, base64 and struct raise
            raise ValueError(f"this is no HDR histogram: {error}") from None
        return cls(values, counts, total)

    @property
    def count(self) -> int:
        """How many values."""
        return self.counts[-1] if self.counts else 0

    def up_to(self, value: float) -> int:
        """How many of them are not greater than *value*."""
        place = bisect_right(self.values, value)
        return self.counts[place - 1] if place else 0

    def percentile(self, percent: float) -> float:
        """The value that *percent* (0..100) of them did not exceed; NaN without any."""
        if not self.counts:
            return float("nan")
        return self.values[min(bisect_left(self.counts, percent / 100 * self.count), len(self.values) - 1)]

    def curve(self) -> tuple[Sequence[float], Sequence[float]]:
        """The HDR plot: 1 / (1 - p), from 1 to the number of values, and the milliseconds of p."""
        if not self.counts:
            return [], []
        x, y = [1.0], [self.values[0] / 1e3]
        for value, count in zip(self.values, self.counts, strict=True):
            # The greatest value is that of p = 1, which has no place; it is drawn where one of all is left.
            x.append(self.count / max(1, self.count - count))
            y.append(value / 1e3)
        return x, y
