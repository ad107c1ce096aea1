"""Nodes that fail: ejected by the user who suffered, longer each time, and trusted again slowly."""

from __future__ import annotations

import numpy as np

from loadgen.models import choice
from loadgen.models.calendar import TICKS
from loadgen.models.users import BEGIN
from tests.loadgen.near import assert_near
from tests.loadgen.run.client.choosers import Case
from tests.loadgen.run.samples import load


class EjectionTests(Case):
    """Failures in a row."""

    def setUp(self) -> None:
        # 0.5: an ejection lasts exactly as long as it says; of equal nodes the third is drawn.
        self.start(document=load(weights=(1, 1, 0, 0)), random=lambda: 0.5)
        self.home = self.pick()
        self.other = 1 - self.home

    def test_one_failure_is_an_accident_two_are_a_reason(self) -> None:
        self.fail(self.home)
        self.assertEqual(self.pick(), self.home)
        self.fail(self.home)
        self.assertEqual(self.pick(), self.other)

    def test_an_answer_between_them_makes_them_accidents(self) -> None:
        for _ in range(5):
            self.fail(self.home)
            self.answered(self.home, 10)
        self.assertEqual(self.pick(), self.home)

    def test_failures_while_it_is_ejected_do_not_prolong_that(self) -> None:
        self.fail(self.home, 7)
        self.assertEqual(self.choosing._trust(0, self.home, self.now + 5 * TICKS - 1), 0.0)
        self.assertGreater(self.choosing._trust(0, self.home, self.now + 5 * TICKS), 0.0)

    def test_each_further_ejection_lasts_twice_as_long_up_to_two_minutes(self) -> None:
        lasted = []
        self.fail(self.home, 2)
        for _ in range(7):
            until = self.choosing._trouble[0, self.home].until
            lasted.append((until - self.now) / TICKS)
            self.now = until
            self.fail(self.home)  # one is enough while it returns
        self.assertEqual(lasted, [5, 10, 20, 40, 80, 120, 120])

    def test_it_returns_slowly(self) -> None:
        self.fail(self.home, 2)
        end = self.choosing._trouble[0, self.home].until
        trusts = [self.choosing._trust(0, self.home, end + round(s * TICKS)) for s in (-0.1, 0, 7.5, 15, 60)]
        for trust, expected in zip(trusts, (0, 0.1, 0.55, 1, 1), strict=True):
            assert_near(trust, expected, 1e-9)

    def test_an_answer_after_its_return_forgives_all(self) -> None:
        self.fail(self.home, 2)
        end = self.choosing._trouble[0, self.home].until
        self.now = end + 15 * TICKS
        self.answered(self.home, 10)
        self.assertIn((0, self.home), self.choosing._trouble)
        self.now += 1
        self.answered(self.home, 10)
        self.assertEqual(self.choosing._trouble, {})

    def test_jitter_spreads_the_returns_of_a_crowd_over_half_the_time(self) -> None:
        self.start(count=500)
        for user in range(500):
            self.fail(0, 2, user)
        lasted = [(trouble.until - BEGIN) / TICKS for trouble in self.choosing._trouble.values()]
        self.assertTrue(all(3.75 <= one <= 6.25 for one in lasted))
        assert_near(float(np.mean(lasted)), 5, 0.2)

    def test_users_do_not_share_what_they_suffered(self) -> None:
        self.start(count=2, document=load(weights=(1, 0, 0, 0)))
        self.fail(0, 2, user=0)
        self.assertEqual(self.choosing._trust(1, 0, self.now), 1.0)


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
        self.start(document=load(weights=(0, 0, 0, 0)))
        self.assertEqual(self.picks(), {0})
        for node in (0, 2, 1, 3):
            self.fail(node, 2)
            self.pass_time(2)
        order = sorted(range(4), key=lambda node: self.choosing._trouble[0, node].until)
        self.assertEqual(self.picks(), {order[0]})
        self.assertEqual(self.pick(tried=1 << order[0]), order[1])
        self.assertEqual(self.users.node[0], 0)
