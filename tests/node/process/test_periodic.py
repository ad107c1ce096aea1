"""Work that is done again and again."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.periodic import Periodic


class PeriodicTests(SynchronousTestCase):
    def test_a_fault_in_one_round_costs_that_round_and_is_logged(self) -> None:
        clock, rounds = Clock(), []

        def work() -> None:
            rounds.append(clock.seconds())
            if len(rounds) == 2:
                raise ValueError("once")

        periodic = Periodic(work, 1.0, clock)
        periodic.start(now=False)
        clock.pump([1.0] * 4)
        self.assertEqual(rounds, [1.0, 2.0, 3.0, 4.0])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        periodic.stop()
        periodic.stop()
        clock.advance(5.0)
        self.assertEqual((len(rounds), clock.getDelayedCalls()), (4, []))
