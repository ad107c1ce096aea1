"""Histograms: recorded at once as one by one, added without loss, of a fixed size."""

from __future__ import annotations

import numpy as np
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.histogram import DIGITS, HIGHEST, Histogram, counted

MICROSECONDS = st.lists(st.integers(1, HIGHEST), min_size=1, max_size=50)


def recorded(values: list[int]) -> Histogram:
    """A histogram of *values*."""
    made = Histogram()
    made.record(np.array(values, dtype=np.int64))
    return made


def counters(histogram: Histogram) -> list[int]:
    """All of them, as the library reads what we write."""
    return list(HdrHistogram.decode(histogram.encode()).counts)


class HistogramTests(SynchronousTestCase):
    """The library's own recording is the reference."""

    @settings(max_examples=30)
    @given(MICROSECONDS)
    def test_many_values_at_once_count_as_one_by_one(self, values: list[int]) -> None:
        """Each counter is the same, and so is each percentile."""
        reference = HdrHistogram(1, HIGHEST, DIGITS)
        for value in values:
            reference.record_value(value)
        made = recorded(values)
        self.assertEqual(counters(made), list(reference.counts))
        shares = (0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0)
        upper = [
            reference.get_highest_equivalent_value(reference.get_value_at_percentile(share) or min(values))
            for share in shares
        ]
        self.assertEqual(made.percentiles(shares), upper)

    @settings(max_examples=20)
    @given(MICROSECONDS, MICROSECONDS)
    def test_two_add_up_without_loss_also_over_a_wire(self, one: list[int], other: list[int]) -> None:
        """What is merged equals what one histogram would have counted."""
        both = recorded(one)
        both.add(Histogram.decode(recorded(other).encode()))
        self.assertEqual(counters(both), counters(recorded(one + other)))
        self.assertEqual(both.count, len(one) + len(other))

    def test_values_out_of_range_count_as_its_ends(self) -> None:
        """Nothing that was measured is lost."""
        made = recorded([-5, 0, HIGHEST * 2])
        self.assertEqual(made.count, 3)
        self.assertGreaterEqual(made.highest, HIGHEST)

    def test_what_is_no_histogram_is_refused(self) -> None:
        """Also one of another form."""
        for text in ("", "garbage", HdrHistogram(1, 1000, 2).encode().decode()):
            with self.assertRaises(ValueError):
                Histogram.decode(text)

    @settings(max_examples=30)
    @given(MICROSECONDS)
    def test_counters_of_another_process_add_up_as_well(self, values: list[int]) -> None:
        """As if the values had been recorded here."""
        made = Histogram()
        made.add_counted(counted(np.array(values, dtype=np.int64)))
        self.assertEqual(counters(made), counters(recorded(values)))
        self.assertEqual((made.count, made.percentile(100)), (len(values), recorded(values).percentile(100)))

    def test_what_are_no_counters_is_refused(self) -> None:
        """Bytes cut off, places beyond the end."""
        for data in (b"1234", b"\xff\xff\xff\x7f\x01\x00\x00\x00"):
            with self.assertRaises(ValueError):
                Histogram().add_counted(data)
        Histogram().add_counted(b"")
