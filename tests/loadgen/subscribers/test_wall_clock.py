"""The wall clock beside the monotonic one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from loadgen.subscribers.wall_clock import WallClock

SECOND = 1_000_000_000


class WallClockTests(SynchronousTestCase):
    """Two clocks that a test sets."""

    def setUp(self) -> None:
        self.monotonic, self.wall, self.paused = 5 * SECOND, 1_700_000_000 * SECOND, 0
        self.clock = WallClock(lambda: self.monotonic, self.read)

    def read(self) -> int:
        """The wall clock; the process may be stopped behind it."""
        now = self.wall
        self.monotonic, self.wall = self.monotonic + self.paused, self.wall + self.paused
        return now

    def test_while_nobody_sets_it_what_joins_them_stays(self) -> None:
        for _ in range(3):
            self.monotonic, self.wall = self.monotonic + SECOND, self.wall + SECOND + 1000
            self.clock.look()
        self.assertEqual(self.clock.to_monotonic_ns, self.monotonic - self.wall)
        self.assertEqual(self.clock.stepped_ns, 0)

    def test_that_it_was_set_is_known_whichever_way(self) -> None:
        """What comes after may be wrong by as much."""
        self.wall += 3600 * SECOND
        self.clock.look()
        self.wall -= 3599 * SECOND
        self.clock.look()
        self.assertEqual(self.clock.stepped_ns, (3600 + 3599) * SECOND)
        self.assertEqual(self.clock.to_monotonic_ns, self.monotonic - self.wall)

    def test_a_process_that_was_stopped_between_two_readings_takes_it_for_nothing(self) -> None:
        self.paused = SECOND
        self.clock.look()
        self.paused = 0
        self.clock.look()
        self.assertEqual(self.clock.stepped_ns, 0)
