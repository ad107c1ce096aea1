"""Parts of the way to an application for tests: an origin that answers when told, who hears it."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from edge.node.applications.origin import Failure, Fields, OriginError, Question, Receiver


class Heard:
    """A receiver: what it heard, in order."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.paused = False

    @property
    def body(self) -> bytes:
        """The data so far."""
        return b"".join(event for event in self.events if isinstance(event, bytes))

    @property
    def failure(self) -> Failure | None:
        """How it failed, if it did."""
        last = self.events[-1] if self.events else None
        return last.failure if isinstance(last, OriginError) else None

    def informational(self, status: int, fields: Fields) -> None:
        """As the protocol has it."""
        self.events.append(("interim", status, fields))

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """As the protocol has it."""
        self.events.append(("started", status, fields, length))

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """As the protocol has it; heard as its parts."""
        self.started(status, fields, length)
        if body:
            self.data(body)
        self.ended([])

    def switched(self, fields: Fields) -> None:
        """As the protocol has it."""
        self.events.append(("switched", fields))

    def data(self, data: bytes) -> None:
        """As the protocol has it."""
        self.events.append(data)

    def ended(self, trailers: Fields) -> None:
        """As the protocol has it."""
        self.events.append(("ended", trailers))

    def failed(self, error: OriginError) -> None:
        """As the protocol has it."""
        self.events.append(error)

    def pause_body(self) -> None:
        """As the protocol has it."""
        self.paused = True

    def resume_body(self) -> None:
        """As the protocol has it."""
        self.paused = False


class Asked:
    """One question to :class:`Scripted`, in the hands of the test: an exchange."""

    def __init__(self, question: Question, receiver: Receiver) -> None:
        self.question = question
        self.receiver = receiver
        self.body = b""
        self.finished = False
        self.paused = False
        self.cancelled = False

    def answer(self, status: int = 200, body: bytes = b"", fields: Fields | None = None) -> None:
        """A whole answer."""
        self.receiver.started(status, fields or [], len(body))
        if body:
            self.receiver.data(body)
        self.receiver.ended([])

    def fail(self, failure: Failure, reached: bool = True) -> None:
        """No answer."""
        self.receiver.failed(OriginError(failure, "it is broken", reached))

    def send(self, data: bytes) -> None:
        """As the protocol has it."""
        self.body += data

    def finish(self) -> None:
        """As the protocol has it."""
        self.finished = True

    def pause(self) -> None:
        """As the protocol has it."""
        self.paused = True

    def resume(self) -> None:
        """As the protocol has it."""
        self.paused = False

    def cancel(self) -> None:
        """As the protocol has it."""
        self.cancelled = True


class Scripted:
    """An origin that answers when the test says so."""

    def __init__(self, name: str = "app") -> None:
        self.name = name
        self.available = True
        self.asked: list[Asked] = []

    def ask(self, question: Question, receiver: Receiver) -> Asked:
        """As the protocol has it."""
        self.asked.append(Asked(question, receiver))
        return self.asked[-1]


def question(method: bytes = b"GET", target: bytes = b"/", **more: Any) -> Question:
    """An ordinary question."""
    return Question(method, target, more.pop("fields", []), b"example.org", **more)


def turn(clock: Clock) -> None:
    """What waits for the next turn of the reactor happens."""
    for _ in range(3):
        clock.advance(0)
