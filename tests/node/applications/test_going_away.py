"""WebSockets to HTTP upstreams when the node ends: goodbye, between two frames, and nothing after it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.node.applications.going_away import GoodbyeOrigin
from tests.node.applications.parts import Asked, Heard, Scripted, question
from tests.upstream.test_frame_ends import frame

GOODBYE = b"\x88\x02\x03\xe9"


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.inner = Scripted("shop")
        self.origin = GoodbyeOrigin(self.inner)
        self.heard = Heard()

    def open(self) -> Asked:
        """The application has said 101."""
        self.exchange = self.origin.ask(question(upgrade=b"websocket"), self.heard)
        asked = self.inner.asked[-1]
        asked.receiver.switched([])
        return asked


class GoodbyeTests(Case):
    def test_both_sides_are_told_at_once_where_no_frame_has_begun(self) -> None:
        asked = self.open()
        self.exchange.send(frame(3, True))
        asked.receiver.data(frame(3, False))
        self.exchange.finish()
        self.assertEqual(self.heard.body, frame(3, False) + GOODBYE)
        self.assertEqual(asked.body[: len(frame(3, True))], frame(3, True))
        self.assertEqual(asked.body[len(frame(3, True)) :][:2], b"\x88\x82")
        self.assertFalse(asked.finished, "the application closes, as servers do")

    def test_a_frame_that_has_begun_is_finished_and_none_follows_the_goodbye(self) -> None:
        asked = self.open()
        whole = frame(300, False)
        asked.receiver.data(whole[:100])
        self.exchange.finish()
        self.exchange.finish()
        self.assertEqual(self.heard.body, whole[:100])
        asked.receiver.data(whole[100:] + frame(1, False))
        asked.receiver.data(frame(2, False))
        self.assertEqual(self.heard.body, whole + GOODBYE)
        said = asked.body
        self.exchange.send(frame(5, True))
        self.assertEqual(asked.body, said)

    def test_the_end_of_the_application_is_the_end(self) -> None:
        asked = self.open()
        self.exchange.finish()
        asked.receiver.ended([])
        self.assertEqual(self.heard.events[-1], ("ended", []))
        self.exchange.cancel()
        self.assertTrue(asked.cancelled)

    def test_what_is_no_websocket_passes_as_it_is(self) -> None:
        exchange = self.origin.ask(question(upgrade=b"irc"), self.heard)
        self.assertIs(exchange, self.inner.asked[-1])

    def test_an_application_that_does_not_switch_answers(self) -> None:
        exchange = self.origin.ask(question(upgrade=b"websocket"), self.heard)
        asked = self.inner.asked[-1]
        asked.receiver.started(403, [], 2)
        asked.receiver.data(b"no")
        exchange.finish()
        self.assertEqual((self.heard.body, asked.finished), (b"no", True))
