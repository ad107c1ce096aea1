"""Which connection is attempted when, and to which node."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.subscribers.attempt_schedule import BURST_NS, FIRST_NS, MOST_NS, NEVER, AttemptSchedule

SECOND = 1_000_000_000
START = 10 * SECOND


class AttemptScheduleTests(SynchronousTestCase):
    """The attempts of one process."""

    def setUp(self) -> None:
        self.schedule = AttemptSchedule(Random(1).random)

    def test_new_subscribers_go_to_the_nodes_in_turn(self) -> None:
        self.schedule.want(8, 4, 1e9)
        attempts = self.schedule.take(START, 100)
        self.assertEqual([attempt.node for attempt in attempts], [0, 1, 2, 3] * 2)
        self.assertEqual({attempt.failures for attempt in attempts}, {0})
        self.assertEqual(self.schedule.due(), NEVER)

    @given(st.integers(1, 5000), st.lists(st.integers(1, 50_000_000), max_size=60))
    def test_the_rate_is_never_exceeded(self, per_second: int, pauses: list[int]) -> None:
        """But for what was not tried in time, of which there is a bound."""
        schedule = AttemptSchedule(Random(1).random)
        schedule.want(1_000_000, 4, per_second)
        now, made = START, 0
        for pause in pauses:
            made += len(schedule.take(now, 1_000_000))
            self.assertLessEqual(made, (now - START + BURST_NS) * per_second / 1e9 + 1)
            now += pause

    def test_not_more_are_made_than_there_is_room_for(self) -> None:
        self.schedule.want(8, 1, 1e9)
        self.assertEqual(len(self.schedule.take(START, 3)), 3)
        self.assertEqual(len(self.schedule.take(START, 0)), 0)
        self.assertEqual(len(self.schedule.take(START, 100)), 5)

    def test_who_is_lost_goes_elsewhere_after_a_while(self) -> None:
        self.schedule.want(0, 3, 1e9)
        nodes: Counter[int] = Counter()
        for _ in range(300):
            self.schedule.lost(1, 1, START)
        self.assertEqual(self.schedule.take(START + FIRST_NS // 2 - 1, 1000), [])
        for attempt in self.schedule.take(START + FIRST_NS * 3 // 2, 1000):
            nodes[attempt.node] += 1
            self.assertEqual(attempt.failures, 1)
        self.assertEqual(sorted(nodes), [0, 2])
        self.assertTrue(all(count > 100 for count in nodes.values()))

    def test_the_only_node_is_called_again(self) -> None:
        self.schedule.want(0, 1, 1e9)
        self.schedule.lost(0, 1, START)
        self.assertEqual([attempt.node for attempt in self.schedule.take(START + SECOND, 9)], [0])

    @given(st.integers(1, 100))
    def test_the_pause_doubles_up_to_a_bound(self, failures: int) -> None:
        """With jitter of half of it."""
        schedule = AttemptSchedule(Random(failures).random)
        schedule.want(0, 2, 1e9)
        schedule.lost(0, failures, START)
        pause = min(MOST_NS, FIRST_NS * 2 ** (failures - 1))
        waited = schedule.due() - START
        self.assertTrue(pause // 2 <= waited <= pause * 3 // 2, waited)

    def test_all_together_call_again_no_faster_than_new_ones(self) -> None:
        self.schedule.want(0, 2, 1000)
        for _ in range(5000):
            self.schedule.lost(0, 1, START)
        now = START + SECOND
        self.assertLessEqual(len(self.schedule.take(now, 10_000)), 21)
        self.assertLessEqual(len(self.schedule.take(now + SECOND // 100, 10_000)), 11)
