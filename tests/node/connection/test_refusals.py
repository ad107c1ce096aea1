"""Everything that the parser refuses, through the whole channel."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from tests.http import refused_bodies, refused_heads
from tests.node.serving import Connection

GOOD = b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"


class Noting(Resource):
    """Answers anything and notes what it was."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []

    def render(self, request: Any) -> bytes:
        self.asked.append(request.path)
        return b"ok"


def refused() -> list[tuple[int, str, bytes]]:
    """(status, what is wrong, bytes) of each."""
    groups = [
        getattr(module, name)
        for module, names in [
            (refused_heads, ("HOSTS", "FIELDS", "LINES", "TARGETS")),
            (refused_bodies, ("LENGTHS", "CHUNKS")),
        ]
        for name in names
    ]
    wrong = [(400, what, data) for group in groups for what, data in group.items()]
    return wrong + list(refused_bodies.OTHER)


class RefusalTests(SynchronousTestCase):
    """One after a good request, with a hidden one behind it."""

    def test_each_is_answered_with_its_status_after_the_earlier_answer_and_nothing_follows(self) -> None:
        cases = refused()
        self.assertGreater(len(cases), 150)
        for status, what, data in cases:
            noting = Noting()
            connection = Connection(noting)
            connection.send(GOOD + data + HIDDEN)
            connection.send(HIDDEN)
            answers = [answer for answer in connection.answers() if answer.status != 100]
            self.assertEqual([answer.status for answer in answers], [200, status], what)
            self.assertEqual(answers[1].fields["connection"], "close", what)
            self.assertTrue(answers[1].body.startswith(str(status).encode()), what)
            self.assertEqual(noting.asked, [b"/good"], what)
            transport = connection.transport
            self.assertEqual((transport.half_closed, transport.closed), (True, False), what)

    def test_the_refusal_of_head_has_no_body(self) -> None:
        """As the answer to GET would have one, its length is still said (RFC 9110 section 9.3.2)."""
        connection = Connection(Noting())
        connection.send(b"HEAD / HTTP/1.1\r\n\r\n")
        written = connection.transport.written
        self.assertTrue(written.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertIn(b"\r\nContent-Length: 42\r\n", written)
        self.assertTrue(written.endswith(b"\r\n\r\n"))
