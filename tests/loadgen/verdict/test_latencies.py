"""Percentiles of answered and failed requests together: a failure is slower than every answer."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.histogram import Histogram, rank
from loadgen.verdict.latencies import Latencies

PERCENTS = (0.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
TIMES = st.lists(st.integers(1, 10**8), max_size=60)


def histogram(values: list[int]) -> Histogram:
    """Of microseconds."""
    made = Histogram()
    made.record(np.array(values, dtype=np.int64))
    return made


def latencies(answered: list[int], failed: list[int]) -> Latencies:
    """Of microseconds."""
    return Latencies(histogram(answered), histogram(failed))


class LatencyTests(SynchronousTestCase):
    """Against a sorted list."""

    @given(TIMES, TIMES)
    def test_it_is_the_order_statistic_in_which_failures_are_infinite(
        self, answered: list[int], failed: list[int]
    ) -> None:
        ordered = [*sorted(answered), *([math.inf] * len(failed))]
        found = latencies(answered, failed).percentiles(PERCENTS)
        for percent, value in zip(PERCENTS, found, strict=True):
            if not ordered:
                self.assertTrue(math.isnan(value))
                continue
            expected = ordered[rank(percent, len(ordered)) - 1] / 1000
            self.assertTrue(
                value == expected or abs(value / expected - 1) < 0.001, (percent, value, expected)
            )

    @given(TIMES, TIMES)
    def test_bounds_are_finite_ascend_and_are_the_same_where_nothing_failed(
        self, answered: list[int], failed: list[int]
    ) -> None:
        made = latencies(answered, failed)
        bounds = made.bounds(PERCENTS)
        self.assertEqual(bounds, sorted(bounds))
        for bound, value in zip(bounds, made.percentiles(PERCENTS), strict=True):
            self.assertTrue(math.isfinite(bound))
            self.assertTrue(math.isnan(value) or bound == value or value == math.inf)

    @given(TIMES, TIMES, st.integers(1, 10**8))
    def test_a_failure_more_makes_no_percentile_better(
        self, answered: list[int], failed: list[int], waited: int
    ) -> None:
        """Nor does an answer that fails instead."""
        before = latencies(answered, failed).percentiles(PERCENTS)
        for after in (
            latencies(answered, [*failed, waited]),
            latencies(answered[1:], [*failed, *answered[:1]]),
        ):
            for one, other in zip(before, after.percentiles(PERCENTS), strict=True):
                self.assertTrue(math.isnan(one) or other >= one)

    def test_the_run_of_which_most_failed(self) -> None:
        """1,998 of 2,000 failed, the rest took 13.8 ms: p99 is not that."""
        made = latencies([13_800] * 2, [10_000_000] * 1998)
        self.assertEqual(made.percentiles([99.0]), [math.inf])
        self.assertLess(abs(made.bounds([99.0])[0] / 10_000 - 1), 0.001)
        self.assertEqual(made.count, 2000)
