"""Two clocks of a process: durations do not jump when the date is set."""

from __future__ import annotations

import time

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.node.process import clocks
from edge.node.process.clocks import date_of, measure_steadily


class ClocksTests(SynchronousTestCase):
    """A reactor of its own, the date in the test's hand."""

    def test_planned_calls_come_in_time_when_the_date_is_set_back_or_forward(self) -> None:
        for step in (-86_400.0, 86_400.0):
            reactor = EPollReactor()
            date = [time.time()]
            self.patch(clocks.time, "time", lambda date=date: date[0])
            measure_steadily(reactor)
            called: list[str] = []
            later = reactor.callLater(3600, called.append, "too early")
            reactor.callLater(0.01, called.append, "in time")
            date[0] += step
            until = time.monotonic() + 60
            while not called and time.monotonic() < until:
                reactor.iterate(0.01)
            self.assertEqual(called, ["in time"])
            self.assertEqual(date_of(reactor), date[0])
            later.cancel()
            for one in reactor.removeAll():
                one.connectionLost(None)  # type: ignore[attr-defined]

    def test_a_simulated_clock_has_one_for_both(self) -> None:
        clock = Clock()
        clock.advance(1_700_000_000)
        self.assertEqual(date_of(clock), 1_700_000_000)
