"""Attempts at poisoning through the gateway of a worker; with a node, its cache and a server: end_to_end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.trial.unittest import SynchronousTestCase

from edge.node.applications.gateway import Gateway, Place
from edge.node.applications.origin import Question, Receiver
from tests.node.applications.parts import Asked, Scripted
from tests.node.applications.test_gateway import Published, Site
from tests.node.serving import Connection
from tests.poisoning import MARK, attempts, reflection


class Gullible(Scripted):
    """An application that answers all that has reached it, as soon as that is whole."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self._clock = clock

    def ask(self, question: Question, receiver: Receiver) -> Asked:
        """As the protocol has it."""
        asked = super().ask(question, receiver)
        self._clock.callLater(0, self._answer, asked)
        return asked

    def _asked_before(self, asked: Asked) -> Asked:
        """Whose answer it is: here one's own."""
        return asked

    def _answer(self, asked: Asked) -> None:
        if asked.cancelled:
            return
        first = self._asked_before(asked)
        question = first.question
        if question.expect_continue:
            asked.receiver.informational(100, [])
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in question.fields]
        pairs.append(("Host", question.host.decode("latin-1")))
        status, fields, body = reflection(
            question.method.decode(), question.target.decode("latin-1"), pairs, first.body
        )
        asked.answer(status, body, [(name.encode(), value.encode()) for name, value in fields.items()])


class Careless(Gullible):
    """The same behind a cache as there are: it stores the first answer by path, lower case, and decodes."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self._stored: dict[bytes, Asked] = {}

    def _asked_before(self, asked: Asked) -> Asked:
        path = unquote_to_bytes(asked.question.target.partition(b"?")[0]).lower()
        return self._stored.setdefault(path, asked)


class PoisoningTests(SynchronousTestCase):
    """Nobody reads what somebody else has chosen."""

    def reached(self, make: Callable[[Any], Gullible]) -> list[str]:
        """The attempts that reach a second reader when the application is what *make* makes."""
        connection = Connection(Site())
        reader: Any = Published()
        gateway = Gateway([Place(b"/", make(connection.clock))], reader, connection.clock, ((),))
        connection.site.streams = gateway
        reached = []
        for attempt in attempts():
            for _ in range(3):
                self.send(connection, attempt.first)
            for _ in range(2):
                answer = self.send(connection, attempt.second)
                if not answer.startswith(b"HTTP/1.1 200 ") or MARK in answer:
                    reached.append(attempt.name)
        return reached

    def test_no_attempt_reaches_a_second_reader(self) -> None:
        """In one process, and without a cache."""
        self.assertEqual(self.reached(Gullible), [])

    def test_there_are_enough_and_they_would_be_noticed(self) -> None:
        """Behind a careless cache, though the gateway lets through what it lets through."""
        names = [attempt.name for attempt in attempts()]
        self.assertGreaterEqual(len(names), 60)
        self.assertEqual(len(set(names)), len(names))
        reached = self.reached(Careless)
        for kind in ("unkeyed field", "Host", "path", "query", "fat GET", "method", "oversize", "deception"):
            self.assertTrue([name for name in reached if name.startswith(kind)], kind)
        self.assertGreaterEqual(len(set(reached)), 60)

    def send(self, first: Connection, data: bytes) -> bytes:
        """What is answered to *data* on a connection of its own."""
        connection = first.another("192.0.2.7")
        connection.send(data)
        connection.turn()
        return connection.transport.written
