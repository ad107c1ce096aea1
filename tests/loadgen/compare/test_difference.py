"""Are two runs different, or noise?  Of simulated servers equal ones seldom are, and slower ones are found.

More seeds by ``LOADGEN_COMPARE_SEEDS``.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from loadgen.compare.difference import difference
from loadgen.compare.seconds import compare
from loadgen.compare.student import two_sided
from tests.loadgen.compare.worlds import run

SEEDS = int(os.environ.get("LOADGEN_COMPARE_SEEDS", "60"))


def shown(
    first: int, slow: float = 1.0, depends: float = 0.5, plans: tuple[int, int] = (1, 1), seconds: int = 120
) -> set[str]:
    """The measures by which two runs differ."""
    one = run(first, depends=depends, plan=plans[0], seconds=seconds)
    other = run(first + 100_000, slow, depends=depends, plan=plans[1], seconds=seconds)
    return {
        measured.name
        for measured in compare(one, other, 0.95)
        if measured.difference is not None and measured.difference.is_shown
    }


class SimulatedTests(SynchronousTestCase):
    """Many pairs of runs."""

    def test_equal_servers_are_called_different_in_five_percent_at_most(self) -> None:
        for depends, plans in ((0.0, (1, 1)), (0.5, (1, 1)), (0.7, (1, 1)), (0.5, (1, 2))):
            wrong = sum(bool(shown(seed, depends=depends, plans=plans)) for seed in range(SEEDS))
            # With so many pairs, what 5 % at most come to in all but one of a thousand such tests.
            self.assertLessEqual(wrong, 0.05 * SEEDS + 3.1 * (0.05 * 0.95 * SEEDS) ** 0.5, (depends, plans))

    def test_a_server_slower_by_a_tenth_is_found(self) -> None:
        found = sum("p50" in shown(seed, 1.1, seconds=300) for seed in range(SEEDS // 2))
        self.assertGreaterEqual(found, 0.9 * (SEEDS // 2))

    def test_failures_are_found(self) -> None:
        measured = compare(run(1), run(2, failing=0.01), 0.95)[-1]
        assert measured.difference is not None
        self.assertTrue(measured.difference.low > 0)
        self.assertTrue(0.005 < measured.interval[0] < 0.015)

    def test_the_interval_has_the_truth_in_it(self) -> None:
        inside = 0
        for seed in range(SEEDS):
            _, low, high = compare(run(seed), run(seed + 100_000, 1.2), 0.95)[0].interval
            inside += low < 0.2 < high
        self.assertGreaterEqual(inside, 0.88 * SEEDS)


class DifferenceTests(SynchronousTestCase):
    """The arithmetic."""

    def test_quantiles_of_students_t(self) -> None:
        for outside, freedom, table in (
            (0.05, 3, 3.182), (0.05, 10, 2.228), (0.01, 5, 4.032), (0.0125, 30, 2.657), (0.05, 1000, 1.962),
            (0.001, 6, 5.959),
        ):  # fmt: skip
            self.assertApproximates(two_sided(outside, freedom) / table, 1, 0.002)

    def test_few_seconds_or_seconds_that_are_all_one_say_nothing(self) -> None:
        self.assertIsNone(difference([1.0] * 19, [2.0] * 100, 0.95, paired=False))
        climbing = [float(at) for at in range(60)]
        self.assertIsNone(difference(climbing, climbing, 0.95, paired=False))

    def test_what_does_not_vary_differs_or_does_not(self) -> None:
        for paired in (True, False):
            same = difference([1.0] * 30, [1.0] * 30, 0.95, paired)
            other = difference([1.0] * 30, [2.0] * 30, 0.95, paired)
            assert same is not None and other is not None
            self.assertEqual((same.is_shown, other.is_shown), (False, True))
