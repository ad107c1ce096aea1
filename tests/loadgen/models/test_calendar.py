"""The calendar against a sorted list: nobody comes early, is lost, or comes out of turn."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.calendar import FINE, TICKS, Calendar
from loadgen.models.users import BEGIN

USERS = 8
#: From within the present fine list to days later.
AHEAD = st.one_of(
    st.integers(-3 * TICKS, 3 * FINE),
    st.integers(0, 3 * TICKS),
    st.integers(0, 10 * TICKS),
    st.sampled_from([FINE - 1, FINE, FINE + 1, TICKS - 1, TICKS, TICKS + 1]),
)


def rounded(tick: int) -> int:
    """Up to the end of its fine list."""
    return -(-tick // FINE) * FINE


class Comparison(RuleBasedStateMachine):
    """Adds and pops in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.calendar = Calendar(USERS, BEGIN)
        #: By user: when, and from when on it may come.
        self.waiting: dict[int, tuple[int, int]] = {}
        self.now = BEGIN

    @rule(user=st.integers(0, USERS - 1), ahead=AHEAD)
    def add(self, user: int, ahead: int) -> None:
        """Somebody who is not in it."""
        if user not in self.waiting:
            at = self.now + ahead
            self.waiting[user] = (at, max(at, rounded(self.now)))
            self.calendar.add(user, at)

    @rule(step=st.one_of(st.integers(0, 3 * FINE), st.integers(0, 4 * TICKS)))
    def pop(self, step: int) -> None:
        """All who are due, in time order, as the list has them."""
        self.now += step
        limit = rounded(self.now)
        due = sorted((at, user) for user, (at, earliest) in self.waiting.items() if earliest < limit)
        assert self.calendar.pop(self.now) == due
        for _, user in due:
            del self.waiting[user]

    @invariant()
    def nobody_comes_while_no_time_passes(self) -> None:
        """What was popped once is popped no more."""
        assert self.calendar.pop(self.now) == []


class CalendarTests(SynchronousTestCase):
    """See :class:`Comparison`, and what it does not reach."""

    def test_it_is_a_sorted_list(self) -> None:
        """Also with users added for the past, at the edges of lists and seconds, while others wait."""
        case = Comparison.TestCase
        case.settings = settings(max_examples=25, stateful_step_count=25)
        case("runTest").runTest()

    @settings(max_examples=30)
    @given(st.lists(st.integers(BEGIN, BEGIN + 3 * TICKS), min_size=1, max_size=60))
    def test_each_comes_in_its_turn_and_at_most_one_fine_list_early(self, due: list[int]) -> None:
        """As the engine pops: every 2 ms."""
        calendar = Calendar(len(due), BEGIN)
        for user, tick in enumerate(due):
            calendar.add(user, tick)
        came = []
        for now in range(BEGIN, BEGIN + 3 * TICKS + 2 * FINE, FINE):
            for tick, user in calendar.pop(now):
                self.assertTrue(now - FINE <= tick < now, (tick, now))
                came.append((tick, user))
        self.assertEqual(came, sorted((tick, user) for user, tick in enumerate(due)))

    def test_the_past_counts_as_now_and_says_when_it_was(self) -> None:
        calendar = Calendar(1, BEGIN)
        calendar.pop(BEGIN + TICKS)
        calendar.add(0, BEGIN + 5)
        self.assertEqual(calendar.pop(BEGIN + TICKS), [])
        self.assertEqual(calendar.pop(BEGIN + TICKS + FINE), [(BEGIN + 5, 0)])

    def test_many_at_one_time_come_by_their_number(self) -> None:
        calendar = Calendar(1000, BEGIN)
        for user in reversed(range(1000)):
            calendar.add(user, BEGIN + TICKS)
        self.assertEqual(calendar.pop(BEGIN + TICKS), [])
        self.assertEqual(calendar.pop(BEGIN + TICKS + 1), [(BEGIN + TICKS, user) for user in range(1000)])

    def test_whoever_is_due_beyond_all_runs_waits_there(self) -> None:
        """A day's run ends long before the last tick that an entry can hold."""
        calendar = Calendar(2, BEGIN)
        calendar.add(0, 1 << 60)
        calendar.add(1, BEGIN + 600 * TICKS - 1)
        self.assertEqual(calendar.pop(BEGIN + 600 * TICKS), [(BEGIN + 600 * TICKS - 1, 1)])

    def test_a_user_costs_eight_bytes(self) -> None:
        self.assertEqual(Calendar(1000).memory(), 8000)
