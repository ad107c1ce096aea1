"""The hybrid logical clock: what was caused is newer, whatever the dates are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.clock import AHEAD_MS, LATEST_MS, OLDEST_MS, HybridClock, ahead, latest_believed

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
        self.clock.hear(heard)
        self.assertEqual(self.clock.tick(NOW), heard + 1)

    def test_an_old_clock_that_is_heard_changes_nothing(self) -> None:
        newest = self.clock.tick(NOW)
        self.clock.hear(NOW - 1 << 16)
        self.assertEqual(self.clock.newest, newest)

    def test_a_date_beyond_all_dates_is_not_written_down(self) -> None:
        self.assertEqual(self.clock.tick(10 * LATEST_MS), LATEST_MS << 16)

    def test_ten_years_ahead_are_believed_a_millisecond_more_is_not(self) -> None:
        now = OLDEST_MS + 1000
        self.assertEqual(ahead(now + AHEAD_MS << 16 | 0xFFFF, now), 0)
        self.assertEqual(ahead(now + AHEAD_MS + 1 << 16, now), 1)
        self.assertEqual(latest_believed(now), now + AHEAD_MS << 16 | 0xFFFF)

    def test_a_machine_that_begins_in_1970_believes_the_others(self) -> None:
        self.assertLess(ahead(OLDEST_MS + 5 * 365 * 86_400_000 << 16, 1000), 0)
