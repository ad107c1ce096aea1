"""Axes, and how numbers are written."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from loadgen.charts import Series, lines
from loadgen.charts.numbers import binary, plain, short, size
from loadgen.charts.scale import linear, logarithmic
from loadgen.charts.thinning import kept
from tests.loadgen.charts.reading import texts


class NumbersTests(SynchronousTestCase):
    """Axes and words."""

    def test_ticks_have_steps_of_one_two_or_five(self) -> None:
        """Exactly, not nearly."""
        self.assertEqual(linear([0, 0.3], 0, 1, zero=True).ticks, (0, 0.1, 0.2, 0.3))
        self.assertEqual(linear([3, 930], 0, 1, zero=True).ticks, (0, 200, 400, 600, 800, 1000))
        self.assertEqual(linear([-3, 4], 0, 1, zero=True).ticks, (-4, -2, 0, 2, 4))
        self.assertEqual(linear([7, 17], 0, 1, zero=False).ticks, (8, 10, 12, 14, 16))

    def test_logarithmic_ticks_are_decades(self) -> None:
        """Few decades have 2 and 5 between them."""
        self.assertEqual(logarithmic([0.5, 90_000], 0, 1).ticks, (0.1, 1, 10, 100, 1000, 10_000, 100_000))
        self.assertEqual(logarithmic([3, 40], 0, 1).ticks, (2, 5, 10, 20, 50))

    def test_numbers_close_together_are_told_apart(self) -> None:
        """No two ticks read the same."""
        html = lines("T", [Series("a", [1e9, 1e9 + 5], [1, 2])], x_label="s", y_label="ms")
        shown = texts(html)[-8:-1]
        self.assertEqual(len(shown), len(set(shown)))

    def test_numbers_are_short(self) -> None:
        """With prefixes; rounding that reaches the next prefix takes it."""
        numbers = (0, 0.05, 1.5, 999.6, 1500, 630_000, 10_000_000, -2500, math.nan, 2e-7)
        words = ["0", "0.05", "1.5", "1k", "1.5k", "630k", "10M", "-2.5k", "-", "2.00e-07"]
        self.assertEqual([short(number) for number in numbers], words)
        self.assertEqual(
            [binary(size) for size in (0, 512, 1536, 1 << 30)], ["0 B", "512 B", "1.5 KiB", "1 GiB"]
        )
        self.assertEqual([size(count) for count in (128, 1070, 3.2e9)], ["128 B", "1.07 kB", "3.2 GB"])
        cells = [plain(cell) for cell in (1234567, 12345.6, 0.123456, 2.0, math.inf, "x", True)]
        self.assertEqual(cells, ["1,234,567", "12,346", "0.1235", "2", "-", "x", "True"])

    def test_thinning_keeps_both_ends_and_few_points_whole(self) -> None:
        """Indices ascend."""
        self.assertEqual(kept([[1.0, 2.0]]), [0, 1])
        self.assertEqual(kept([]), [])
        chosen = kept([[float(at % 7) for at in range(5000)], [0.0] * 5000])
        self.assertEqual((chosen[0], chosen[-1]), (0, 4999))
        self.assertEqual(chosen, sorted(set(chosen)))
