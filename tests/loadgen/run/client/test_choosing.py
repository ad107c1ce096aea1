"""Which node a request goes to: when a client stays or leaves."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np

from edge.load.document import LoadDocument, node_load
from edge.load.report import unknown
from loadgen.models.calendar import TICKS
from loadgen.models.users import BEGIN, Users
from loadgen.run.client.choosing import Choosing, Document
from tests.loadgen.near import assert_near
from tests.loadgen.run.client.choosers import Case
from tests.loadgen.run.samples import URLS, load

MS = 1000


class StayingTests(Case):
    """A client stays where its connections are warm."""

    def test_before_the_first_document_only_home_is_known(self) -> None:
        users = Users(4, 4)
        users.node[2] = 2
        fresh = Choosing(users, "smart", URLS, lambda: 0.99)
        self.assertEqual(fresh.pick(2, BEGIN, 0), 2)
        self.assertEqual(fresh.pick(2, BEGIN, 0b0100), 3)

    def test_it_stays_with_its_node_as_long_as_that_is_well(self) -> None:
        self.start()
        node = self.pick()
        for _ in range(100):
            self.answered(node, 12)
            self.pass_time(1)
            self.assertEqual(self.pick(), node)

    def test_the_first_document_draws_a_node_by_weight(self) -> None:
        self.shown = load(weights=(0.9, 0.3, 0.6, 0.0))
        drawn = self.draws()
        self.assertEqual(drawn[3], 0)
        for node, share in ((0, 0.5), (1, 1 / 6), (2, 1 / 3)):
            assert_near(drawn[node] / 4000, share, 0.03)

    def test_each_further_document_moves_the_share_that_keeps_a_crowd_stable(self) -> None:
        """(1 - utilization) / 2 of a period's clients, at equal weights three quarters of them to another."""
        self.start(count=4000, document=load(utilizations=(0.6, 0.6, 0.6, 0.6)))
        before = bytes(self.users.node)
        self.now += 5 * TICKS
        for user in range(4000):
            self.choosing.learn(user, self.document, self.now)
        moved = sum(one != other for one, other in zip(before, self.users.node, strict=True))
        assert_near(moved / 4000, 0.2 * 3 / 4, 0.03)

    def test_a_document_read_again_at_once_moves_nobody(self) -> None:
        self.start(count=1000)
        before = bytes(self.users.node)
        for user in range(1000):
            self.choosing.learn(user, self.document, self.now)
        self.assertEqual(bytes(self.users.node), before)

    def test_whoever_knows_an_old_document_reads_the_next(self) -> None:
        self.start(document=load(ttl_ms=5000))
        self.assertFalse(self.choosing.is_due(0, self.now + 5 * TICKS - 1))
        self.assertTrue(self.choosing.is_due(0, self.now + 5 * TICKS))
        self.assertTrue(Choosing(Users(1, 4), "smart", URLS, lambda: 0.0).is_due(0, BEGIN))


class LeavingTests(Case):
    """It goes when its node is no longer what it was."""

    def test_a_node_of_weight_0_is_left_for_good(self) -> None:
        self.start(document=load(weights=(1, 0, 0, 0)))
        self.assertEqual(self.pick(), 0)
        number = self.choosing.publish(load(weights=(0, 1, 0, 0)))
        self.choosing.learn(0, number, self.now)
        self.assertEqual(self.picks(), {1})
        self.assertEqual(self.users.node[0], 1)

    def test_the_weight_alone_says_whether_a_node_may_be_chosen(self) -> None:
        """The state is for people: who is suspected by a node that doubts itself keeps the weight."""
        report = msgspec.structs.replace(unknown("n"), weight=0.5)
        states = (("alive", False), ("suspect", True), ("suspect", False), ("dead", True))
        nodes = tuple(
            node_load(report, url, state, doubtful=doubtful)
            for url, (state, doubtful) in zip(URLS, states, strict=True)
        )
        said = Document(LoadDocument("edge", 1, 0, nodes), URLS)
        self.assertEqual(said.weights, [0.5, 0.5, 0, 0])

    def test_a_node_that_is_gone_from_the_document_has_the_weight_0(self) -> None:
        few = load()
        gone = Document(LoadDocument("edge", 1, 0, few.nodes[1:3]), URLS)
        self.assertEqual((gone.weights, gone.utilizations), ([0, 1, 1, 0], [1, 0, 0, 1]))

    def test_a_node_three_times_slower_than_the_best_is_left(self) -> None:
        self.start()
        node = self.pick()
        other = (node + 1) % 4
        self.answered(other, 20)
        self.answered(node, 59)
        self.assertEqual(self.pick(), node)
        self.answered(node, 200)
        self.assertNotEqual(self.pick(), node)
        self.assertNotEqual(self.users.node[0], node)

    def test_less_than_ten_milliseconds_is_as_good_as_can_be(self) -> None:
        """Three times one millisecond is no reason to go."""
        self.start()
        node = self.pick()
        self.answered((node + 1) % 4, 1)
        self.answered(node, 29)
        self.assertEqual(self.pick(), node)

    def test_a_peak_counts_at_once_and_is_forgotten_slowly(self) -> None:
        self.start()
        node = self.pick()
        place = node
        self.answered(node, 10)
        self.answered(node, 100)
        self.assertEqual(self.users.latency[place], 100 * MS)
        self.pass_time(10)
        self.answered(node, 10)
        assert_near(self.users.latency[place], (10 + 90 / np.e) * MS, 1)

    def test_a_slow_node_is_forgiven_while_nobody_looks(self) -> None:
        """What it is above the best shrinks by e in 60 s; three times the best is where it is left."""
        best = 10 * 1.005  # the best that is known rises a little with every answer
        forgiven_s = 60 * np.log((100 - best) / (3 * best - best))
        for seconds, stays in ((0, False), (forgiven_s - 0.1, False), (forgiven_s + 0.1, True)):
            # 0.9: of two nodes the other one is drawn, unless the user stays.
            self.start(document=load(weights=(1, 1, 0, 0)), random=lambda: 0.9)
            self.users.node[0] = 0
            self.answered(0, 10)
            self.answered(0, 100)
            self.pass_time(seconds)
            self.assertEqual(self.pick() == 0, stays, seconds)

    def test_a_node_that_was_never_asked_counts_as_the_best_that_is_known(self) -> None:
        """Neither faster nor slower than that: as many users go there as stay."""
        self.start(count=4000, document=load(weights=(1, 1, 0, 0)))
        for user in range(4000):
            self.users.document[user] = 0
            self.answered(0, 60, user)
            self.choosing.learn(user, self.document, self.now)
        assert_near(Counter(self.users.node)[1] / 4000, 0.5, 0.03)

    def test_slow_nodes_are_drawn_less(self) -> None:
        """By the square of what they are slower than half as slow again: 1 to 1/4 at three times."""
        self.start(count=4000, document=load(weights=(1, 1, 0, 0)))
        for user in range(4000):
            self.users.document[user] = 0
            self.answered(0, 20, user)
            self.answered(1, 60, user)
            self.choosing.learn(user, self.document, self.now)
        assert_near(Counter(self.users.node)[1] / 4000, 0.2, 0.03)

    def test_of_two_near_equal_ones_the_faster_is_taken(self) -> None:
        self.start(count=1000, document=load(weights=(1, 1, 0, 0)))
        for user in range(1000):
            self.users.document[user] = 0
            self.answered(0, 20, user)
            self.answered(1, 28, user)
            self.choosing.learn(user, self.document, self.now)
        self.assertEqual(set(self.users.node), {0})
