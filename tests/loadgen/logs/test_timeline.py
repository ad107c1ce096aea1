"""Times of logs: out of order, of a wrong clock, of a clock that was set."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from loadgen.logs.account import Account
from loadgen.logs.entries import Entry
from loadgen.logs.timeline import FEW, GAP_S, Timeline


def entry(at: float) -> Entry:
    return Entry(at, 1, False, b"GET", b"/", 200, 0, b"")


class TimelineTests(SynchronousTestCase):
    """What comes out, in seconds from the first."""

    def times(self, *given: float) -> list[float]:
        self.account = Account()
        timeline = Timeline(self.account)
        found = [
            second
            for number, at in enumerate(given, 1)
            for second, _ in timeline.add(entry(at), f"line {number}")
        ]
        found += [second for second, _ in timeline.end()]
        self.assertEqual(found, sorted(found))
        return found

    def test_lines_a_little_out_of_order_are_put_right(self) -> None:
        shuffled = [1e9 + number for number in range(100)]
        random.Random(1).shuffle(shuffled)
        shuffled = [1e9, *(at for at in shuffled if at > 1e9 and at < 1e9 + 50)]
        self.assertEqual(self.times(*shuffled), [float(number) for number in range(50)])
        self.assertEqual(self.account.skipped, 0)

    def test_one_line_from_another_century_is_left_out_and_named(self) -> None:
        found = self.times(1e9, 1e9 + 1, 4e9, 1e9 + 2, 5e5, 1e9 + 3)
        self.assertEqual(found, [0, 1, 2, 3])
        (said,) = self.account.said()
        self.assertIn("2 lines left out", said)
        self.assertIn("line 3", said)

    def test_the_first_line_may_be_the_wrong_one(self) -> None:
        found = self.times(4e9, *(1e9 + number for number in range(20)))
        self.assertEqual(found, [0.0, *map(float, range(20))])

    def test_a_clock_that_was_set_back_goes_on_from_there(self) -> None:
        before, after = [1e9 + number for number in range(10)], [1e9 - 5000 + number for number in range(20)]
        found = self.times(*before, *after)
        self.assertEqual(found, [*map(float, range(10)), *(9.0 + number for number in range(20))])
        self.assertIn("line 11: the clock was set back by 5009 s", next(self.account.said()))

    def test_a_night_without_anybody_is_an_hour(self) -> None:
        found = self.times(1e9, *(1e9 + 40_000 + number for number in range(FEW)))
        self.assertEqual(found, [0.0, *(GAP_S + number for number in range(FEW))])
        self.assertEqual(self.account.skipped, 0)

    def test_a_log_with_a_line_a_day_keeps_all_of_them(self) -> None:
        found = self.times(*(1e9 + 86_400 * number for number in range(30)))
        self.assertEqual(found, [GAP_S * number for number in range(30)])
