"""Who comes when: users who are away, at the times of the arrivals."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.arrivals import Rate, constant, poisson
from loadgen.models.calendar import FINE, TICKS, Calendar
from loadgen.models.draws import uniform
from loadgen.models.users import BEGIN, Users
from loadgen.run.process.arrival_scheduler import ArrivalScheduler
from tests.loadgen.near import assert_near

#: Page views of a session, on average: no whole number, as in most scenarios.
PAGES_MEAN = 5.4


class Sessions:
    """Stands where ``VirtualUsers`` does: users come, look once and go, or stay."""

    def __init__(self, users: Users, calendar: Calendar, stay: bool) -> None:
        self.users, self.calendar, self.stay = users, calendar, stay
        self.came: list[tuple[int, int]] = []
        self.viewed: list[tuple[int, int]] = []

    def arrive(self, user: int, tick: int) -> None:
        assert not self.users.active[user]
        self.users.active[user] = 1
        self.came.append((tick, user))
        self.calendar.add(user, tick)

    def view(self, user: int, tick: int) -> None:
        self.viewed.append((tick, user))
        if not self.stay:
            self.users.active[user] = 0


class ArrivalSchedulerTests(SynchronousTestCase):
    """A process's users."""

    def start(self, times: Iterable[float], count: int = 100, stay: bool = False) -> None:
        self.users = Users(count, 4)
        self.calendar = Calendar(count, BEGIN)
        self.sessions = Sessions(self.users, self.calendar, stay)
        self.counts: Counter[str] = Counter()
        self.arrivals = ArrivalScheduler(
            self.users,
            self.calendar,
            self.sessions,  # type: ignore[arg-type]
            iter(times),
            self.counts,
            PAGES_MEAN,
            uniform(np.random.default_rng(7)),
        )

    def run_for(self, seconds: float) -> None:
        """As the engine does: every 2 ms."""
        for tick in range(BEGIN, BEGIN + round(seconds * TICKS) + 1, FINE):
            self.arrivals.plan(tick)

    def test_users_come_at_the_times_of_the_arrivals_and_look_then(self) -> None:
        times = [0.05, 0.1, 0.10001, 0.3]
        self.start(times)
        self.run_for(1)
        ticks = [BEGIN + int(at * TICKS) for at in times]
        self.assertEqual([tick for tick, _ in self.sessions.came], ticks)
        self.assertEqual(self.sessions.viewed, sorted(self.sessions.came))

    def test_nobody_comes_before_its_time(self) -> None:
        self.start([0.5])
        self.arrivals.plan(BEGIN + TICKS // 2)
        self.assertEqual(self.sessions.came, [])
        self.arrivals.plan(BEGIN + TICKS // 2 + 1)
        self.assertEqual(len(self.sessions.came), 1)

    def test_a_turn_that_is_late_makes_up_for_all_it_missed_in_time_order(self) -> None:
        self.start(constant(1000.0), count=5000)
        self.arrivals.plan(BEGIN + 3 * TICKS)
        self.assertEqual(len(self.sessions.viewed), 3000)
        self.assertEqual(self.sessions.viewed, sorted(self.sessions.viewed))

    def test_anybody_may_be_the_next_to_come(self) -> None:
        """Of n users 1 - 1/e have come after n arrivals: the others came before, and come again."""
        self.start(itertools.count(0.0, 0.001), count=2000)
        self.run_for(2)
        users = [user for _, user in self.sessions.came]
        assert_near(len(set(users)) / 2000, 1 - 1 / np.e, 0.03)

    def test_the_last_one_who_is_away_is_found(self) -> None:
        self.start([0.01], count=50)
        self.users.active[:] = bytes([1]) * 50
        self.users.active[17] = 0
        self.run_for(0.1)
        self.assertEqual([user for _, user in self.sessions.came], [17])

    def test_neighbours_do_not_come_together(self) -> None:
        """Their homes are the nodes in turn: all nodes have newcomers at any time."""
        self.start(itertools.count(0.0, 0.001), count=1000)
        self.run_for(0.4)
        users = [user for _, user in self.sessions.came]
        for some in range(0, 400, 40):
            homes = Counter(user % 4 for user in users[some : some + 40])
            self.assertGreaterEqual(min(homes.values()), 5)

    def test_whoever_is_there_already_does_not_come_again(self) -> None:
        self.start(itertools.count(0.0, 0.01), count=10, stay=True)
        self.run_for(0.08)
        users = [user for _, user in self.sessions.came]
        self.assertEqual(len(users), len(set(users)))

    def test_when_all_are_there_the_others_are_turned_away_and_their_pages_not_offered(self) -> None:
        """A session that cannot begin counts for its pages, so that the run is not called valid."""
        self.start(itertools.count(0.0, 0.01), count=10, stay=True)
        self.run_for(0.149)
        self.assertEqual(len(self.sessions.came), 10)
        turned_away = 15 - 10  # of the arrivals at 0, 0.01, ... 0.14 s
        self.assertEqual(self.counts["turned_away"], turned_away)
        self.assertEqual(self.counts["not_offered"], turned_away * round(PAGES_MEAN))

    def test_after_the_last_arrival_nothing_more_happens(self) -> None:
        self.start([])
        self.run_for(0.1)
        self.start(poisson(Rate([0.0, 0.05], [1000.0, 0.0]), np.random.default_rng(1)))
        self.run_for(2)
        self.assertTrue(self.sessions.came)
        self.assertLess(max(tick for tick, _ in self.sessions.came), BEGIN + TICKS // 20)

    def test_a_share_is_there_when_the_run_begins(self) -> None:
        """Each views its next page when what is left of its think time has passed."""
        self.start([], count=4000)
        left = iter(range(1, 4001))
        self.arrivals.present(0.25, uniform(np.random.default_rng(1)), lambda: next(left))
        came = len(self.sessions.came)
        assert_near(came / 4000, 0.25, 0.03)
        self.assertEqual(sum(self.users.active), came)
        ticks = [tick - BEGIN for tick, _ in self.sessions.came]
        self.assertEqual(ticks, [second * TICKS for second in range(1, came + 1)])
        self.assertEqual(self.sessions.viewed, [])

    def test_nobody_and_everybody_can_be_there(self) -> None:
        for share, there in ((0.0, 0), (1.0, 100)):
            self.start([])
            self.arrivals.present(share, uniform(np.random.default_rng(1)), lambda: 1.0)
            self.assertEqual(sum(self.users.active), there)
