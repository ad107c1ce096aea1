"""Any answers, errors and pauses in any order: each ask ends exactly once, within its budgets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.draws import uniform
from loadgen.run.client.sender import LogicalRequest
from loadgen.wire.interface import CLOSED, OK, REFUSED, TIMEOUT
from tests.loadgen.run.client.stage import Stage


class Outcomes(RuleBasedStateMachine):
    """Any answers, errors and pauses in any order: each ask ends exactly once, within its budgets."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(random=uniform(np.random.default_rng(1)))
        self.requests: list[LogicalRequest] = []

    @rule(user=st.integers(0, 3), purpose=st.sampled_from([0, 1, -1]))
    def ask(self, user: int, purpose: int) -> None:
        """A user wants something."""
        self.requests.append(self.stage.ask(user, purpose))

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
        tokens = {token for ask in self.requests if id(ask) not in set(ended) for token, _ in ask.tokens}
        assert tokens == set(self.stage.wire.open)

    @invariant()
    def no_more_than_the_budgets_allow(self) -> None:
        """Every attempt is a request, a retry or a hedge; home costs no retry, once in a round."""
        counts, users = self.stage.counts, self.stage.users
        free = len(self.stage.wire.sent) - counts["requests"] - counts["retries"] - counts["hedges"]
        assert 0 <= free <= counts["requests"]
        assert counts["hedges"] <= sum(1 + 0.05 * users.requests[user] for user in range(4))
        assert counts["retries"] <= sum(32 + 0.2 * users.requests[user] for user in range(4))

    def teardown(self) -> None:
        """Whoever was left without an answer times out: everybody has ended then."""
        for _ in range(20):
            self.stage.answer_all(error=TIMEOUT)
            self.stage.pass_time(1300)
        assert len(self.stage.ended) == len(self.requests)
        assert self.stage.sender.waiting() == 0


class OutcomeTests(SynchronousTestCase):
    """See :class:`Outcomes`."""

    def test_each_ask_ends_exactly_once(self) -> None:
        case = Outcomes.TestCase
        case.settings = settings(max_examples=60, stateful_step_count=40)
        case("runTest").runTest()

    @settings(max_examples=60)
    @given(st.lists(st.sampled_from([REFUSED, CLOSED, 502, 503, 200, 404]), max_size=14))
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
