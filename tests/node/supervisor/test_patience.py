"""Who hangs is told from who had no processor, and from what we were not there to hear."""

from __future__ import annotations

import os
import sys
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.node.supervisor.patience import LATE, MOMENT, MOST, Patience, queued_seconds
from tests import processes


class PatienceTests(SynchronousTestCase):
    """Thirty seconds, from the 100th on."""

    def setUp(self) -> None:
        self.queued = 7.0
        self.patience = Patience(30.0, 1, 100.0, lambda _: self.queued)

    def test_who_could_run_and_says_nothing_has_had_its_time(self) -> None:
        self.assertEqual(self.patience.left(110.0), 20.0)
        self.assertEqual(self.patience.left(130.0), 0.0)

    def test_seconds_without_a_processor_do_not_count(self) -> None:
        self.queued += 25.0
        self.assertEqual(self.patience.left(130.0), 25.0)
        self.assertEqual(self.patience.left(155.0), 0.0)

    def test_who_never_gets_a_processor_is_not_waited_for_without_end(self) -> None:
        self.queued += 1e9
        self.assertEqual(self.patience.left(100.0 + 30.0 * MOST), 0.0)

    def test_what_was_said_while_we_were_away_is_heard_first(self) -> None:
        """The machine was suspended for an hour."""
        self.assertEqual(Patience(30.0, 1, 0.0, lambda _: 0.0).left(60.0), MOMENT)
        away = Patience(600.0, 1, 0.0, lambda _: 0.0)
        self.assertEqual(away.left(4200.0), MOMENT)
        self.assertEqual(away.left(4201.0), 0.0)

    @given(st.lists(st.floats(0.1, LATE), min_size=1, max_size=200))
    def test_looks_that_are_on_time_end_it_in_time(self, steps: list[float]) -> None:
        patience = Patience(30.0, 1, 0.0, lambda _: 0.0)
        now = 0.0
        for step in steps:
            now += step
            is_over = patience.left(now) == 0.0
            self.assertEqual(is_over, now >= 30.0)
            if is_over:
                return

    def test_the_kernel_tells_how_long_a_process_waited_for_a_processor(self) -> None:
        """Three on one processor: each waits for the other two."""
        only = min(os.sched_getaffinity(0))
        script = f"import os, time; os.sched_setaffinity(0, {{{only}}}); end = time.monotonic() + 80\n"
        script += "while time.monotonic() < end: pass"
        busy = [processes.start([sys.executable, "-c", script]) for _ in range(3)]
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end and queued_seconds(busy[0].pid) < 0.2:
                time.sleep(0.05)
            self.assertGreaterEqual(queued_seconds(busy[0].pid), 0.2)
        finally:
            for one in busy:
                one.kill()
                one.wait(10)
        self.assertEqual(queued_seconds(1 << 30), 0.0)
