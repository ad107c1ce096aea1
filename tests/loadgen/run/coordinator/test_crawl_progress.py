"""What is said while the site is crawled."""

from __future__ import annotations

import io

from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.coordinator.crawl_progress import CrawlProgress


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        return True


class ProgressTests(SynchronousTestCase):
    """Seconds are the test's."""

    def test_a_file_gets_one_line_before_the_first_answer(self) -> None:
        out = io.StringIO()
        progress = CrawlProgress("http://x", out)
        self.assertEqual(out.getvalue(), "")
        for found in range(3):
            progress.looking(found)
        progress.close()
        self.assertEqual(out.getvalue(), "loadgen run: looking what http://x has\n")

    def test_a_terminal_is_renewed_now_and_then_and_clean_afterwards(self) -> None:
        out, now = Terminal(), [0.0]
        progress = CrawlProgress("http://x", out, lambda: now[0])
        for second, found in ((0.0, 0), (0.1, 5), (0.3, 1200), (0.4, 1300)):
            now[0] = second
            progress.looking(found)
        progress.close()
        lines = out.getvalue().split("\r\x1b[K")
        self.assertEqual(
            lines[1:], ["looking what http://x has: 0 found", "looking what http://x has: 1,200 found", ""]
        )
