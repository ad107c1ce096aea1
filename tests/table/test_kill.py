"""The writer killed with SIGKILL in the middle of its work, for real."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.table_kill import run


class KilledWriterTests(SynchronousTestCase):
    """`make bench` does the same a thousand times."""

    def test_no_entry_is_wrong_after_forty_kills(self) -> None:
        """Whole old, whole new, or absent; and the next writer can go on."""
        self.assertEqual(run(40), 0)
