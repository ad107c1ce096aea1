"""A node in simulated time for tests of the shared cache: a store, workers that ask, one application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from edge.cache.group_changes import Change
from edge.config.applications import Application
from edge.fastpath.answerer import PythonAnswerer
from edge.fastpath.interface import Next, Settings
from edge.http.fields import Fields
from edge.node.applications.caching import CachingOrigin
from edge.node.applications.fills import FillDesk
from edge.node.applications.origin import Question
from edge.node.process.answers import Outcome, Verdict
from edge.node.supervisor.answers import AnswerStore
from edge.table.reader import Reader
from edge.table.segment import CounterBlock, Segment
from edge.table.writer import Writer
from tests.node.applications.parts import Asked, Heard, Scripted

ORIGIN = b"https://n2.example"


class Threads:
    """A pool of threads that is none: work is done at once."""

    def callInThreadWithCallback(self, on_result: Any, function: Any, *args: Any, **keywords: Any) -> None:
        on_result(True, function(*args, **keywords))


class World(Clock):
    """Simulated time, with what fills need of a reactor besides."""

    def __init__(self) -> None:
        super().__init__()
        self.advance(1000.0)

    def getThreadPool(self) -> Threads:
        return Threads()

    def callFromThread(self, function: Any, *args: Any, **keywords: Any) -> None:
        function(*args, **keywords)

    def now_ms(self) -> int:
        return int(self.seconds() * 1000)


class Worker:
    """One worker: it asks the store as if over a connection, and may die."""

    def __init__(self, node: CachedNode, index: int) -> None:
        self.index = index
        self.alive = True
        self._answers = node.answers
        self.desk = FillDesk(self, node.clock, node.clock.seconds)
        self.reader = Reader(node.segment, index, node.clock.now_ms)
        self.counters = CounterBlock(node.segment, index)
        self.origin = CachingOrigin(
            Marked(node.application, index),
            node.configured,
            self.desk,
            self.reader,
            self.counters,
            (ORIGIN,),
            node.clock.now_ms,
        )
        self.fast = PythonAnswerer(node.segment, index, Settings(allow_origins=(ORIGIN,)), node.clock.now_ms)

    def ask(self, application: str, name: bytes, share: bool, told: Callable[[Verdict], None]) -> None:
        self._answers.ask(self.index, application, name, share, told)

    def store(self, token: int, application: str, packed: bytes, kept: Callable[[bool], None]) -> None:
        kept(self._answers.store(token, application, packed))

    def end(self, token: int, outcome: Outcome, why: str = "") -> None:
        self._answers.end(token, outcome, why)

    def changed(self, change: Change) -> Deferred[int]:
        return self._answers.changed(change)

    def die(self) -> None:
        self.alive = False
        self._answers.worker_gone(self.index)


class Marked:
    """The application as one worker asks it: each question says which."""

    def __init__(self, inner: Scripted, worker: int) -> None:
        self.name = inner.name
        self.available = True
        self._inner = inner
        self._worker = worker

    def ask(self, question: Question, receiver: Any) -> Asked:
        asked = self._inner.ask(question, receiver)
        asked.worker = self._worker  # type: ignore[attr-defined]
        return asked


class CachedNode:
    """One node; :attr:`application` is answered by the test."""

    def __init__(
        self, workers: int = 2, arena: int = 1 << 20, capacity: int = 256, **configured: Any
    ) -> None:
        self.clock = World()
        self.segment = Segment.create(capacity=capacity, arena_bytes=arena, workers=workers)
        self.writer = Writer(self.segment)
        self.answers = AnswerStore(self.writer, self.segment, self.clock, self.clock.now_ms)
        self.answers.refiller = self
        self.application = Scripted("shop")
        self.configured = Application(name="shop", at="/", to=("http://127.0.0.1:1",), **configured)
        self.workers = [Worker(self, index) for index in range(workers)]
        self.answers.start()

    def close(self) -> None:
        self.answers.stop()
        self.segment.close()

    def refill(self, application: str, name: bytes, token: int) -> int | None:
        for worker in self.workers:
            if worker.alive:
                worker.desk.refill(worker.origin, name, token)
                return worker.index
        return None

    def get(
        self, target: bytes = b"/", *fields: tuple[bytes, bytes], worker: int = 0, method: bytes = b"GET"
    ) -> Heard:
        """Ask as a visitor does, on the Twisted side of *worker*."""
        heard = Heard()
        heard.exchange = self.workers[worker].origin.ask(Question(method, target, list(fields), b"x"), heard)  # type: ignore[attr-defined]
        self.clock.advance(0)
        return heard

    def fast(self, target: bytes = b"/", *lines: bytes, worker: int = 0) -> bytes | None:
        """Ask the fast path of *worker*; None: it lets go."""
        request = b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (
            target,
            b"".join(line + b"\r\n" for line in lines),
        )
        output, _, after = self.workers[worker].fast.answer(request, b"Thu, 01 Jan 1970 00:16:40 GMT")
        return None if after is Next.HAND_OFF else output

    @property
    def asked(self) -> list[Asked]:
        """Questions to the application that are not answered yet, in their order."""
        return [one for one in self.application.asked if not one.cancelled]

    def answer(
        self,
        body: bytes = b"hello",
        status: int = 200,
        control: bytes = b"s-maxage=60",
        *more: tuple[bytes, bytes],
    ) -> Question:
        """Answer the question that waits longest; what it was."""
        asked = self.asked[0]
        self.application.asked.remove(asked)
        fields: Fields = [(b"Content-Type", b"text/plain"), *more]
        if control:
            fields.append((b"Cache-Control", control))
        asked.answer(status, body, fields)
        self.clock.advance(0)
        return asked.question

    def fill(self, target: bytes = b"/", **answer: Any) -> None:
        """Store an answer under *target*, by two requests."""
        self.get(target)
        self.answer(**answer)
        self.get(target)
        self.answer(**answer)


def field(heard: Heard, name: bytes) -> bytes | None:
    """The value of a field of the answer that was heard; of several the last."""
    for event in heard.events:
        if isinstance(event, tuple) and event[0] == "started":
            values = [value for key, value in event[2] if key.lower() == name.lower()]
            return values[-1] if values else None
    return None


def status(heard: Heard) -> int | None:
    """The status that was heard."""
    started = (event for event in heard.events if isinstance(event, tuple) and event[0] == "started")
    return next((event[1] for event in started), None)
