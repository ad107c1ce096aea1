"""Verdicts of ``loadgen run`` on targets that are real processes; ``BENCH=verdicts`` has all forty.

What is right is what users really got, so that a busy machine makes none of these wrong.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.verdicts import judge
from tests import processes
from tests.loadgen.verdict.faulty import targets


class RealTargetTests(SynchronousTestCase):
    """Two of them."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="verdicts-"))
        self.addCleanup(lambda: processes.run(["rm", "-rf", str(self.folder)], check=True))

    def test_lies_fail_a_run_whatever_its_thresholds(self) -> None:
        found = judge(self.folder / "lies", "lies", *targets()["wrong body, all"], ("errors <= 100000",))
        self.assertEqual((found.verdict, found.right), ("threshold", "threshold"), found)

    def test_one_that_gives_half_of_its_users_nothing_is_not_passed(self) -> None:
        found = judge(self.folder / "late", "late", *targets()["reset, the late half"], ("errors <= 0",))
        self.assertEqual(found.right, "threshold", found)
        self.assertFalse(found.is_wrong, found)
