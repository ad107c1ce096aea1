"""How one server does: taken out, on trial, taken back."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.upstream.health import FAILURES, FIRST_REST, LATEST, LONGEST_REST, Health


class HealthTests(SynchronousTestCase):
    """The outcomes of one server."""

    def test_failures_in_a_row_count_and_an_answer_forgets_them(self) -> None:
        health = Health()
        for _ in range(FAILURES - 1):
            health.failed()
        health.answered()
        for _ in range(FAILURES - 1):
            health.failed()
        self.assertFalse(health.fails)
        health.failed()
        self.assertTrue(health.fails)

    def test_one_that_fails_more_often_than_not_is_an_outlier(self) -> None:
        health = Health()
        for _ in range(LATEST):
            for _ in range(FAILURES - 1):
                health.failed()
            health.answered()
        health.failed()
        self.assertTrue(health.fails)
        for _ in range(3 * LATEST):
            health.answered()
        self.assertFalse(health.fails)
        self.assertLess(health.rate, 0.1)

    def test_it_is_out_longer_each_time_up_to_a_minute(self) -> None:
        health, now = Health(), 0.0
        lengths = []
        for _ in range(12):
            until = health.take_out(now)
            lengths.append(until - now)
            self.assertTrue(health.is_out(until - 0.01))
            self.assertFalse(health.is_out(until))
            now = until
            health.failed()
            self.assertTrue(health.fails, "on trial one failure is enough")
        self.assertEqual(lengths[:3], [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST])
        self.assertEqual(lengths[-1], LONGEST_REST)

    def test_an_answer_ends_the_trial_and_all_that_was_held_against_it(self) -> None:
        health = Health()
        health.take_out(0.0)
        health.take_out(1.0)
        health.answered()
        self.assertEqual((health.on_trial, health.fails, health.is_out(1.0)), (False, False, False))
        self.assertEqual(health.take_out(100.0), 100.0 + FIRST_REST)
