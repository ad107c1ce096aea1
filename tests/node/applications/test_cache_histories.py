"""Random histories of the shared cache: requests, answers, failures, changes, deaths, in simulated time.

Whatever happens: nobody gets an answer that was asked for before a change that had happened before he asked;
what was asked with a visitor's own fields reaches him alone; everybody who waits is answered once all
questions are.
"""

from __future__ import annotations

import os
import random
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from edge.node.applications.origin import Failure, OriginError
from tests.node.applications.cached import CachedNode
from tests.node.applications.parts import Asked, Heard

TARGETS = (b"/a", b"/shared/b")
#: What answers say of sharing them.
CONTROLS = (
    b"s-maxage=5", b"s-maxage=5, stale-while-revalidate=10", b"s-maxage=2, stale-if-error=20", b"private",
    b"no-store", b"s-maxage=5, must-revalidate",
)  # fmt: skip


class Reading(NamedTuple):
    """One request of one visitor."""

    heard: Heard
    target: bytes
    visitor: int
    worker: int
    #: The moment in which it came.
    at: int


class History:
    """One node with two workers, and what has happened there."""

    node_class = CachedNode

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.node = self.node_class(share=("/shared/**",), arena=1 << 14, capacity=64)
        self.moment = self.visitors = 0
        self.readings: list[Reading] = []
        #: Number of an answer -> (moment of its question, its visitor, or None: it was clean).
        self.answers: dict[int, tuple[int, bytes, int | None]] = {}
        #: (target, moment).
        self.changes: list[tuple[bytes, int]] = []

    def _tick(self) -> int:
        self.moment += 1
        self._note_questions()
        return self.moment

    def _note_questions(self) -> None:
        for asked in self.node.application.asked:
            asked.moment = getattr(asked, "moment", self.moment)  # type: ignore[attr-defined]

    def ask(self) -> None:
        """A visitor comes."""
        address, worker = self.draw.choice(TARGETS), self.draw.randrange(2)
        if not self.node.workers[worker].alive:
            return
        self.visitors += 1
        at, visitor = self._tick(), self.visitors
        method = b"HEAD" if self.draw.random() < 0.1 else b"GET"
        heard = self.node.get(address, (b"Cookie", b"%d" % visitor), worker=worker, method=method)
        self.readings.append(Reading(heard, address, visitor, worker, at))
        self._note_questions()

    def answer(self) -> None:
        """The application answers one question."""
        if self.node.asked:
            self._tick()
            control = self.draw.choice(CONTROLS)
            self._answer(
                self.draw.choice(self.node.asked), control, self.draw.choice((200, 200, 200, 404, 503))
            )

    def _answer(self, asked: Asked, control: bytes, status: int) -> None:
        number = len(self.answers)
        fields = dict(asked.question.fields)
        visitor = None if asked.question.clean else int(fields[b"Cookie"])
        self.answers[number] = asked.moment, asked.question.target, visitor
        self.node.application.asked.remove(asked)
        body = b"" if asked.question.method == b"HEAD" else b"%d " % number * 80
        asked.receiver.started(
            status, [(b"Cache-Control", control), (b"X-Number", b"%d" % number)], len(body)
        )
        if body:
            asked.receiver.data(body)
        asked.receiver.ended([])
        self.node.clock.advance(0)
        self._note_questions()

    def fail(self) -> None:
        """The application does not answer one question."""
        if not self.node.asked:
            return
        self._tick()
        asked = self.draw.choice(self.node.asked)
        self.node.application.asked.remove(asked)
        asked.receiver.failed(OriginError(self.draw.choice((Failure.AWAY, Failure.TIMEOUT)), "it is broken"))
        self.node.clock.advance(0)
        self._note_questions()

    def change(self) -> None:
        """Something is written."""
        address = self.draw.choice(TARGETS)
        self.changes.append((address, self._tick()))
        self.node.answers.invalidate(address)

    def pass_time(self) -> None:
        """More or less of it."""
        seconds = self.draw.choice((0.25, 0.25, 1.0, 3.0, 30.0))
        self._tick()
        for _ in range(min(int(seconds / 0.25), 40)):
            self.node.clock.advance(max(0.25, seconds / 40))
        self._note_questions()

    def worker_dies(self) -> None:
        """With its visitors, and with what it has asked."""
        if not self.node.workers[1].alive or self.draw.random() < 0.9:
            return
        self._tick()
        dead = self.node.workers[1]
        for one in list(self.readings):
            if one.worker == 1 and not one.heard.events:
                self.readings.remove(one)
                one.heard.exchange.cancel()  # type: ignore[attr-defined]
        fills = [asked for asked in self.node.asked if getattr(asked, "worker", None) == 1]
        for asked in fills:
            self.node.application.asked.remove(asked)
        dead.die()
        self.node.clock.advance(0)
        self._note_questions()

    def leave(self) -> None:
        """A visitor has waited for long enough."""
        waiting = [one for one in self.readings if not one.heard.events]
        if waiting:
            one = self.draw.choice(waiting)
            one.heard.exchange.cancel()  # type: ignore[attr-defined]
            self.readings.remove(one)

    def nobody_gets_what_is_not_for_him(self) -> None:
        for one in self.readings:
            number = _number(one.heard)
            if number is None:
                continue
            asked_at, target, visitor = self.answers[number]
            assert target == one.target
            assert visitor in (None, one.visitor), f"visitor {one.visitor} got what {visitor} had asked"
            between = [at for changed, at in self.changes if changed == target and asked_at < at < one.at]
            assert not between, f"asked at {one.at}, answered with what was asked for at {asked_at}"

    def run(self, steps: int) -> None:
        """So many things happen; then every question is answered."""
        happens = [self.ask] * 6 + [self.answer] * 5 + [self.fail, self.change, self.change, self.leave]
        happens += [self.pass_time] * 2 + [self.worker_dies]
        for _ in range(steps):
            self.draw.choice(happens)()
            self.nobody_gets_what_is_not_for_him()
        self.end()

    def end(self) -> None:
        """Everything is answered, and everybody."""
        for _ in range(10):
            self.node.clock.pump([0.25] * 10)
            self._note_questions()
            for asked in list(self.node.asked):
                self._answer(asked, b"s-maxage=5", 200)
        waiting = [one for one in self.readings if not one.heard.events]
        assert not waiting, f"{len(waiting)} wait for ever"
        self.nobody_gets_what_is_not_for_him()
        assert all(not worker.desk.held for worker in self.node.workers if worker.alive)
        self.node.close()


def _number(heard: Heard) -> int | None:
    """The number of the answer that was heard; None: none, or one of our own."""
    for event in heard.events:
        if isinstance(event, tuple) and event[0] == "started":
            values = [value for name, value in event[2] if name == b"X-Number"]
            return int(values[0]) if values else None
    return None


class HistoryTests(SynchronousTestCase):
    history = History

    def test_whatever_happens_nobody_gets_what_is_not_for_him_and_nobody_waits_for_ever(self) -> None:
        """EDGE_HISTORIES: how many, of 80 steps each."""
        for seed in range(int(os.environ.get("EDGE_HISTORIES", "150"))):
            try:
                self.history(seed).run(80)
            except AssertionError as error:
                raise AssertionError(f"history {seed}: {error}") from error
