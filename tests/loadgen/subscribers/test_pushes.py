"""The log of pushes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from loadgen.subscribers.feed import LOAD, Message
from loadgen.subscribers.pushes import PushLog


class PushLogTests(SynchronousTestCase):
    """Columns of what has come, and when it could have."""

    def test_a_push_that_came_before_it_was_made_has_no_latency(self) -> None:
        """Of a server whose clock is ahead: it would be the fastest of all, however late it came."""
        log = PushLog()
        log.append(0, [Message(LOAD, 5_000_000), Message(LOAD, 9_000_001), Message(LOAD, 0)])
        log.stamp(9_000_000)
        self.assertEqual(log.take().since.tolist(), [5_000_000, 0, 0])
        self.assertEqual((log.latency["load"].count, log.latency["load"].highest), (1, 4001))
