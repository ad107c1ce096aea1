"""Arrivals: rates over time, a Poisson process of any of them, rate files whose mistakes have lines."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.arrivals import Rate, constant, parse_rates, poisson
from tests.loadgen.near import assert_near

RATES = st.floats(0, 1e6, allow_nan=False)


def within(rate: Rate, seconds: float, seed: int = 1) -> list[float]:
    """All arrivals of a Poisson process before *seconds*."""
    return list(itertools.takewhile(lambda at: at < seconds, poisson(rate, np.random.default_rng(seed))))


class RateTests(SynchronousTestCase):
    """What a rate is at a time."""

    def test_steps_hold_until_the_next_and_nothing_comes_before_the_first(self) -> None:
        rate = Rate([1.0, 4.0], [10.0, 20.0])
        self.assertEqual([rate.at(at) for at in (0, 0.99, 1, 3.99, 4, 1e9)], [0, 0, 10, 10, 20, 20])

    def test_a_ramp_goes_straight_and_stays_where_it_ends(self) -> None:
        rate = Rate((0.0, 10.0), (5.0, 25.0), linear=True)
        self.assertEqual([rate.at(at) for at in (0, 2.5, 5, 10, 11)], [5, 10, 15, 25, 25])

    @given(st.lists(RATES, min_size=1, max_size=5), st.floats(0, 10), st.floats(0, 6), st.booleans())
    def test_so_many_times_as_high_at_every_time(
        self, rates: list[float], factor: float, at: float, linear: bool
    ) -> None:
        rate = Rate([float(second) for second in range(len(rates))], rates, linear)
        assert_near(rate.scaled(factor).at(at), factor * rate.at(at), 1e-6 * (1 + max(rates)))


class ArrivalTests(SynchronousTestCase):
    """When sessions begin."""

    def test_a_constant_rate_is_evenly_spaced_from_half_an_interval_on(self) -> None:
        self.assertEqual(list(itertools.islice(constant(4.0), 4)), [0.125, 0.375, 0.625, 0.875])

    def test_without_a_rate_nobody_comes(self) -> None:
        self.assertEqual(list(constant(0.0)), [])
        self.assertEqual(list(poisson(Rate((0.0, 5.0), (0.0, 0.0)), np.random.default_rng(1))), [])

    def test_times_grow_and_the_seed_decides_them(self) -> None:
        one = within(Rate((0.0,), (100.0,)), 20)
        self.assertEqual(one, sorted(one))
        self.assertEqual(one, within(Rate((0.0,), (100.0,)), 20))
        self.assertNotEqual(one, within(Rate((0.0,), (100.0,)), 20, seed=2))

    def test_as_many_come_as_the_rate_says_within_each_piece(self) -> None:
        """Five standard deviations of a Poisson count either way."""
        at = within(Rate([0.0, 10.0, 20.0, 30.0], [100.0, 1000.0, 0.0, 500.0]), 40)
        counts = np.histogram(at, bins=[0, 10, 20, 30, 40])[0].tolist()
        for count, expected in zip(counts, (1000, 10_000, 0, 5000), strict=True):
            self.assertLessEqual(abs(count - expected), 5 * expected**0.5)

    def test_a_ramp_has_its_mean_and_its_middle_of_gravity(self) -> None:
        """From 0 to 200 over 50 s: 5,000 arrivals, the mean of their times at two thirds."""
        at = within(Rate((0.0, 50.0), (0.0, 200.0), linear=True), 50)
        self.assertLessEqual(abs(len(at) - 5000), 5 * 5000**0.5)
        assert_near(float(np.mean(at)), 50 * 2 / 3, 1.0)

    def test_gaps_are_exponential(self) -> None:
        """Their standard deviation is their mean, and the mean is that of the rate."""
        gaps = np.diff(within(Rate((0.0,), (100.0,)), 200))
        assert_near(float(gaps.mean()), 0.01, 0.0005)
        assert_near(float(gaps.std() / gaps.mean()), 1.0, 0.05)

    def test_when_the_rate_has_sunk_to_nothing_for_good_nobody_is_looked_for_any_more(self) -> None:
        """The process ends there, instead of drawing for ever."""
        for rate in (
            Rate([0.0, 2.0], [50.0, 0.0]),
            Rate((0.0, 2.0), (50.0, 0.0), linear=True),
            Rate([0.0, 1.0, 2.0], [0.0, 50.0, 0.0]),
        ):
            at = list(poisson(rate, np.random.default_rng(1)))
            self.assertTrue(at)
            self.assertLess(max(at), 2.0)


class RateFileTests(SynchronousTestCase):
    """Lines SECOND,RATE."""

    def test_lines_comments_and_blanks(self) -> None:
        rate = parse_rates("# second, sessions per second\n\n0, 5\n 10.5 ,20.25 # noon\n20,0\n")
        self.assertEqual(rate, Rate([0.0, 10.5, 20.0], [5.0, 20.25, 0.0]))
        self.assertFalse(rate.linear)

    @settings(max_examples=50)
    @given(
        st.lists(st.tuples(st.floats(0, 1e6), RATES), min_size=1, max_size=20, unique_by=lambda one: one[0])
    )
    def test_what_is_written_is_what_is_read(self, pairs: list[tuple[float, float]]) -> None:
        pairs.sort()
        text = "".join(f"{second!r},{rate!r}\n" for second, rate in pairs)
        self.assertEqual(parse_rates(text), Rate([one for one, _ in pairs], [one for _, one in pairs]))

    def test_a_mistake_is_named_with_its_line(self) -> None:
        for text, line in (
            ("0,1\nten,2\n", 2),
            ("0,1,2\n", 1),
            ("# only\n\n5\n", 3),
            ("0,1\n0,2\n", 2),
            ("5,1\n4,2\n", 2),
            ("-1,1\n", 1),
            ("0,-1\n", 1),
            ("0,nan\n", 1),
            ("0,inf\n", 1),
            ("nan,1\n", 1),
            ("inf,1\n", 1),
            ("0,1\n1e9,1\n", 2),
        ):
            with self.assertRaises(ValueError, msg=text) as caught:
                parse_rates(text)
            self.assertTrue(str(caught.exception).startswith(f"line {line}: "), (text, caught.exception))

    def test_a_file_without_a_line_is_refused(self) -> None:
        for text in ("", "\n# nothing\n"):
            with self.assertRaisesRegex(ValueError, "no line SECOND,RATE"):
                parse_rates(text)
