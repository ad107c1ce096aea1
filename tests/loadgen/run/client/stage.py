"""A sender, the wire that a test answers for, and what came of each ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.users import Users
from loadgen.run.client.choosing import Choosing
from loadgen.run.client.clock import Clock
from loadgen.run.client.heads import Heads
from loadgen.run.client.sender import MS, LogicalRequest, Sender
from loadgen.wire.interface import OK, Answer
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
        self.ended: list[tuple[LogicalRequest, Answer | None]] = []
        self.users = Users(4, nodes)
        self.choosing = Choosing(self.users, policy, URLS[:nodes], random)
        heads = Heads(URLS[:nodes])
        self.sender = Sender(self.wire, self.clock, self.users, self.choosing, heads, random, self.counts)
        self.unknown_p95 = self.sender.p95
        self.sender.hedge_after([20 * MS] * nodes)

    def end(self, ask: LogicalRequest, answer: Answer | None) -> None:
        """An ask is over."""
        self.ended.append((ask, answer))

    def learn(self) -> None:
        """All users know the nodes, and all nodes are equal."""
        number = self.choosing.publish(load())
        for user in range(self.users.count):
            self.choosing.learn(user, number, self.clock.tick(self.clock.now))

    def ask(self, user: int = 0, purpose: int = 0) -> LogicalRequest:
        """Send one now."""
        ask = LogicalRequest(user, purpose, self.clock.now, b"/", "document", self.end)
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

    def failures_to_ejection(self, node: int) -> int:
        """How many more failures it takes until the user, who has learned of all nodes, avoids *node*."""
        choosing, now = self.stage.choosing, self.stage.clock.tick(self.stage.clock.now)
        for count in range(5):
            self.stage.users.node[0] = node
            if choosing.pick(0, now, 0) != node:
                return count
            choosing.failed(0, node, now)
        raise AssertionError("it is never ejected")

    def ends(self, status: int = 200, error: int = OK) -> None:
        """The one ask has ended so."""
        ((_, answer),) = self.stage.ended
        assert answer is not None
        self.assertEqual((answer.status, answer.error), (0 if error else status, error))
        self.assertEqual(self.stage.sender.waiting(), 0)
