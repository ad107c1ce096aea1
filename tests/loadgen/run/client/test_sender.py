"""How a user's requests find an answer: failover, rounds, retries and their budget."""

from __future__ import annotations

from loadgen.run.client.sender import MS, LogicalRequest
from loadgen.wire.interface import CLOSED, OK, REFUSED
from tests.loadgen.run.client.stage import START, Case, Stage


class AnsweredTests(Case):
    """Nothing goes wrong."""

    def test_an_ask_is_one_request_to_the_users_node_when_it_is_due(self) -> None:
        ask = self.stage.ask()
        (sent,) = self.wire.sent
        self.assertEqual((sent.user, sent.node, sent.due, sent.line), (0, 0, START, "GET /"))
        self.stage.pass_time(5)
        self.stage.answer(sent, 304)
        self.ends(304)
        self.assertIs(self.stage.ended[0][0], ask)
        self.assertEqual(self.counts, {"requests": 1})

    def test_what_is_wrong_with_the_request_is_an_answer(self) -> None:
        self.stage.ask()
        self.stage.answer_all(404)
        self.ends(404)

    def test_the_latency_that_is_remembered_is_from_due_to_the_head(self) -> None:
        self.stage.ask()
        self.stage.pass_time(15)
        self.stage.answer_all()
        self.assertEqual(self.stage.users.latency[0], 15_000)

    def test_an_ask_to_one_node_asks_nobody_else(self) -> None:
        for status, error in ((503, OK), (0, REFUSED), (200, OK)):
            stage = Stage()
            stage.sender.send_to(LogicalRequest(1, -1, START, b"/x", "post", stage.end, body=b"{}"), 2)
            stage.pass_time(10_000)
            self.assertEqual(stage.nodes(), [2])
            stage.answer_all(status, error)
            self.assertEqual(len(stage.ended), 1)
            stage.pass_time(10_000)
            self.assertEqual((stage.nodes(), stage.counts["retries"]), ([2], 0))


class FailoverTests(Case):
    """A node fails."""

    def test_another_node_is_asked_at_once(self) -> None:
        self.stage.ask()
        self.stage.pass_time(3)
        self.stage.answer_all(error=CLOSED)
        first, second = self.wire.sent
        self.assertNotEqual(first.node, second.node)
        self.assertEqual(second.due, self.stage.clock.now)
        self.stage.answer_all()
        self.ends()
        self.assertEqual(self.counts, {"requests": 1, "retries": 1})

    def test_a_server_in_trouble_is_one_that_fails(self) -> None:
        self.stage.ask()
        self.stage.answer_all(503)
        self.stage.answer_all(500)
        self.stage.answer_all(200)
        self.ends(200)
        self.assertEqual(len(set(self.stage.nodes())), 3)

    def test_each_node_is_asked_once_in_a_round(self) -> None:
        self.stage.ask()
        for _ in range(4):
            self.stage.answer_all(error=REFUSED)
        self.assertEqual(sorted(self.stage.nodes()), [0, 1, 2, 3])
        self.assertEqual((self.stage.ended, self.wire.waiting()), ([], []))
        self.assertEqual(self.stage.sender.waiting(), 1)

    def test_other_rounds_follow_after_200_and_800_milliseconds(self) -> None:
        self.stage.ask()
        began = []
        for pause in (200, 800):
            while self.wire.waiting():
                self.stage.answer_all(error=REFUSED)
            self.stage.pass_time(pause - 1)
            self.assertEqual(self.wire.waiting(), [])
            self.stage.pass_time(1)
            began.append(self.wire.waiting()[0].due - START)
        self.assertEqual(began, [200 * MS, 1000 * MS])
        while self.wire.waiting():
            self.stage.answer_all(error=REFUSED)
        self.ends(error=REFUSED)
        self.assertEqual(len(self.wire.sent), 12)
        self.assertEqual(self.counts["retries"], 11)

    def test_pauses_have_jitter(self) -> None:
        """A crowd whose nodes are away does not come back at one moment."""
        for random, pause in ((0.0, 100), (0.999999, 300)):
            stage = Stage(random=lambda random=random: random)
            stage.ask()
            while stage.wire.waiting():
                stage.answer_all(error=REFUSED)
            stage.pass_time(pause - 1)
            self.assertEqual(len(stage.wire.waiting()), 0)
            stage.pass_time(1)
            self.assertEqual(len(stage.wire.waiting()), 1)

    def test_when_all_are_in_trouble_the_last_says_so(self) -> None:
        self.stage.ask()
        for pause in (400, 1600, 0):
            while self.wire.waiting():
                self.stage.answer_all(503)
            self.stage.pass_time(pause)
        self.ends(503)

    def test_what_home_cannot_do_nobody_else_can(self) -> None:
        """500 and 501 of an application are answers there, and failures elsewhere."""
        for status in (500, 501):
            stage = Stage()
            stage.ask(user=1)
            while stage.wire.waiting():
                stage.answer_all(status)
            self.assertEqual((stage.nodes()[-1], stage.ended[0][1].status), (1, status))

    def test_what_home_alone_has_answered_is_asked_there_until_the_worker_ends(self) -> None:
        self.stage.learn()
        self.stage.users.node[0] = 2
        self.stage.ask()
        self.stage.answer_all(error=REFUSED)
        while (last := self.wire.waiting()[0]).node:
            self.stage.answer(last, error=REFUSED)
        self.stage.answer(last)
        self.stage.users.node[0] = 3
        self.assertEqual(self.asked_now(), 0)
        self.stage.sender.forget(0)
        self.assertNotEqual(self.asked_now(), 0)

    def asked_now(self) -> int:
        """Which node one more ask goes to."""
        self.stage.ask()
        node = self.wire.sent[-1].node
        self.stage.answer_all()
        return node

    def test_with_one_node_there_is_nobody_else_but_another_try(self) -> None:
        stage = Stage(nodes=1)
        stage.ask()
        stage.answer_all(error=CLOSED)
        stage.pass_time(200)
        stage.answer_all()
        self.assertEqual((stage.nodes(), len(stage.ended)), ([0, 0], 1))

    def test_retries_are_a_fifth_of_the_requests_after_the_first_32(self) -> None:
        """Whatever goes on, however long."""
        for _ in range(400):
            self.stage.ask()
            for _ in range(3):
                while self.wire.waiting():
                    self.stage.answer_all(error=REFUSED)
                self.stage.pass_time(2000)
        self.assertEqual(len(self.stage.ended), 400)
        self.assertEqual(self.counts["retries"], 32 + 400 // 5)
        self.assertEqual(len(self.wire.sent), 400 + self.counts["retries"])


class EndTests(Case):
    """The run is over."""

    def test_whoever_still_waits_has_no_answer(self) -> None:
        """On its way twice, or between two rounds: each ends once."""
        requests = [self.stage.ask(user) for user in (0, 1)]
        self.stage.pass_time(20)
        for sent in [sent for sent in self.wire.sent if sent.user == 1]:
            self.stage.answer(sent, error=REFUSED)
        while any(sent.user == 1 for sent in self.wire.waiting()):
            self.stage.answer(next(sent for sent in self.wire.waiting() if sent.user == 1), error=REFUSED)
        self.assertEqual(len([sent for sent in self.wire.waiting() if sent.user == 0]), 2)
        self.stage.sender.give_up()
        self.assertEqual(self.stage.ended, [(ask, None) for ask in requests])
        self.assertEqual(self.stage.sender.waiting(), 0)
        self.stage.pass_time(60_000)
        self.stage.answer_all()
        self.assertEqual(len(self.stage.ended), 2)
