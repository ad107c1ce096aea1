"""Fits: what was drawn from a law is found again, and the distance says what is not of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.draws import zipf_weights
from loadgen.models.think import Think, sample
from loadgen.record.clients import Clients
from loadgen.record.fits import page_count_distance, quantile, think_fits, zipf_exponent
from loadgen.record.intervals import Intervals
from loadgen.record.rates import MOST, Bins, squeezed


def counted(values: np.ndarray) -> Intervals:  # type: ignore[type-arg]
    intervals = Intervals()
    for value in values.tolist():
        intervals.add(value)
    return intervals


class ThinkTests(SynchronousTestCase):
    """Think times."""

    def test_each_law_is_found_again(self) -> None:
        for think in (
            Think(kind="weibull", mean_s=20, shape=0.7),
            Think(kind="weibull", mean_s=5, shape=2.0),
            Think(kind="lognormal", mean_s=30, sigma=1.2),
            Think(kind="constant", mean_s=7),
        ):
            best, *_ = think_fits(counted(sample(think, np.random.default_rng(1), 20_000)))
            self.assertEqual(best.think.kind, think.kind)
            self.assertApproximates(best.think.mean_s / think.mean_s, 1, 0.04)
            if think.kind == "weibull":
                self.assertApproximates(best.think.shape / think.shape, 1, 0.04)
            if think.kind == "lognormal":
                self.assertApproximates(best.think.sigma / think.sigma, 1, 0.04)
            if think.kind != "constant":
                self.assertLess(best.distance, 0.015)

    def test_an_exponential_is_weibulls_of_shape_one(self) -> None:
        values = sample(Think(kind="exponential", mean_s=9), np.random.default_rng(2), 20_000)
        near = think_fits(counted(values))[0].think
        self.assertIn(near.kind, ("exponential", "weibull"))
        self.assertApproximates(near.mean_s, 9, 0.3)

    def test_what_is_of_no_law_has_a_great_distance(self) -> None:
        values = np.concatenate((np.full(5000, 1.0), np.full(5000, 300.0)))
        self.assertGreater(think_fits(counted(values))[0].distance, 0.15)

    def test_few_or_absurd_intervals_break_nothing(self) -> None:
        self.assertEqual(think_fits(counted(np.full(19, 3.0))), [])
        for value in (0.0, 1e-9, 1e12):
            self.assertTrue(think_fits(counted(np.full(100, value))))

    def test_quantiles_of_a_law(self) -> None:
        self.assertApproximates(quantile(Think(kind="exponential", mean_s=10), 0.5), 6.93, 0.01)
        self.assertApproximates(quantile(Think(kind="constant", mean_s=10), 0.9), 10, 0.01)


class PopularityTests(SynchronousTestCase):
    """Pages, sessions, clients, rates."""

    def test_zipfs_exponent_is_found_again(self) -> None:
        for exponent in (0.0, 0.6, 1.0, 1.5):
            weights = np.array(zipf_weights(200, exponent))
            drawn = np.random.default_rng(3).choice(200, 50_000, p=weights / weights.sum())
            views = sorted(Counter(drawn.tolist()).values(), reverse=True)
            self.assertApproximates(zipf_exponent(views), exponent, 0.1)
        self.assertEqual(zipf_exponent([5]), 0.0)

    def test_geometric_sessions_are_near_and_equal_ones_are_not(self) -> None:
        drawn = np.random.default_rng(4).geometric(0.25, 20_000)
        self.assertLess(page_count_distance(Counter(drawn.tolist()), float(drawn.mean())), 0.01)
        self.assertGreater(page_count_distance(Counter({4: 1000}), 4.0), 0.3)

    def test_few_clients_are_counted_and_many_estimated(self) -> None:
        clients, hashes = Clients(), np.random.default_rng(5).integers(0, 1 << 64, 200_000, dtype=np.uint64)
        for number, one in enumerate(hashes.tolist()):
            clients.add(one)
            clients.add(one)
            if number == 999:
                self.assertEqual(clients.count, 1000)
        self.assertApproximates(clients.count / 200_000, 1, 0.02)

    def test_bins_grow_with_the_time_and_lose_nothing(self) -> None:
        bins = Bins()
        for second in range(0, 40 * 86_400, 600):
            bins.add(second)
        steps = bins.steps(40 * 86_400, 144)
        self.assertEqual(len(bins.counts), MOST)
        self.assertTrue(len(steps) <= 144)
        widths = np.diff([*(second for second, _ in steps), 40 * 86_400])
        self.assertApproximates(float(widths @ [rate for _, rate in steps]), 40 * 144, 1e-6)
        self.assertEqual(squeezed([(0, 1.0), (100, 2.0)], 0.1), [(0, 1.0), (10, 2.0)])
