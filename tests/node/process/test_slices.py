"""Long work in slices: in order, bounded, in turn with other work."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.slices import SLICE_SECONDS, Slices
from tests.node.turns import Turns


class SlicesTests(SynchronousTestCase):
    """Each step takes about a millisecond of the clock, exact in binary."""

    def setUp(self) -> None:
        self.reactor = Turns()
        self.slices = Slices(self.reactor)
        self.steps: list[str] = []

    def work(self, name: str, count: int) -> Iterator[None]:
        for number in range(count):
            self.steps.append(f"{name}{number}")
            self.reactor.now += 1 / 1024
            yield

    def run_work(self, name: str, count: int) -> Deferred[None]:
        return Deferred.fromCoroutine(self.slices.run(self.work(name, count)))

    def test_a_slice_ends_after_its_time_and_the_next_turn_goes_on(self) -> None:
        done = self.run_work("a", 13)
        self.assertEqual(self.steps, [])
        for expected in (6, 12):
            self.reactor.turn()
            self.assertEqual(len(self.steps), expected)
            self.assertNoResult(done)
        self.reactor.turn()
        self.successResultOf(done)
        self.assertEqual(self.steps, [f"a{number}" for number in range(13)])
        self.assertEqual(self.reactor.waiting, 0)

    def test_two_pieces_of_work_share_a_slice_step_by_step(self) -> None:
        first, second = self.run_work("a", 4), self.run_work("b", 4)
        before = self.reactor.now
        self.reactor.turn()
        self.assertLessEqual(self.reactor.now - before, SLICE_SECONDS + 0.0015)
        self.assertEqual(self.steps[:4], ["a0", "b0", "a1", "b1"])
        self.reactor.turn()
        self.successResultOf(first)
        self.successResultOf(second)

    def test_a_step_that_is_a_deferred_is_waited_for_while_other_work_goes_on(self) -> None:
        answer: Deferred[None] = Deferred()

        def waiting() -> Iterator[Deferred[None]]:
            yield answer
            self.steps.append("answered")

        done = Deferred.fromCoroutine(self.slices.run(waiting()))
        other = self.run_work("a", 2)
        self.reactor.turn()
        self.successResultOf(other)
        self.assertNoResult(done)
        answer.callback(None)
        self.reactor.turn()
        self.successResultOf(done)
        self.assertEqual(self.steps, ["a0", "a1", "answered"])

    def test_what_a_step_raises_reaches_who_waits_and_nobody_else(self) -> None:
        def broken() -> Iterator[None]:
            yield
            raise ValueError("no room")

        failed = Deferred.fromCoroutine(self.slices.run(broken()))
        other = self.run_work("a", 3)
        self.reactor.turn()
        self.failureResultOf(failed, ValueError)
        self.successResultOf(other)

    def test_no_work_is_done_at_once(self) -> None:
        done = self.run_work("a", 0)
        self.reactor.turn()
        self.successResultOf(done)
