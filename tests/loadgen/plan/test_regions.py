"""What fits: maps of verdicts over two numbers of a plan."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.plan.curve import daily_shares
from loadgen.plan.regions import axis, regions
from loadgen.plan.verdict import Assessment, assess
from tests.loadgen.plan.examples import COSTS, plan

SHARES = daily_shares(4.4, 20)


def assessed(**values: Any) -> Assessment:
    """The example with these values."""
    return assess(plan(**values), COSTS, SHARES)


class RegionTests(SynchronousTestCase):
    """Maps."""

    def test_a_map_has_a_cell_for_each_pair(self) -> None:
        """The same verdicts as plans of their own; pairs that contradict each other say so."""
        across, down = (
            axis("session.think.mean_s=10, 60,900"),
            axis("users.concurrent_at_peak=1000000,20000000"),
        )
        cells = regions(plan(), COSTS, SHARES, across, down)
        self.assertEqual([len(row) for row in cells], [3, 3])
        one = assessed(session__think__mean_s=10.0, users__concurrent_at_peak=20_000_000)
        self.assertEqual((cells[1][0].saturation, cells[1][0].bottleneck), (one.saturation, one.bottleneck))
        self.assertIn("longer than the session", cells[0][2].contradiction)

    def test_texts_are_values_too(self) -> None:
        """ "batch" and "each" need no quotes."""
        self.assertEqual(axis("requests.confirm=batch,each").values, ("batch", "each"))

    def test_wrong_axes_are_told(self) -> None:
        """The key, the value, the form."""
        for text, words in (
            ("push.shar=1", "did you mean push.share?"),
            ("push=1", "unknown key push"),
            ("push.share=0,2", "push.share = 2: give a number from 0 to 1"),
            ("push.share=x", "give a number"),
            ("push.share", "KEY=VALUE"),
            ("push.share=1,,2", "KEY=VALUE"),
            ("push.share=" + ",".join("0" * 25), "up to 24"),
        ):
            self.assertIn(words, str(self.assertRaises(UsageError, axis, text)))
