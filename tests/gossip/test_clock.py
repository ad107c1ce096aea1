"""The hybrid logical clock: what was caused is newer, and a wrong date does not win."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.clock import SKEW_MS, HybridClock, SkewError

NOW = 1_700_000_000_000


class HybridClockTests(SynchronousTestCase):
    """Of one node."""

    def setUp(self) -> None:
        self.clock = HybridClock()

    def test_the_upper_bits_are_the_time_and_the_lower_ones_count_within_it(self) -> None:
        self.assertEqual([self.clock.tick(NOW) for _ in range(3)], [(NOW << 16) + n for n in range(3)])
        self.assertEqual(self.clock.tick(NOW + 1), NOW + 1 << 16)

    def test_it_grows_also_when_the_machine_s_clock_is_set_back(self) -> None:
        first = self.clock.tick(NOW)
        self.assertEqual(self.clock.tick(NOW - 3_600_000), first + 1)

    def test_a_full_counter_runs_into_the_next_millisecond(self) -> None:
        clock = HybridClock(NOW << 16 | 0xFFFF)
        self.assertEqual(clock.tick(NOW), NOW + 1 << 16)

    def test_what_follows_on_a_change_of_another_node_is_newer_than_it(self) -> None:
        heard = NOW + 5_000 << 16 | 7
        self.clock.hear(heard, NOW)
        self.assertEqual(self.clock.tick(NOW), heard + 1)

    def test_an_old_clock_that_is_heard_changes_nothing(self) -> None:
        newest = self.clock.tick(NOW)
        self.clock.hear(NOW - 1 << 16, NOW)
        self.assertEqual(self.clock.newest, newest)

    def test_a_clock_ahead_by_the_whole_skew_is_believed_by_a_millisecond_more_it_is_not(self) -> None:
        """Whatever its counter; a refused one leaves no trace."""
        limit = NOW + SKEW_MS << 16 | 0xFFFF
        self.clock.hear(limit, NOW)
        self.assertEqual(self.clock.newest, limit)
        self.assertRaises(SkewError, self.clock.hear, NOW + SKEW_MS + 1 << 16, NOW)
        self.assertEqual(self.clock.newest, limit)
