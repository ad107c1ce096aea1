"""Histograms as steps, and the HDR plot of them."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.histogram import HIGHEST, Histogram
from loadgen.report.distribution import Distribution
from loadgen.report.plots import percentile_text


def both(values: list[int]) -> tuple[Histogram, Distribution]:
    """The same values, recorded and read again."""
    histogram = Histogram()
    histogram.record(np.array(values, dtype=np.int64))
    return histogram, Distribution.decode(histogram.encode())


class DistributionTests(SynchronousTestCase):
    """The recording side is the reference."""

    @settings(max_examples=50)
    @given(st.lists(st.integers(1, HIGHEST), max_size=40))
    def test_percentiles_are_those_of_the_histogram(self, values: list[int]) -> None:
        """And nothing is lost or counted twice."""
        histogram, distribution = both(values)
        self.assertEqual(distribution.count, len(values))
        for percent in (0.0, 50.0, 99.0, 100.0):
            if values:
                self.assertEqual(distribution.percentile(percent), histogram.percentile(percent))
            else:
                self.assertTrue(math.isnan(distribution.percentile(percent)))

    def test_counts_up_to_a_value(self) -> None:
        """It counts itself; the sum is within the precision."""
        _, distribution = both([100, 200, 200, 1_000_000])
        self.assertEqual([distribution.up_to(value) for value in (99, 100, 199, 200, 9e9)], [0, 1, 1, 3, 4])
        self.assertLess(abs(distribution.total - 1_000_500), 1_000)

    def test_the_curve_ends_where_one_value_is_left(self) -> None:
        """1 / (1 - p) ascends from 1 to the number of values; milliseconds ascend, too."""
        _, distribution = both([100] * 90 + [200] * 9 + [5_000])
        x, y = distribution.curve()
        self.assertEqual([round(value) for value in x], [1, 10, 100, 100])
        self.assertEqual([round(value, 1) for value in y], [0.1, 0.1, 0.2, 5.0])
        self.assertEqual(both([])[1].curve(), ([], []))

    def test_what_is_no_histogram_is_refused(self) -> None:
        """With a reason."""
        for text in ("", "x", "HISTFAAAA", "\x00", Histogram().encode()[:-9]):
            with self.assertRaisesRegex(ValueError, "no HDR histogram"):
                Distribution.decode(text)

    def test_percentiles_in_words_tell_themselves_from_all(self) -> None:
        """As many digits as there are nines, and one more."""
        xs = (1, 2, 10, 20, 100, 1000, 2000, 1e6)
        words = ["0 %", "50 %", "90 %", "95 %", "99 %", "99.9 %", "99.95 %", "99.9999 %"]
        self.assertEqual([percentile_text(x) for x in xs], words)
