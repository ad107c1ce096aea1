"""Rates from counters."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.load.window import RateWindow


class RateWindowTests(SynchronousTestCase):
    """Growth per second over the last seconds."""

    def test_a_steady_counter_has_its_rate(self) -> None:
        """From the second point on."""
        window = RateWindow(5)
        rates = [window.observe(at / 4, 10 * at) for at in range(41)]
        self.assertEqual(rates[0], 0)
        self.assertTrue(all(abs(rate - 40) < 1e-9 for rate in rates[1:]))

    def test_what_is_long_ago_does_not_count(self) -> None:
        """A burst leaves the window."""
        window = RateWindow(5)
        window.observe(0, 0)
        window.observe(1, 1000)
        self.assertGreater(window.observe(2, 1000), 400)
        for at in range(3, 9):
            rate = window.observe(at, 1000)
        self.assertEqual(rate, 0)

    def test_a_counter_that_begins_again_is_not_negative(self) -> None:
        """A worker was replaced."""
        window = RateWindow(5)
        window.observe(0, 1_000_000)
        self.assertEqual(window.observe(1, 50), 50)

    @given(st.lists(st.tuples(st.floats(0.01, 3), st.integers(0, 1000)), min_size=1, max_size=60))
    def test_rates_are_within_what_was_counted(self, steps: list[tuple[float, int]]) -> None:
        """Never negative, never above the fastest step."""
        window, at, total, fastest = RateWindow(5), 0.0, 0, 0.0
        window.observe(at, total)
        for wait, growth in steps:
            at, total, fastest = at + wait, total + growth, max(fastest, growth / wait)
            self.assertTrue(0 <= window.observe(at, total) <= fastest * (1 + 1e-9))

    def test_its_memory_is_bounded(self) -> None:
        """Whatever is observed before the window is forgotten: of 200 s, 5 s are kept."""
        window = RateWindow(5)
        tracemalloc.start()
        try:
            for number in range(20_000):
                window.observe(number / 100, number)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(kept, 20_000 * 56 / 4)
