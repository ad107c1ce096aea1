"""Latencies of all requests, those that failed among them.

A request that failed would have been answered later than any other, if ever: it stands above all answers
(a censored observation; its *censoring time* is how long it had been waited for).  So the percentile of a
run in which more failed than may lie above it is infinite, whatever the few answers took.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadgen.histogram import Histogram, rank


class Latencies:
    """Latencies of answers, and censoring times of failures; adds up over seconds, processes and machines."""

    def __init__(self, answered: Histogram | None = None, failed: Histogram | None = None) -> None:
        """*answered*, *failed*: histograms of both, which may grow; else empty ones."""
        self.answered = answered or Histogram()
        self.failed = failed or Histogram()

    @property
    def count(self) -> int:
        """How many requests ended, one way or the other."""
        return self.answered.count + self.failed.count

    def percentiles(self, percents: Sequence[float]) -> list[float]:
        """The milliseconds that *percents* (0..100) of all requests did not exceed; NaN without any.

        Infinite where a request stands that failed.
        """
        if not self.count:
            return [math.nan] * len(percents)
        answered = self.answered.count
        return [
            math.inf if rank(percent, self.count) > answered else bound
            for percent, bound in zip(percents, self.bounds(percents), strict=True)
        ]

    def bounds(self, percents: Sequence[float]) -> list[float]:
        """What these latencies were at least, finite; 0 without any.

        A failure counts for as long as it was waited for, or as the slowest answer took.
        """
        if not self.count:
            return [0.0] * len(percents)
        ranks = [rank(percent, self.count) for percent in percents]
        answered, slowest = self.answered.count, self.answered.highest
        known = iter(self.answered.at_ranks([one for one in ranks if one <= answered]))
        waited = iter(self.failed.at_ranks([one - answered for one in ranks if one > answered]))
        found = [next(known) if one <= answered else max(next(waited), slowest) for one in ranks]
        return [microseconds / 1000 for microseconds in found]
