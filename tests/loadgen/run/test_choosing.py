"""Which node a request goes to: the model's formulas for one client, and what it remembers between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import LoadDocument
from loadgen.models import choice
from loadgen.models.calendar import TICKS
from loadgen.models.draws import uniform
from loadgen.models.users import BEGIN, Users
from loadgen.run import choosing
from loadgen.run.choosing import Choosing, Document, better_of_two, scores_of_one
from tests.loadgen.near import assert_near
from tests.loadgen.run.samples import URLS, load

#: Numbers whose sums and products are exact, so that both ways must agree exactly.
EXACT = st.integers(0, 64).map(lambda number: number / 16)
PLACES = st.integers(0, 255).map(lambda number: number / 256)
MS = 1000


class FormulaTests(SynchronousTestCase):
    """One client at a time, against the arrays of the model."""

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 1e7), st.floats(0, 1)), min_size=1, max_size=8),
        st.floats(0.01, 1e6),
    )
    def test_scores_are_those_of_the_model(
        self, nodes: list[tuple[float, float, float]], best: float
    ) -> None:
        weights, expected, trusts = (list(column) for column in zip(*nodes, strict=True))
        self.assertEqual(
            scores_of_one(weights, expected, best, trusts),
            choice.scores(weights, expected, best, trusts).tolist(),
        )

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(EXACT, EXACT), min_size=1, max_size=6), PLACES, PLACES)
    def test_the_better_of_two_is_the_models(
        self, nodes: list[tuple[float, float]], one_at: float, other_at: float
    ) -> None:
        scores, costs = (list(column) for column in zip(*nodes, strict=True))
        self.assertEqual(
            better_of_two(scores, costs, one_at, other_at),
            int(choice.better_of_two(scores, costs, one_at, other_at)[0]),
        )

    @settings(deadline=None)
    @given(st.lists(st.floats(0, 1e3), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True), PLACES)
    def test_whatever_the_numbers_only_what_has_a_score_is_drawn(
        self, scores: list[float], one_at: float, other_at: float
    ) -> None:
        node = better_of_two(scores, [1.0] * len(scores), one_at, other_at)
        self.assertTrue(scores[node] > 0 if node >= 0 else not any(scores))


class Case(SynchronousTestCase):
    """One or more users, all at home with node 0 at first."""

    def start(
        self,
        policy: str = "smart",
        count: int = 1,
        document: LoadDocument | None = None,
        seed: int = 1,
        random: Callable[[], float] | None = None,
    ) -> None:
        """All users have read *document*."""
        self.now = BEGIN
        self.users = Users(count, 4)
        self.choosing = Choosing(self.users, policy, URLS, random or uniform(np.random.default_rng(seed)))
        self.document = self.choosing.publish(document or load())
        for user in range(count):
            self.choosing.learn(user, self.document, self.now)

    def pick(self, user: int = 0, tried: int = 0) -> int:
        return self.choosing.pick(user, self.now, tried)

    def answered(self, node: int, ms: float, user: int = 0) -> None:
        self.choosing.answered(user, node, int(ms * MS), self.now)

    def fail(self, node: int, times: int = 1, user: int = 0) -> None:
        for _ in range(times):
            self.choosing.failed(user, node, self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += round(seconds * TICKS)

    def picks(self, count: int = 200) -> set[int]:
        return {self.pick() for _ in range(count)}

    def draws(self, count: int = 4000) -> Counter[int]:
        """Where so many new users go that read the same document."""
        self.start(count=count, document=self.shown)
        return Counter(self.users.node)

    shown: LoadDocument


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

    def test_a_node_that_is_draining_or_gone_from_the_document_has_the_weight_0(self) -> None:
        draining = Document(load(states=("draining", "alive", "dead", "alive")), URLS)
        self.assertEqual(draining.weights, [0, 1, 0, 1])
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
        self.start(document=load(weights=(1, 0, 0, 0)))
        self.answered(0, 10)
        self.answered(0, 100)
        self.assertEqual(self.choosing._expected(0, 0, self.now), 100 * MS)
        assert_near(self.choosing._expected(0, 0, self.now + 60 * TICKS), (10 + 90 / np.e) * MS, 50)
        self.assertEqual(self.choosing._expected(0, 1, self.now), self.choosing._best(0))

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


class PolicyTests(Case):
    """The ways that the smart one is compared with."""

    def test_least_loaded_goes_where_the_document_says_it_is_empty(self) -> None:
        self.start("least-loaded", document=load(utilizations=(0.5, 0.2, 0.1, 0.4), weights=(1, 1, 0, 1)))
        self.assertEqual(self.picks(), {1})
        self.assertEqual([self.pick(tried=tried) for tried in (0b0010, 0b1010, 0b1011)], [3, 0, 2])

    def test_two_choices_never_takes_the_fullest(self) -> None:
        self.start("two-choices", document=load(utilizations=(0.5, 0.2, 0.1, 0.4)))
        drawn = Counter(self.pick() for _ in range(6000))
        expected = choice.policy_shares("two-choices", [1, 1, 1, 1], [0.5, 0.2, 0.1, 0.4])
        for node in range(4):
            assert_near(drawn[node] / 6000, float(expected[node]), 0.025)

    def test_random_is_even(self) -> None:
        self.start("random")
        drawn = Counter(self.pick() for _ in range(6000))
        for node in range(4):
            assert_near(drawn[node] / 6000, 0.25, 0.025)

    def test_one_is_the_first(self) -> None:
        self.start("one")
        self.assertEqual(self.picks(), {0})

    def test_without_a_document_any_node_will_do(self) -> None:
        for policy in ("least-loaded", "two-choices"):
            fresh = Choosing(Users(1, 4), policy, URLS, uniform(np.random.default_rng(1)))
            self.assertEqual({fresh.pick(0, BEGIN, 0) for _ in range(200)}, {0, 1, 2, 3})

    def test_only_who_reads_documents_needs_them(self) -> None:
        reads = {
            name for name in choice.POLICIES if Choosing(Users(1, 4), name, URLS, lambda: 0.0).reads_load
        }
        self.assertEqual(reads, {"smart", "least-loaded", "two-choices"})

    def test_with_one_node_every_policy_takes_it(self) -> None:
        for policy in choice.POLICIES:
            single = Choosing(Users(1, 1), policy, URLS[:1], lambda: 0.999)
            number = single.publish(LoadDocument("edge", 1, 0, load().nodes[:1]))
            single.learn(0, number, BEGIN)
            self.assertEqual([single.pick(0, BEGIN, tried) for tried in (0, 1)], [0, -1])


class ReproducibilityTests(Case):
    """A seed decides everything."""

    def history(self, policy: str, seed: int) -> list[int]:
        self.start(policy, count=20, seed=seed)
        found = []
        for step in range(400):
            user = step % 20
            node = self.pick(user)
            found.append(node)
            if step % 7 == 3:
                self.fail(node, user=user)
            else:
                self.answered(node, 5 + step % 50, user)
            if self.choosing.is_due(user, self.now):
                self.choosing.learn(user, self.document, self.now)
            self.pass_time(0.3)
        return found

    def test_one_seed_one_history(self) -> None:
        for policy in choice.POLICIES:
            self.assertEqual(self.history(policy, 5), self.history(policy, 5))
        self.assertNotEqual(self.history("smart", 5), self.history("smart", 6))

    def test_old_documents_are_forgotten_but_not_who_has_read_them(self) -> None:
        """A run of hours reads more documents than are kept."""
        self.patch(choosing, "_DOCUMENTS", 100)
        self.start(document=load(weights=(1, 0, 0, 0)))
        shown = load(weights=(0, 1, 0, 0))
        for _ in range(500):
            newest = self.choosing.publish(shown)
        self.assertEqual(self.picks(5), {1})
        self.choosing.learn(0, newest, self.now)
        self.assertFalse(self.choosing.is_due(0, self.now))
