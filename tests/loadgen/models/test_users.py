"""What a user knows: pages in a ring of twelve, and what that costs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.calendar import TICKS, Calendar
from loadgen.models.draws import zipf_weights
from loadgen.models.users import BEGIN, NO_PAGE, RING, Users
from tests.loadgen.near import assert_near


def pages_of(users: Users, user: int) -> dict[int, int]:
    """Pages that *user* has kept, and when each was confirmed."""
    at = users.ring_at[user * RING : (user + 1) * RING]
    return {page: tick for page, tick in zip(users.kept(user), at, strict=True) if page != NO_PAGE}


class RingTests(SynchronousTestCase):
    """The last twelve pages."""

    def test_a_new_user_has_kept_nothing(self) -> None:
        self.assertEqual(Users(2, 4).kept(1), [NO_PAGE] * RING)

    def test_a_page_kept_again_stays_in_its_place_with_a_new_time(self) -> None:
        users = Users(1, 1)
        users.keep(0, 7, BEGIN)
        users.keep(0, 8, BEGIN + 1)
        users.keep(0, 7, BEGIN + 2)
        self.assertEqual(users.kept(0)[:3], [7, 8, NO_PAGE])
        self.assertEqual(pages_of(users, 0), {7: BEGIN + 2, 8: BEGIN + 1})

    def test_the_thirteenth_takes_the_place_of_the_first(self) -> None:
        users = Users(1, 1)
        for page in range(RING + 1):
            users.keep(0, page, BEGIN + page)
        self.assertEqual(users.kept(0), [12, *range(1, 12)])

    def test_what_is_forgotten_is_kept_no_more_also_where_it_stands_twice(self) -> None:
        users = Users(1, 1)
        users.ring_page[:4] = type(users.ring_page)("I", [5, 6, 5, 7])
        users.forget(0, 5)
        self.assertEqual(set(pages_of(users, 0)), {6, 7})
        users.forget(0, 9)
        self.assertEqual(set(pages_of(users, 0)), {6, 7})

    @settings(max_examples=60)
    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.booleans()), max_size=80))
    def test_each_user_has_a_ring_of_its_own(self, steps: list[tuple[int, int, bool]]) -> None:
        """Against a list for each: at most twelve pages, none twice, the present one always among them."""
        users = Users(3, 4)
        rings: list[list[int | None]] = [[None] * RING for _ in range(3)]
        slots = [0] * 3
        for tick, (user, page, keeps) in enumerate(steps, BEGIN):
            ring = rings[user]
            if not keeps:
                users.forget(user, page)
                rings[user] = [None if one == page else one for one in ring]
                continue
            users.keep(user, page, tick)
            if page not in ring:
                ring[slots[user]] = page
                slots[user] = (slots[user] + 1) % RING
            self.assertEqual(pages_of(users, user)[page], tick)
        for user, ring in enumerate(rings):
            self.assertEqual([None if one == NO_PAGE else one for one in users.kept(user)], ring)


class WarmTests(SynchronousTestCase):
    """Who has been here before."""

    def warm(self, share: float, pages: int, age: int = 3600 * TICKS, count: int = 4000) -> Users:
        users = Users(count, 4)
        users.warm(share, pages, zipf_weights(50, 1.0), age, np.random.default_rng(3))
        return users

    def test_a_share_of_the_users_has_seen_so_many_pages(self) -> None:
        users = self.warm(0.3, 5)
        seen = [sum(page != NO_PAGE for page in users.kept(user)) for user in range(users.count)]
        self.assertEqual(set(seen), {0, 5})
        assert_near(seen.count(5) / users.count, 0.3, 0.04)

    def test_nobody_and_everybody(self) -> None:
        self.assertEqual(set(self.warm(0.0, 5).ring_page), {NO_PAGE})
        self.assertNotIn(NO_PAGE, self.warm(1.0, RING).ring_page)

    def test_visits_lie_before_the_run_and_no_longer_ago_than_said(self) -> None:
        users = self.warm(1.0, 6, age=90_000 * TICKS)
        at = [tick for user in range(users.count) for tick in pages_of(users, user).values()]
        self.assertGreaterEqual(min(at), BEGIN - 90_000 * TICKS)
        self.assertLess(max(at), BEGIN)
        assert_near((BEGIN - float(np.mean(at))) / TICKS, 45_000, 1000)
        self.assertEqual({tick for tick in self.warm(1.0, 1, age=0).ring_at if tick}, {BEGIN - 1})

    def test_popular_pages_were_seen_by_more(self) -> None:
        seen = np.bincount([page for page in self.warm(1.0, 6).ring_page if page != NO_PAGE], minlength=50)
        assert_near(seen[0] / seen[9], 10, 2)
        self.assertEqual(len(seen), 50)

    def test_the_next_page_takes_an_empty_place_first(self) -> None:
        users = self.warm(1.0, 5)
        before = users.kept(0)
        users.keep(0, 1000, BEGIN)
        self.assertEqual(users.kept(0)[:5], before[:5])
        self.assertEqual(users.kept(0)[5], 1000)
        full = self.warm(1.0, RING)
        full.keep(0, 1000, BEGIN)
        self.assertEqual(full.kept(0)[0], 1000)


class MemoryTests(SynchronousTestCase):
    """A million users fit into one process."""

    def test_a_user_of_four_nodes_costs_200_bytes_at_most_with_its_place_in_the_calendar(self) -> None:
        memory = Users(1000, 4).memory() + Calendar(1000, BEGIN).memory()
        self.assertLessEqual(memory / 1000, 200)

    def test_what_is_said_of_it_is_all_there_is(self) -> None:
        """Every array counts; the module's table is exact."""
        self.assertEqual(Users(1000, 4).memory() / 1000, 151)
        self.assertEqual(Users(1000, 5).memory() - Users(1000, 4).memory(), 8000)
