"""What a user does when nodes are slow: hedges after the p95, others asked after a while, and the budgets."""

from __future__ import annotations

from loadgen.run.client.sender import MS
from loadgen.wire.interface import CLOSED, REFUSED, TIMEOUT
from tests.loadgen.run.client.stage import Case, Stage


class HedgeTests(Case):
    """A node is slow."""

    def test_after_the_p95_a_second_node_is_asked_and_the_first_answer_counts(self) -> None:
        self.stage.ask()
        self.stage.pass_time(19)
        self.assertEqual(len(self.wire.sent), 1)
        self.stage.pass_time(1)
        first, second = self.wire.sent
        self.assertNotEqual(first.node, second.node)
        self.stage.answer(second)
        self.ends()
        self.assertEqual(self.wire.cancelled, [first])
        self.assertEqual(self.counts, {"requests": 1, "hedges": 1})
        self.stage.sender.answered(self.wire.cancellation(first))
        self.stage.pass_time(10_000)
        self.assertEqual((len(self.stage.ended), len(self.wire.sent)), (1, 2))

    def test_it_is_the_p95_of_the_node_that_was_asked(self) -> None:
        """A hedge for every request to a slow node would cost more than it brings."""
        self.stage.sender.hedge_after([300 * MS, 20 * MS, 20 * MS, 20 * MS])
        self.stage.ask(user=0)
        self.stage.users.node[1] = 1
        self.stage.ask(user=1)
        self.stage.pass_time(299)
        self.assertEqual([sent.user for sent in self.wire.sent], [0, 1, 1])
        self.stage.pass_time(1)
        self.assertEqual([sent.user for sent in self.wire.sent], [0, 1, 1, 0])

    def test_also_in_another_round(self) -> None:
        self.stage.ask()
        while self.wire.waiting():
            self.stage.answer_all(error=REFUSED)
        self.stage.pass_time(200)
        self.stage.pass_time(20)
        self.assertEqual((len(self.wire.waiting()), self.counts["hedges"]), (2, 1))

    def test_who_was_asked_first_may_still_win(self) -> None:
        self.stage.ask()
        self.stage.pass_time(20)
        first, second = self.wire.sent
        self.stage.answer(first)
        self.ends()
        self.assertEqual(self.wire.cancelled, [second])

    def test_a_node_that_lost_did_not_fail(self) -> None:
        self.stage.learn()
        self.stage.ask()
        self.stage.pass_time(20)
        self.stage.answer(self.wire.sent[1])
        self.assertEqual(self.failures_to_ejection(self.wire.sent[0].node), 2)

    def test_one_of_both_fails_the_other_answers(self) -> None:
        self.stage.ask()
        self.stage.pass_time(20)
        first, second = self.wire.sent
        self.stage.answer(first, error=CLOSED)
        self.assertEqual(self.stage.ended, [])
        self.stage.answer(second)
        self.ends()
        self.assertEqual([sent.node for sent in self.wire.cancelled], [self.wire.sent[2].node])

    def test_not_before_20_milliseconds_nor_while_too_little_is_known(self) -> None:
        self.stage.sender.hedge_after([1 * MS] * 4)
        self.stage.ask()
        self.stage.pass_time(19.9)
        self.assertEqual(len(self.wire.sent), 1)
        fresh = Stage()
        fresh.sender.hedge_after(fresh.unknown_p95)
        fresh.ask()
        fresh.pass_time(499)
        self.assertEqual(len(fresh.wire.sent), 1)
        fresh.pass_time(1)
        self.assertEqual(len(fresh.wire.sent), 2)

    def test_one_at_first_then_one_in_twenty(self) -> None:
        for _ in range(200):
            self.stage.ask()
            self.stage.pass_time(20)
            self.stage.answer_all()
        self.assertEqual(self.counts["hedges"], 1 + 200 // 20)

    def test_what_is_not_worth_it_has_none(self) -> None:
        self.stage.ask(purpose=-1)
        self.stage.pass_time(500)
        self.assertEqual(len(self.wire.sent), 1)

    def test_with_one_node_there_are_none(self) -> None:
        stage = Stage(nodes=1)
        stage.ask()
        stage.pass_time(999)
        self.assertEqual(len(stage.wire.sent), 1)


class PatienceTests(Case):
    """A node says nothing."""

    def test_after_a_second_it_has_failed_and_others_are_asked_while_it_is_waited_for(self) -> None:
        self.stage.learn()
        self.stage.ask(purpose=-1)
        self.stage.pass_time(20)
        self.stage.pass_time(979)
        self.assertEqual(len(self.wire.sent), 1)
        self.stage.pass_time(1)
        first, _ = self.wire.sent
        self.assertEqual(self.failures_to_ejection(first.node), 1)
        self.assertIn(first, self.wire.waiting())
        self.stage.answer(first)
        self.ends()

    def test_one_node_after_the_other_is_given_up(self) -> None:
        self.stage.ask(purpose=-1)
        self.stage.pass_time(20)
        counts = []
        for _ in range(5):
            self.stage.pass_time(1000)
            counts.append(len(self.wire.sent))
        self.assertEqual(counts, [2, 3, 4, 4, 4])
        self.stage.answer_all(error=TIMEOUT)
        self.assertEqual((self.stage.ended, self.stage.sender.waiting()), ([], 1))

    def test_it_is_eight_p95s_between_one_and_four_seconds(self) -> None:
        for p95, patience in ((1, 1000), (200, 1600), (900, 4000)):
            stage = Stage()
            stage.sender.hedge_after([p95 * MS] * 4)
            stage.ask(purpose=-1)
            stage.pass_time(max(20, p95))
            stage.pass_time(patience - max(20, p95) - 1)
            self.assertEqual(len(stage.wire.sent), 1)
            stage.pass_time(1)
            self.assertEqual(len(stage.wire.sent), 2)
