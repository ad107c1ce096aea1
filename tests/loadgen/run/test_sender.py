"""How a user's requests find an answer: failover, rounds, hedges, patience, and the budgets for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.draws import uniform
from loadgen.models.users import Users
from loadgen.run.choosing import Choosing
from loadgen.run.clock import Clock
from loadgen.run.heads import Heads
from loadgen.run.sender import MS, Ask, Sender
from loadgen.wire.interface import CLOSED, OK, REFUSED, TIMEOUT, Answer
from tests.loadgen.run.memory_wire import MemoryWire, Sent
from tests.loadgen.run.samples import URLS, load

START = 5_000_000_000_000


class Stage:
    """A sender, the wire that a test answers for, and what came of each ask."""

    def __init__(
        self, nodes: int = 4, random: Callable[[], float] = lambda: 0.5, policy: str = "smart"
    ) -> None:
        self.clock = Clock(START)
        self.wire = MemoryWire(self.clock)
        self.counts: Counter[str] = Counter()
        self.ended: list[tuple[Ask, Answer | None]] = []
        self.users = Users(4, nodes)
        self.choosing = Choosing(self.users, policy, URLS[:nodes], random)
        heads = Heads(URLS[:nodes])
        self.sender = Sender(
            self.wire, self.clock, self.users, self.choosing, heads, random, self.end, self.counts
        )
        self.unknown_p95 = self.sender.p95
        self.sender.p95 = [20 * MS] * nodes

    def end(self, ask: Ask, answer: Answer | None) -> None:
        """An ask is over."""
        self.ended.append((ask, answer))

    def learn(self) -> None:
        """All users know the nodes, and all nodes are equal."""
        number = self.choosing.publish(load())
        for user in range(self.users.count):
            self.choosing.learn(user, number, self.clock.tick(self.clock.now))

    def ask(self, user: int = 0, purpose: int = 0) -> Ask:
        """Send one now."""
        ask = Ask(user, purpose, self.clock.now, b"/", "document")
        self.sender.send(ask)
        return ask

    def pass_time(self, ms: float) -> None:
        """As the engine does."""
        self.clock.now += round(ms * MS)
        self.sender.turn(self.clock.now)

    def answer(self, sent: Sent, status: int = 200, error: int = OK) -> None:
        """The node says so, now."""
        self.sender.answered(self.wire.answer(sent, 0 if error else status, error=error))

    def answer_all(self, status: int = 200, error: int = OK) -> None:
        """Whatever is on its way now."""
        for sent in self.wire.waiting():
            self.answer(sent, status, error)

    def nodes(self) -> list[int]:
        """Which were asked, in order."""
        return [sent.node for sent in self.wire.sent]


class Case(SynchronousTestCase):
    """One user at home with node 0, who knows that there are others."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.wire = self.stage.wire
        self.counts = self.stage.counts

    def ends(self, status: int = 200, error: int = OK) -> None:
        """The one ask has ended so."""
        ((_, answer),) = self.stage.ended
        assert answer is not None
        self.assertEqual((answer.status, answer.error), (0 if error else status, error))
        self.assertEqual(self.stage.sender.waiting(), 0)


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
            stage.sender.send_to(Ask(1, -1, START, b"/x", "post", body=b"{}"), 2)
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

    def test_what_is_not_implemented_is_not_asked_for_again_later(self) -> None:
        self.stage.ask()
        while self.wire.waiting():
            self.stage.answer_all(501)
        self.ends(501)
        self.assertEqual(len(self.wire.sent), 4)

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
        asks = [self.stage.ask(user) for user in (0, 1)]
        self.stage.pass_time(20)
        for sent in [sent for sent in self.wire.sent if sent.user == 1]:
            self.stage.answer(sent, error=REFUSED)
        while any(sent.user == 1 for sent in self.wire.waiting()):
            self.stage.answer(next(sent for sent in self.wire.waiting() if sent.user == 1), error=REFUSED)
        self.assertEqual(len([sent for sent in self.wire.waiting() if sent.user == 0]), 2)
        self.stage.sender.give_up()
        self.assertEqual(self.stage.ended, [(ask, None) for ask in asks])
        self.assertEqual(self.stage.sender.waiting(), 0)
        self.stage.pass_time(60_000)
        self.stage.answer_all()
        self.assertEqual(len(self.stage.ended), 2)


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
        self.stage.sender.p95 = [300 * MS, 20 * MS, 20 * MS, 20 * MS]
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
        self.assertEqual(self.stage.choosing._trouble, {})

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
        self.stage.sender.p95 = [1 * MS] * 4
        self.stage.ask()
        self.stage.pass_time(19.9)
        self.assertEqual(len(self.wire.sent), 1)
        fresh = Stage()
        fresh.sender.p95 = fresh.unknown_p95
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
        self.stage.ask(purpose=-1)
        self.stage.pass_time(20)
        self.stage.pass_time(979)
        self.assertEqual(len(self.wire.sent), 1)
        self.stage.pass_time(1)
        first, _ = self.wire.sent
        self.assertEqual(self.stage.choosing._trouble[0, first.node].errors, 1)
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
            stage.sender.p95 = [p95 * MS] * 4
            stage.ask(purpose=-1)
            stage.pass_time(max(20, p95))
            stage.pass_time(patience - max(20, p95) - 1)
            self.assertEqual(len(stage.wire.sent), 1)
            stage.pass_time(1)
            self.assertEqual(len(stage.wire.sent), 2)


class Outcomes(RuleBasedStateMachine):
    """Any answers, errors and pauses in any order: each ask ends exactly once, within its budgets."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(random=uniform(np.random.default_rng(1)))
        self.asks: list[Ask] = []

    @rule(user=st.integers(0, 3), purpose=st.sampled_from([0, 1, -1]))
    def ask(self, user: int, purpose: int) -> None:
        """A user wants something."""
        self.asks.append(self.stage.ask(user, purpose))

    @rule()
    def learn(self) -> None:
        """A load document comes."""
        self.stage.learn()

    @precondition(lambda self: self.stage.wire.open)
    @rule(
        place=st.integers(0, 100), status=st.sampled_from([200, 304, 404, 500, 501, 503]),
        error=st.sampled_from([OK, OK, REFUSED, CLOSED, TIMEOUT]),
    )  # fmt: skip
    def answer(self, place: int, status: int, error: int) -> None:
        """Somebody answers, or does not."""
        waiting = self.stage.wire.waiting()
        self.stage.answer(waiting[place % len(waiting)], status, error)

    @precondition(lambda self: self.stage.wire.cancelled)
    @rule(place=st.integers(0, 100))
    def told_of_a_cancellation(self, place: int) -> None:
        """The wire says what has become of a loser."""
        cancelled = self.stage.wire.cancelled
        self.stage.sender.answered(self.stage.wire.cancellation(cancelled[place % len(cancelled)]))

    @rule(ms=st.one_of(st.integers(1, 30), st.integers(100, 5000)))
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.stage.pass_time(ms)

    @invariant()
    def nobody_ends_twice(self) -> None:
        """And what has ended has nothing on its way."""
        ended = [id(ask) for ask, _ in self.stage.ended]
        assert len(ended) == len(set(ended))
        tokens = {token for ask in self.asks if id(ask) not in set(ended) for token, _ in ask.tokens}
        assert tokens == set(self.stage.wire.open)

    @invariant()
    def no_more_than_the_budgets_allow(self) -> None:
        """Every attempt is a request, a retry or a hedge."""
        counts, users = self.stage.counts, self.stage.users
        assert len(self.stage.wire.sent) == counts["requests"] + counts["retries"] + counts["hedges"]
        assert counts["hedges"] <= sum(1 + 0.05 * users.requests[user] for user in range(4))
        assert counts["retries"] <= sum(32 + 0.2 * users.requests[user] for user in range(4))

    def teardown(self) -> None:
        """Whoever was left without an answer times out: everybody has ended then."""
        for _ in range(20):
            self.stage.answer_all(error=TIMEOUT)
            self.stage.pass_time(1300)
        assert len(self.stage.ended) == len(self.asks)
        assert self.stage.sender.waiting() == 0


class OutcomeTests(SynchronousTestCase):
    """See :class:`Outcomes`."""

    def test_each_ask_ends_exactly_once(self) -> None:
        case = Outcomes.TestCase
        case.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
        case("runTest").runTest()

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from([REFUSED, CLOSED, 500, 503, 200, 404]), max_size=14))
    def test_the_first_good_answer_is_the_one_that_counts(self, answers: Sequence[int]) -> None:
        """Whatever failed before it."""
        stage = Stage()
        ask = stage.ask(purpose=-1)
        for answer in answers:
            if not stage.wire.open:
                stage.pass_time(1300)
            if not stage.wire.open:
                break
            error, status = (answer, 0) if answer < 100 else (OK, answer)
            stage.answer_all(status, error)
        good = next((one for one in answers if one in (200, 404)), 0)
        if good and good in answers[:12]:
            ((ended, found),) = stage.ended
            assert found is not None
            self.assertIs(ended, ask)
            self.assertEqual(found.status, good)
        else:
            self.assertEqual(len(stage.ended), int(len(answers) >= 12))
