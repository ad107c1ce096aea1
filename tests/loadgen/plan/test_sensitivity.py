"""What matters in a plan: each number a fifth lower and higher."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from loadgen.plan.curve import daily_shares
from loadgen.plan.sensitivity import sensitivities
from loadgen.plan.verdict import Assessment, assess
from tests.loadgen.plan.examples import COSTS, plan

SHARES = daily_shares(4.4, 20)


def assessed(**values: Any) -> Assessment:
    """The example with these values."""
    return assess(plan(**values), COSTS, SHARES)


class SensitivityTests(SynchronousTestCase):
    """A fifth lower and higher."""

    def test_the_strongest_comes_first(self) -> None:
        """And each moves something."""
        made = plan()
        found = sensitivities(made, COSTS, SHARES)
        swings = [one.swing(assess(made, COSTS, SHARES).saturation) for one in found]
        self.assertEqual(swings, sorted(swings, reverse=True))
        self.assertIn("session.think.mean_s", [one.path for one in found][:8])

    def test_users_are_in_proportion(self) -> None:
        """A fifth more users are a fifth more of everything."""
        one = next(
            one for one in sensitivities(plan(), COSTS, SHARES) if one.path == "users.concurrent_at_peak"
        )
        saturation = assessed().saturation
        assert one.lower is not None and one.higher is not None
        self.assertAlmostEqual(one.lower.saturation, saturation * 0.8)
        self.assertAlmostEqual(one.higher.saturation, saturation * 1.2)

    def test_what_is_impossible_is_left_out(self) -> None:
        """A think time beyond the session's end."""
        found = sensitivities(plan(session__minutes=1.1), COSTS, SHARES)
        self.assertIsNone(next(one for one in found if one.path == "session.think.mean_s").higher)
