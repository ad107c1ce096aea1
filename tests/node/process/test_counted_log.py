"""Log lines that others cause."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.logger import formatEvent as format_event
from twisted.trial.unittest import SynchronousTestCase

from edge.node.process import counted_log
from edge.node.process.counted_log import QUIET_SECONDS, CountedLog


class CountedLogTests(SynchronousTestCase):
    """:class:`edge.node.process.counted_log.CountedLog`."""

    def setUp(self) -> None:
        self.clock, self.written = Clock(), []
        log = Logger(observer=lambda event: self.written.append(format_event(event)))  # type: ignore[arg-type]
        self.log = CountedLog(log, self.clock)

    def test_of_a_thousand_lines_of_a_kind_one_a_minute_is_written(self) -> None:
        """With the number of the others."""
        for number in range(1000):
            self.log.warn("accept", f"no {{braces}} {number}")
            self.log.warn("other", "another")
        self.clock.advance(QUIET_SECONDS)
        self.log.warn("accept", "again")
        self.assertEqual(
            self.written, ["no {braces} 0", "another", "again (999 more like this since the last line)"]
        )

    def test_nothing_that_others_say_means_a_thing_to_a_terminal(self) -> None:
        self.log.warn("kind", "\x1b[2J\x9b2J\r\u202e\ttext")
        self.assertEqual(self.written, ["\\x1b[2J\\x9b2J\\r\\u202e\\ttext"])

    def test_kinds_are_bounded(self) -> None:
        """Whatever others think of."""
        self.patch(counted_log, "KINDS", 5)
        for number in range(100):
            self.log.warn(str(number), "text")
        self.assertLessEqual(len(self.log._kinds), 5)
