"""Open-loop arrivals: users from the crowd of those that are away come at the times of an arrival process.

The answers do not change the plan, so a slow cluster is not asked less (an open workload model).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator

from loadgen.models.calendar import FINE, TICKS, Calendar
from loadgen.models.users import BEGIN, Users
from loadgen.run.process.sessions import Sessions

#: Users that are tried before nobody counts as free.
_TRIES = 64


class ArrivalScheduler:
    """The plan of a process: which session begins and which page is viewed until a tick."""

    def __init__(
        self,
        users: Users,
        calendar: Calendar,
        virtual_users: Sessions,
        times: Iterator[float],
        counts: Counter[str],
        pages_mean: float,
        uniform: Callable[[], float],
    ) -> None:
        """Schedule the arrivals at *times* (seconds).

        *pages_mean*: what a session that cannot begin counts for; *uniform*: whoever is away may be the next
        to come.
        """
        self._users, self._calendar, self._virtual_users = users, calendar, virtual_users
        self._times, self._counts, self._pages, self._uniform = times, counts, pages_mean, uniform
        self._next = self._tick()
        self._planned = BEGIN

    def present(self, share: float, uniform: Callable[[], float], left: Callable[[], float]) -> None:
        """Have a *share* of the users be in the middle of a session when the run begins.

        *left*: seconds until the next page view of such a user.
        """
        for user in range(self._users.count):
            if uniform() < share:
                self._virtual_users.arrive(user, BEGIN + int(left() * TICKS))

    def plan(self, until: int) -> None:
        """Begin the sessions and have the page views that are due before the tick *until*.

        By the calendar's grid, not by when this happens to be called: so random numbers are drawn in the same
        order each time, and the same seed is the same plan.
        """
        view = self._virtual_users.view
        while self._planned < until:
            self._planned += FINE
            while self._next < self._planned:
                self._arrive(self._next)
                self._next = self._tick()
            for tick, user in self._calendar.pop(self._planned):
                view(user, tick)

    def _tick(self) -> int:
        second = next(self._times, math.inf)
        return BEGIN + int(min(second, 1e9) * TICKS)

    def _arrive(self, tick: int) -> None:
        users = self._users
        first = int(self._uniform() * users.count)
        for step in range(min(_TRIES, users.count)):
            user = (first + step) % users.count
            if not users.active[user]:
                self._virtual_users.arrive(user, tick)
                return
        self._counts["turned_away"] += 1
        self._counts["not_offered"] += round(self._pages)
