"""The worst share, the damped weight, and the two bounds of stability, each from both sides."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.load.meters import Shares
from edge.load.weight import LEAST_WEIGHT, WEIGHT_SECONDS, Weight, headroom

NODES = 4


def deviation_after(
    rho: float, again: float, gain: float | None = None, steps: int = 200, start: float = 0.001
) -> float:
    """How far the most loaded of four equal nodes is from its fair share at the end.

    A share *again* of the clients chooses again between two readings; *gain*: the weights are damped.
    """
    shares = [1 / NODES + start, 1 / NODES - start] + [1 / NODES] * (NODES - 2)
    weights = [headroom(rho)] * NODES
    for _ in range(steps):
        targets = [1 - NODES * rho * share for share in shares]
        if gain is None:
            weights = targets
        drawn = [max(weight, 1e-9) for weight in weights]
        shares = [
            (1 - again) * share + again * weight / sum(drawn)
            for share, weight in zip(shares, drawn, strict=True)
        ]
        if gain is not None:
            weights = [w + gain * (target - w) for w, target in zip(weights, targets, strict=True)]
    return max(abs(share - 1 / NODES) for share in shares)


class StabilityTests(SynchronousTestCase):
    """What the module's docstring derives, simulated."""

    def test_without_damping_the_bound_is_two_times_the_headroom(self) -> None:
        """Below it a disturbance dies down, above it it grows."""
        for rho in (0.5, 0.7, 0.8, 0.9):
            bound = 2 * (1 - rho)
            self.assertLess(deviation_after(rho, 0.9 * bound), 1e-6)
            if bound * 1.1 <= 1:
                self.assertGreater(deviation_after(rho, 1.1 * bound), 0.001)

    def test_with_damping_everybody_may_choose_again(self) -> None:
        """a g / (a + g) < 1 - rho."""
        for rho in (0.6, 0.8, 0.9):
            gain = (1 - rho) / rho  # the bound for a = 1
            self.assertLess(deviation_after(rho, 1.0, 0.8 * gain, steps=2000), 1e-6)
            self.assertGreater(deviation_after(rho, 1.0, min(1.0, 1.3 * gain), steps=2000), 0.001)

    def test_the_gain_in_use_is_stable_at_high_load(self) -> None:
        """Clients read the figures every 5 s; at rho 0.8 all of them may choose again each time."""
        weight = Weight()
        weight.observe(0, 1.0)
        gain = weight.observe(5, 0.0)
        self.assertAlmostEqual(gain, 0.2, places=2)
        self.assertLess(deviation_after(0.8, 1.0, gain, steps=2000), 1e-6)

    def test_going_to_the_least_loaded_node_is_not_stable(self) -> None:
        """With stale figures everybody goes to the same one."""
        shares = [0.26, 0.24, 0.25, 0.25]
        worst = 0.0
        for _ in range(50):
            least = shares.index(min(shares))
            shares = [0.7 * share + (0.3 if index == least else 0) for index, share in enumerate(shares)]
            worst = max(worst, *shares)
        self.assertGreater(worst / 0.25, 1.5)


class WeightTests(SynchronousTestCase):
    """The published weight."""

    def test_the_first_figure_counts_at_once(self) -> None:
        """A node that starts idle is chosen at once."""
        self.assertEqual(Weight().observe(100, 0.25), 0.75)

    def test_it_follows_with_its_time_constant(self) -> None:
        """63 % of the way after one."""
        weight = Weight()
        weight.observe(0, 0.0)
        self.assertAlmostEqual(weight.observe(WEIGHT_SECONDS, 1.0), 0.368, places=3)

    def test_it_never_is_zero_or_above_one(self) -> None:
        """Overload is not absence; only the state of a node says that it is not to be chosen."""
        weight = Weight()
        self.assertEqual(weight.observe(0, 5.0), LEAST_WEIGHT)
        self.assertEqual(Weight().observe(0, -1.0), 1.0)

    def test_weight_is_the_worst_share(self) -> None:
        """Whichever runs out first."""
        self.assertEqual(Shares(0.1, 0.2, 1.3, 0.4).utilization, 1.3)
