"""Random numbers one at a time: the distributions they are of, and the seed that decides them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models import draws
from loadgen.models.think import Think
from tests.loadgen.near import assert_near

COUNT = 40_000


def some(of: draws.Draws, count: int = COUNT) -> list[float]:
    """The next numbers."""
    return [of() for _ in range(count)]


def seeded(seed: int = 1) -> np.random.Generator:
    """A generator."""
    return np.random.default_rng(seed)


class DrawsTests(SynchronousTestCase):
    """Blocks are no matter of who draws."""

    def test_every_number_of_a_block_comes_once(self) -> None:
        """None is left out and none comes twice, also across blocks."""
        blocks = []

        def block(count: int) -> np.ndarray:
            blocks.append(np.arange(count) + len(blocks) * count)
            return blocks[-1]

        numbers = some(draws.drawn(block), 10_000)
        self.assertEqual(len(set(numbers)), 10_000)
        size = len(blocks[0])
        self.assertEqual(sorted(numbers[:size]), list(range(size)))

    def test_one_seed_one_sequence(self) -> None:
        one, same, other = (some(draws.uniform(seeded(seed)), 100) for seed in (1, 1, 2))
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)

    def test_uniform_numbers_are_from_0_to_below_1(self) -> None:
        numbers = some(draws.uniform(seeded()))
        self.assertTrue(all(0 <= number < 1 for number in numbers))
        assert_near(float(np.mean(numbers)), 0.5, 0.01)


class ThinkTimeTests(SynchronousTestCase):
    """Whatever the kind, the mean is the one that was asked for."""

    def test_all_kinds_have_the_mean_that_was_given(self) -> None:
        for kind in ("weibull", "lognormal", "exponential", "constant"):
            for mean in (0.5, 20.0):
                times = some(draws.think_times(seeded(), Think(kind=kind, mean_s=mean, shape=0.8, sigma=1.0)))
                assert_near(float(np.mean(times)) / mean, 1.0, 0.04, kind)
                self.assertGreaterEqual(min(times), 0.0)

    def test_shape_and_sigma_do_not_move_the_mean_but_the_spread(self) -> None:
        """Weibull's variance over its squared mean is known: 2.0 less 1 at k=1, wider below."""
        spreads = []
        for shape in (0.7, 1.0, 2.0):
            times = np.array(
                some(draws.think_times(seeded(), Think(kind="weibull", mean_s=10.0, shape=shape, sigma=1.0)))
            )
            assert_near(float(times.mean()), 10.0, 0.4)
            spreads.append(float(times.std() / times.mean()))
        self.assertEqual(spreads, sorted(spreads, reverse=True))
        assert_near(spreads[1], 1.0, 0.05)
        logarithms = np.log(
            some(draws.think_times(seeded(), Think(kind="lognormal", mean_s=10.0, shape=0.8, sigma=0.5)))
        )
        assert_near(float(logarithms.std()), 0.5, 0.02)

    def test_a_constant_is_one(self) -> None:
        self.assertEqual(
            set(
                some(
                    draws.think_times(seeded(), Think(kind="constant", mean_s=7.0, shape=0.8, sigma=1.0)), 100
                )
            ),
            {7.0},
        )


class PageTests(SynchronousTestCase):
    """How many pages, and which."""

    def test_sessions_have_a_page_at_least_and_the_mean(self) -> None:
        for mean in (1.0, 2.5, 8.0):
            counts = some(draws.page_counts(seeded(), mean))
            assert_near(float(np.mean(counts)), mean, 0.03 * mean + 1e-9)
            self.assertGreaterEqual(min(counts), 1)

    def test_a_geometric_share_stops_after_each_page(self) -> None:
        """Of those who saw n pages, one in *mean* goes."""
        counts = np.array(some(draws.page_counts(seeded(), 4.0)))
        for number in (1, 2, 3):
            left = counts[counts >= number]
            assert_near(float((left == number).mean()), 0.25, 0.02)

    def test_no_session_is_longer_than_a_user_can_count(self) -> None:
        self.assertLessEqual(max(some(draws.page_counts(seeded(), 1e9), 5000)), 65_535)

    def test_ranks_have_the_shares_of_their_weights(self) -> None:
        weights = draws.zipf_weights(10, 0.9)
        self.assertEqual(weights[0], 1.0)
        self.assertAlmostEqual(weights[1], 2**-0.9)
        shares = np.bincount(some(draws.zipf(seeded(), weights)), minlength=10) / COUNT
        for share, weight in zip(shares, weights, strict=True):
            assert_near(float(share), weight / sum(weights), 0.01)

    @settings(max_examples=40)
    @given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20).filter(lambda weights: sum(weights) > 1e-9))
    def test_only_what_has_a_weight_is_chosen(self, weights: list[float]) -> None:
        chosen = set(some(draws.zipf(seeded(), weights), 300))
        self.assertLessEqual(chosen, {place for place, weight in enumerate(weights) if weight > 0})

    def test_without_an_exponent_all_pages_are_equal(self) -> None:
        self.assertEqual(draws.zipf_weights(4, 0.0), [1.0] * 4)


class LeftOverTests(SynchronousTestCase):
    """What is left of an interval that is under way."""

    def test_its_mean_is_that_of_renewal_theory(self) -> None:
        """E[T^2] / 2 E[T]: more than half the mean, since long intervals are found more often."""
        random = np.random.default_rng(3)
        times = draws.think_times(random, Think(kind="weibull", mean_s=8.0, shape=0.8, sigma=1.0))
        left = draws.left_over(random, times)
        found = np.array([left() for _ in range(100_000)])
        drawn = np.array([times() for _ in range(100_000)])
        assert_near(found.mean() / ((drawn**2).mean() / 2 / drawn.mean()), 1.0, 0.1)

    def test_of_a_constant_it_is_even(self) -> None:
        """Anywhere within it."""
        random = np.random.default_rng(4)
        left = draws.left_over(
            random, draws.think_times(random, Think(kind="constant", mean_s=2.0, shape=1.0, sigma=1.0))
        )
        found = np.array([left() for _ in range(20_000)])
        self.assertTrue(found.min() >= 0 and found.max() < 2.0)
        assert_near(float(found.mean()), 1.0, 0.02)
