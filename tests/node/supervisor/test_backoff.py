"""Delays before a dead worker is replaced."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.node.supervisor.backoff import HEALTHY, MAXIMUM, Backoff


class BackoffTests(SynchronousTestCase):
    """:class:`edge.node.supervisor.backoff.Backoff`."""

    def test_the_first_replacement_comes_at_once_and_the_next_ones_ever_later(self) -> None:
        backoff = Backoff()
        delays = [backoff.next_delay(1.0) for _ in range(9)]
        self.assertEqual(delays, [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, MAXIMUM, MAXIMUM])

    def test_a_long_life_forgets_earlier_deaths(self) -> None:
        backoff = Backoff()
        for _ in range(5):
            backoff.next_delay(0.1)
        self.assertEqual(backoff.next_delay(HEALTHY), 0.0)
        self.assertEqual(backoff.next_delay(0.1), 0.5)
