"""Outlier ejection: a node that fails is avoided by who suffered, longer each time, and returns slowly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loadgen.models import choice
from loadgen.models.calendar import TICKS
from tests.loadgen.near import assert_near
from tests.loadgen.run.client.choosers import Case
from tests.loadgen.run.samples import load

#: Of random numbers: with this one an ejection lasts exactly as long as it says.
HALF = 0.5


class EjectionTests(Case):
    """Users for whom only node 0 has a weight: whoever is sent to another one has ejected it."""

    def setUp(self) -> None:
        self.begin(random=lambda: HALF)

    def begin(self, count: int = 1, random: Callable[[], float] | None = None) -> None:
        self.start(count=count, document=load(weights=(1, 0, 0, 0)), random=random)

    def is_ejected(self, user: int = 0) -> bool:
        return self.pick(user) != 0

    def lasts(self, user: int = 0) -> float:
        """Seconds from now until *user* asks the node again."""
        began, low, high = self.now, 0, 300 * TICKS
        while low < high:
            middle = (low + high) // 2
            self.now = began + middle
            low, high = (middle + 1, high) if self.is_ejected(user) else (low, middle)
        self.now = began
        return low / TICKS

    def test_one_failure_is_an_accident_two_are_a_reason(self) -> None:
        self.fail(0)
        self.assertFalse(self.is_ejected())
        self.fail(0)
        self.assertTrue(self.is_ejected())

    def test_an_answer_between_them_makes_them_accidents(self) -> None:
        for _ in range(5):
            self.fail(0)
            self.answered(0, 10)
        self.assertFalse(self.is_ejected())

    def test_failures_while_it_is_ejected_do_not_prolong_that(self) -> None:
        self.fail(0, 7)
        self.assertEqual(self.lasts(), 5)

    def test_each_further_ejection_lasts_twice_as_long_up_to_two_minutes(self) -> None:
        lasted = []
        self.fail(0, 2)
        for _ in range(7):
            lasted.append(self.lasts())
            self.pass_time(lasted[-1])
            self.fail(0)  # one is enough while it returns
        self.assertEqual(lasted, [5, 10, 20, 40, 80, 120, 120])

    def test_an_answer_after_its_return_forgives_all(self) -> None:
        """Fifteen seconds after it; until then one failure is enough to eject it again."""
        for ticks, again in ((0, True), (1, False)):
            self.begin(random=lambda: HALF)
            self.fail(0, 2)
            self.pass_time(5 + 15)
            self.now += ticks
            self.answered(0, 10)
            self.fail(0)
            self.assertEqual(self.is_ejected(), again)

    def test_jitter_spreads_the_returns_of_a_crowd_over_half_the_time(self) -> None:
        self.begin(count=500)
        for user in range(500):
            self.fail(0, 2, user)
        lasted = [self.lasts(user) for user in range(500)]
        self.assertTrue(all(3.75 <= one <= 6.25 for one in lasted))
        assert_near(float(np.mean(lasted)), 5, 0.2)
        self.assertGreater(max(lasted) - min(lasted), 2)

    def test_users_do_not_share_what_they_suffered(self) -> None:
        self.begin(count=2)
        self.fail(0, 2, user=0)
        self.assertEqual([self.is_ejected(user) for user in (0, 1)], [True, False])


class ReturnTests(Case):
    """After an ejection."""

    def share(self, seconds: float) -> float:
        """Of the draws between node 0 and one like it, so long after the ejection of node 0 has ended."""
        at = HALF
        self.start(document=load(weights=(1, 1, 1, 0)), random=lambda: at)
        self.fail(0, 2)
        self.pass_time(5 + seconds)
        home, drawn = self.users.node[0] or 2, []
        self.users.node[0] = home
        for step in range(1000):
            at = (step + 0.5) / 1000
            drawn.append(self.pick(tried=1 << home))
        self.assertLessEqual(set(drawn), {0, 3 - home})
        return drawn.count(0) / 1000

    def test_it_returns_slowly(self) -> None:
        """Trusted a tenth at first, wholly after 15 s."""
        for seconds, trust in ((-0.1, 0.0), (0, 0.1), (7.5, 0.55), (15, 1.0), (60, 1.0)):
            assert_near(self.share(seconds), trust / (trust + 1), 0.001, f"{seconds} s:")


class RetryTests(Case):
    """Never a node twice in one round."""

    def test_each_node_is_tried_once_and_then_there_is_none(self) -> None:
        for policy in choice.POLICIES:
            self.start(policy)
            tried, order = 0, []
            while (node := self.pick(tried=tried)) >= 0:
                self.assertFalse(tried >> node & 1)
                tried |= 1 << node
                order.append(node)
            self.assertEqual(sorted(order), [0, 1, 2, 3], policy)

    def test_a_retry_elsewhere_does_not_move_the_user(self) -> None:
        self.start()
        node = self.pick()
        self.pick(tried=1 << node)
        self.assertEqual(self.users.node[0], node)

    def test_a_request_is_better_tried_than_failed(self) -> None:
        """Where all weights are 0 the one is asked whose ejection ends first; nobody moves for that."""
        self.start(document=load(weights=(0, 0, 0, 0)), random=lambda: HALF)
        self.assertEqual(self.picks(), {0})
        order = [2, 0, 1, 3]
        for node in order:
            self.fail(node, 2)
            self.pass_time(2)
        self.assertEqual(self.picks(), {2})
        self.assertEqual(self.pick(tried=1 << 2), 0)
        self.assertEqual(self.pick(tried=1 << 2 | 1 << 0), 1)
        self.assertEqual(self.users.node[0], 0)
