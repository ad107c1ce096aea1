"""Whether connections stay on the Twisted side for their next request."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.node.applications.gateway import Gateway, Place
from edge.node.connection.staying import LATEST, STAY_SECONDS, Staying
from tests.node.applications.parts import Scripted
from tests.node.applications.test_gateway import Published, Site
from tests.node.serving import Connection

GET = b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n"


class StayingTests(SynchronousTestCase):
    """One connection that came from the fast path, and what is learned of it."""

    def setUp(self) -> None:
        self.connection = Connection(Site(), returns=True)
        self.app = Scripted()
        reader: Any = Published(b"/file")
        self.connection.site.streams = Gateway([Place(b"/", self.app)], reader, self.connection.clock, ((),))

    def ask(self, path: bytes, fields: Any = ()) -> None:
        """Have a request answered."""
        asked = len(self.app.asked)
        self.connection.send(GET % path)
        if len(self.app.asked) > asked:
            self.app.asked[-1].answer(200, b"", list(fields))
        self.connection.turn()

    def test_after_an_application_it_stays_for_a_moment_then_returns(self) -> None:
        self.ask(b"")
        self.assertFalse(self.connection.transport.returned)
        self.connection.clock.advance(STAY_SECONDS / 2)
        self.ask(b"")
        self.connection.clock.advance(STAY_SECONDS * 0.9)
        self.assertFalse(self.connection.transport.returned)
        self.connection.clock.advance(STAY_SECONDS * 0.1)
        self.connection.turn()
        self.assertTrue(self.connection.transport.returned)
        self.assertEqual(self.connection.counts.values["timeouts_idle"], 0)

    def test_after_a_file_or_an_answer_that_the_fast_path_has_too_it_returns_at_once(self) -> None:
        self.ask(b"file")
        self.assertTrue(self.connection.transport.returned)
        self.setUp()
        self.ask(b"", [(b"Cache-Status", b"edge; hit")])
        self.assertTrue(self.connection.transport.returned)

    def test_a_drain_closes_who_stays(self) -> None:
        self.ask(b"")
        self.connection.site.drain()
        self.assertTrue(self.connection.transport.half_closed)

    def test_where_it_does_not_pay_nobody_stays_but_now_and_then_to_learn(self) -> None:
        staying = Staying()
        self.assertTrue(staying.worth_it())
        for _ in range(3 * LATEST):
            staying.stayed(False)
        self.assertEqual([staying.worth_it() for _ in range(2 * LATEST)].count(True), 2)
        for _ in range(LATEST):
            staying.stayed(True)
        self.assertTrue(staying.worth_it())
