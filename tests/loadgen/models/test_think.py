"""Think times: their survival function, and what it means for connections and for what is refreshed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.think import Think, held, refresh_share, sample, survival


class ThinkTests(SynchronousTestCase):
    """Whether a connection is still open, and what is known still new."""

    def test_exponential_by_hand(self) -> None:
        """E[min(T, k)] = m (1 - e^(-k/m))."""
        think = Think(kind="exponential", mean_s=30.0)
        self.assertAlmostEqual(held(think, 60), 30 * (1 - math.exp(-2)), 4)
        self.assertAlmostEqual(survival(think)(60), math.exp(-2), 12)

    def test_constant_by_hand(self) -> None:
        """It lapses always or never."""
        think = Think(kind="constant", mean_s=30.0)
        self.assertEqual((held(think, 60), held(think, 10)), (30, 10))
        self.assertEqual((survival(think)(29), survival(think)(60)), (1, 0))

    @given(
        st.sampled_from(["weibull", "lognormal", "exponential", "constant"]),
        st.floats(0.1, 1000),
        st.floats(0.3, 4),
        st.floats(0.1, 2.5),
        st.floats(0.1, 10_000),
    )
    def test_longer_patience_holds_longer(
        self, kind: Any, mean: float, shape: float, sigma: float, keep: float
    ) -> None:
        """And never longer than the patience, nor than users think."""
        think = Think(kind=kind, mean_s=mean, shape=shape, sigma=sigma)
        short, long = held(think, keep), held(think, keep * 2)
        self.assertLessEqual(short, min(mean, keep) * 1.0001)
        self.assertLessEqual(short, long * 1.0001)
        self.assertGreaterEqual(survival(think)(keep), survival(think)(keep * 2))

    @given(st.sampled_from(["weibull", "lognormal"]), st.floats(1, 100))
    def test_without_end_the_mean_is_held(self, kind: Any, mean: float) -> None:
        """The integral of the survival function is the mean."""
        think = Think(kind=kind, mean_s=mean)
        self.assertAlmostEqual(held(think, mean * 100) / mean, 1, 1)

    def test_what_is_refreshed_by_hand(self) -> None:
        """Exponential: a renewal each mean, M(t) = t / mean; constant: at every so many views."""
        self.assertAlmostEqual(refresh_share(Think(kind="exponential", mean_s=60.0), 5.0), 60 / 65)
        self.assertEqual(refresh_share(Think(kind="constant", mean_s=2.0), 5.0), 1 / 3)
        self.assertEqual(refresh_share(Think(kind="constant", mean_s=2.5), 5.0), 1 / 2)
        self.assertEqual(refresh_share(Think(kind="constant", mean_s=9.0), 5.0), 1)

    def test_what_is_refreshed_in_sessions_that_end(self) -> None:
        """40,000 sessions of ten views: most are over before the third time."""
        for think in (
            Think(kind="weibull", mean_s=60.0),
            Think(kind="lognormal", mean_s=60.0),
            Think(kind="exponential", mean_s=60.0),
            Think(kind="constant", mean_s=60.0),
        ):
            random = np.random.default_rng(5)
            refreshed = going = 0
            for views in random.geometric(0.1, 40_000).tolist():
                age = 0.0
                for time in sample(think, random, views - 1).tolist():
                    age, going = age + time, going + 1
                    if age >= 300:
                        age, refreshed = 0.0, refreshed + 1
            self.assertLess(abs(refresh_share(think, 300.0, 0.9) / (refreshed / going) - 1), 0.02, think)
        self.assertEqual(refresh_share(think, 300.0, 0.0), 0.0)

    def test_what_is_refreshed_as_users_do_it(self) -> None:
        """100,000 views in a row."""
        for think in (
            Think(kind="weibull", mean_s=20.0),
            Think(kind="weibull", mean_s=2.0, shape=2.0),
            Think(kind="lognormal", mean_s=4.0),
        ):
            age, refreshed = 0.0, 0
            for time in sample(think, np.random.default_rng(5), 100_000).tolist():
                age += time
                if age >= 5:
                    age = 0.0
                    refreshed += 1
            self.assertLess(abs(refresh_share(think, 5.0) / (refreshed / 100_000) - 1), 0.02, think)
