"""Verdicts of ``loadgen run`` on targets that are real processes; ``BENCH=verdicts`` has all forty.

What is right is what users really got, so that a busy machine makes none of these wrong.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.verdicts import cluster, judge, site
from tests import processes


class RealTargetTests(SynchronousTestCase):
    """Some of them."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="verdicts-"))
        self.addCleanup(lambda: processes.run(["rm", "-rf", str(self.folder)], check=True))

    def test_lies_fail_a_run_whatever_its_thresholds(self) -> None:
        found = judge(self.folder / "lies", cluster("wrong body, all"), ("errors <= 100000",))
        self.assertEqual((found.verdict, found.right), ("threshold", "threshold"), found)

    def test_one_that_gives_half_of_its_users_nothing_is_not_passed(self) -> None:
        found = judge(self.folder / "late", cluster("reset, the late half"), ("errors <= 0",))
        self.assertEqual(found.right, "threshold", found)
        self.assertFalse(found.is_wrong, found)

    def test_a_page_of_maintenance_with_status_200_is_not_passed(self) -> None:
        found = judge(self.folder / "any", site("maintenance", self.folder / "none"), ("errors <= 0",))
        self.assertEqual((found.verdict, found.right), ("threshold", "threshold"), found)
        self.assertIn("one body for several pages", " ".join(found.reasons))
