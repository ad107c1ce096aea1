"""A process that speaks edge-app/1, as a worker asks it: exchanges, WebSockets, connections."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure as TwistedFailure
from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType
from wsproto.connection import Connection as Frames
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from edge.app.answering import ApplicationEnd
from edge.app.ends import Sendable
from edge.app.messages import (
    WINDOW,
    Ask,
    Cancel,
    Close,
    Data,
    Drain,
    Message,
    Open,
    Ready,
    Settled,
    encode,
)
from edge.errors import NotConnected
from edge.node.applications.app_origin import AppOrigin
from edge.node.applications.app_socket import VISITOR_MESSAGE
from edge.node.applications.origin import Failure
from tests.node.applications.parts import Heard, question, turn

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


class Transport(StringTransport):
    """A connection to a process; writes go out at once."""

    dataBuffer = b""
    _tempDataBuffer: tuple[bytes, ...] = ()
    connected = True
    aborted = False

    def writeSomeData(self, data: bytes) -> int:
        """As Twisted has it."""
        self.write(data)
        return len(data)

    def abortConnection(self) -> None:
        """As Twisted has it."""
        self.aborted = True


class Reactor(Clock):
    """Time, and connections that are joined in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.protocols: list[Any] = []

    def adoptStreamConnection(self, fd: int, family: socket.AddressFamily, factory: Any) -> None:
        """As Twisted has it."""
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(Transport())
        self.protocols.append(protocol)


class Base(SynchronousTestCase):
    """An origin, and the application's end of its connection."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.woken = 0
        #: What the next connection becomes: None: made at once.
        self.outcome: Exception | None = None
        self.changes: list[tuple[frozenset[str] | None, Deferred[int]]] = []
        self.origin = AppOrigin("shop", "/shop", self.connect, self.reactor, self.changed)
        self.origin.woken = self.wake
        self.origin.start()
        self.application = ApplicationEnd(10)
        self.hear()

    async def connect(self) -> int:
        if self.outcome is not None:
            raise self.outcome
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours.detach()

    def wake(self) -> None:
        self.woken += 1

    def changed(self, groups: frozenset[str] | None) -> Deferred[int]:
        self.changes.append((groups, Deferred()))
        return self.changes[-1][1]

    @property
    def protocol(self) -> Any:
        return self.reactor.protocols[-1]

    def hear(self) -> list[object]:
        """Bring what either side has said; what the application heard."""
        heard: list[object] = []
        for _ in range(4):
            turn(self.reactor)
            said = self.protocol.transport.value()
            self.protocol.transport.clear()
            heard += self.application.receive(said)
            self.assertIsNone(self.application.broken)
            out = self.application.output()
            if out:
                self.protocol.dataReceived(out)
        return heard

    def lose(self, number: int = -1) -> None:
        self.reactor.protocols[number].connectionLost(TwistedFailure(ConnectionDone()))


class AskTests(Base):
    """Requests."""

    def test_a_question_is_told_as_it_is_and_its_answer_is_heard(self) -> None:
        heard = Heard()
        asked = question(
            b"GET",
            b"/shop/a%2F?b",
            fields=[(b"X-A", b"b")],
            secure=True,
            peer="::1",
            deadline=2.5,
            clean=True,
        )
        self.origin.ask(asked, heard)
        (told,) = self.hear()
        fields = [(b"x-a", b"b")]
        expected = Ask(
            1, b"GET", b"/shop/a%2F?b", fields, b"example.org", True, b"::1", b"/shop", b"", False, 0, 2500, 0
        )
        self.assertEqual(told, expected)
        self.application.informational(1, 103, [(b"link", b"x")])
        self.application.answer(1, 200, [(b"a", b"b"), (b"connection", b"close")], 4, b"body")
        self.hear()
        expected_events = [
            ("interim", 103, [(b"link", b"x")]),
            ("started", 200, [(b"a", b"b")], 4),
            b"body",
            ("ended", []),
        ]
        self.assertEqual(heard.events, expected_events)

    def test_bodies_go_both_ways_as_fast_as_they_are_taken(self) -> None:
        heard = Heard()
        exchange = self.origin.ask(question(b"POST", body_length=None), heard)
        self.hear()
        exchange.send(b"x" * WINDOW)
        self.assertFalse(heard.paused)
        exchange.send(b"y")
        self.assertTrue(heard.paused)
        self.hear()
        self.application.taken(1, WINDOW)
        self.hear()
        self.assertFalse(heard.paused)
        exchange.finish()
        self.assertEqual([type(one) for one in self.hear()], [Data])
        exchange.pause()
        self.application.answer(1, 200, [], None, b"z" * (3 * WINDOW))
        self.hear()
        self.assertEqual(len(heard.body), WINDOW)
        exchange.resume()
        self.hear()
        self.assertEqual((len(heard.body), heard.events[-1]), (3 * WINDOW, ("ended", [])))

    def test_who_goes_cancels_and_hears_nothing_more(self) -> None:
        heard = Heard()
        exchange = self.origin.ask(question(), heard)
        self.hear()
        self.application.answer(1, 200, [], None, b"a", more=True)
        exchange.cancel()
        self.assertEqual(self.hear(), [Cancel(1, b"the visitor has gone")])
        exchange.cancel()
        exchange.send(b"x")
        exchange.finish()
        exchange.resume()
        self.assertEqual((heard.events, self.hear()), ([], []))

    def test_what_an_application_cannot_answer_is_a_failure(self) -> None:
        for end, failure in (
            (lambda: self.application.cancel(self.number, "it failed"), Failure.CLOSED_EARLY),
            (lambda: self.application.answer(self.number, 200, [], 3, b"more than three"), Failure.GARBAGE),
            (lambda: self.protocol.dataReceived(b"\0\0\0\0"), Failure.GARBAGE),
        ):
            heard = Heard()
            self.origin.ask(question(), heard)
            (asked,) = (one for one in self.hear() if isinstance(one, Ask))
            self.number = asked.number
            end()
            self.hear()
            if failure is Failure.GARBAGE and self.protocol.transport.aborted:
                self.lose()
            self.assertEqual(heard.failure, failure)
            self.assertTrue(heard.events[-1].reached)

    def test_nobody_there_and_protocols_that_are_not_spoken(self) -> None:
        heard = Heard()
        self.origin.ask(question(upgrade=b"chat"), heard)
        self.assertEqual(heard.events, [])  # the law: not before ask has returned
        turn(self.reactor)
        self.assertEqual((heard.failure, heard.events[-1].reached), (Failure.REFUSED, False))
        self.lose()
        self.assertFalse(self.origin.available)
        heard = Heard()
        self.origin.ask(question(), heard).cancel()
        turn(self.reactor)
        self.assertEqual(heard.events, [])
        heard = Heard()
        exchange = AppOrigin("other", "/", self.connect, self.reactor).ask(question(), heard)
        for call in (exchange.pause, exchange.resume, exchange.finish):
            call()
        exchange.send(b"x")
        turn(self.reactor)
        self.assertEqual((heard.failure, heard.events[-1].reached), (Failure.AWAY, False))

    def test_who_waits_for_100_continue_is_told_and_no_more_than_it_takes_is_asked(self) -> None:
        heard = [Heard() for _ in range(11)]
        self.origin.ask(question(b"POST", body_length=5, expect_continue=True), heard[0])
        turn(self.reactor)
        self.assertEqual(heard[0].events, [("interim", 100, [])])
        for one in heard[1:10]:
            self.origin.ask(question(), one)
        self.assertFalse(self.origin.available)
        self.origin.ask(question(), heard[10])
        self.assertEqual(len(self.hear()), 10)
        self.assertEqual(heard[10].failure, Failure.AWAY)


class ConnectionTests(Base):
    """Connections that come and go."""

    def test_it_is_available_when_the_application_is_ready(self) -> None:
        self.assertTrue(self.origin.available)
        self.assertEqual(self.woken, 1)
        self.lose()
        self.assertEqual((self.origin.available, self.woken), (False, 2))
        turn(self.reactor)
        self.assertFalse(self.origin.available)
        self.protocol.dataReceived(encode(Ready(1, 1)))
        self.assertEqual((self.origin.available, self.woken), (True, 3))

    def test_what_is_asked_when_it_is_lost_fails(self) -> None:
        heard = Heard()
        self.origin.ask(question(), heard)
        self.lose()
        self.assertEqual(heard.failure, Failure.CLOSED_EARLY)
        self.assertIn("shop: the process has gone", heard.events[-1].sentence)

    def test_an_answer_of_which_all_bytes_have_come_is_whole_when_it_is_lost(self) -> None:
        for length, end in ((4, True), (5, False), (None, False)):
            heard = Heard()
            self.origin.ask(question(), heard)
            self.hear()
            self.application.answer(1, 200, [], length, b"body", True)
            self.hear()
            self.lose()
            self.assertEqual(heard.events[-1] == ("ended", []), end, length)
            self.setUp()

    def test_one_that_cannot_be_made_is_tried_ever_less_often(self) -> None:
        self.outcome = NotConnected("nobody listens")
        self.lose()
        made = len(self.reactor.protocols)
        self.reactor.pump([0.1] * 100)
        self.outcome = None
        self.reactor.advance(5)
        turn(self.reactor)
        self.assertEqual(len(self.reactor.protocols), made + 1)

    def test_connections_that_end_at_once_are_not_made_in_a_loop(self) -> None:
        for _ in range(200):
            self.lose()
            self.reactor.advance(0.1)
        self.assertLess(len(self.reactor.protocols), 20)

    def test_one_that_drains_is_used_until_another_one_is_ready_and_finishes_what_it_has(self) -> None:
        first, slow, next_one = self.protocol, Heard(), Heard()
        self.origin.ask(question(), slow)
        self.hear()
        self.protocol.dataReceived(encode(Drain()))
        turn(self.reactor)
        self.assertEqual(len(self.reactor.protocols), 2)
        first.transport.clear()
        self.origin.ask(question(), next_one)
        turn(self.reactor)
        self.assertIn(b"example.org", first.transport.value())  # the new one is not ready yet
        self.protocol.dataReceived(encode(Ready(1, 10)))
        self.origin.ask(question(), Heard())
        turn(self.reactor)
        self.assertIn(b"example.org", self.protocol.transport.value())
        self.assertFalse(first.transport.disconnecting)
        for number in (1, 2):
            self.application.receive(first.transport.value() if number == 1 else b"")
            self.application.answer(number, 200, [], None)
        first.dataReceived(self.application.output())
        self.assertEqual((slow.events[-1], next_one.events[-1]), (("ended", []), ("ended", [])))
        self.assertTrue(first.transport.disconnecting)

    def test_stopping_closes_what_rests_and_lets_finish_what_runs(self) -> None:
        heard = Heard()
        self.origin.ask(question(), heard)
        self.hear()
        self.origin.stop()
        self.assertFalse(self.protocol.transport.disconnecting)
        self.application.answer(1, 200, [], None)
        self.hear()
        self.assertTrue(self.protocol.transport.disconnecting)
        self.lose()
        self.reactor.advance(100)
        self.assertEqual(len(self.reactor.protocols), 1)

    def test_changes_are_told_and_settled(self) -> None:
        self.application.changed([b"a", b"b"])
        self.application.changed(None)
        self.hear()
        self.assertEqual([groups for groups, _ in self.changes], [frozenset({"a", "b"}), None])
        self.changes[1][1].callback(2)
        self.changes[0][1].errback(RuntimeError("no supervisor"))
        self.assertEqual(self.hear(), [Settled(2, 2), Settled(1, 1)])


class SocketTests(Base):
    """WebSockets: frames on one side, messages on the other."""

    def setUp(self) -> None:
        super().setUp()
        self.heard = Heard()
        self.visitor = Frames(ConnectionType.CLIENT)
        fields = [
            (b"Sec-WebSocket-Key", KEY),
            (b"Sec-WebSocket-Version", b"13"),
            (b"Sec-WebSocket-Protocol", b"chat, talk"),
            (b"X-A", b"b"),
        ]
        asked = question(target=b"/ws", fields=fields, upgrade=b"websocket")
        asked.keep = self.keep
        self.kept = 0
        self.exchange = self.origin.ask(asked, self.heard)
        (told,) = self.hear()
        expected = Open(1, b"/ws", [(b"x-a", b"b")], b"example.org", False, b"", b"/shop", [b"chat", b"talk"])
        self.assertEqual(told, expected)

    def opened(self) -> None:
        self.application.opened(1, [(b"x-c", b"d")], b"talk")
        self.hear()
        accept = (b"Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        fields = [accept, (b"Sec-WebSocket-Protocol", b"talk"), (b"x-c", b"d")]
        self.assertEqual(self.heard.events, [("switched", fields)])
        self.heard.events.clear()

    def keep(self, count: int) -> bool:
        """As an address that may hold 1,000 bytes."""
        self.kept = count
        return count <= 1000

    def says(self, event: Any) -> None:
        self.exchange.send(self.visitor.send(event))

    def visitor_hears(self) -> list[Any]:
        self.visitor.receive_data(self.heard.body)
        self.heard.events = [event for event in self.heard.events if not isinstance(event, bytes)]
        return list(self.visitor.events())

    def test_messages_go_both_ways(self) -> None:
        self.opened()
        self.says(TextMessage("h\u00e4llo"))
        self.says(BytesMessage(b"\0\1"))
        said = [Message(1, "h\u00e4llo".encode(), True, False), Message(1, b"\0\1", False, False)]
        self.assertEqual(self.hear(), said)
        self.application.message(1, b"x" * (2 * WINDOW), False)
        self.hear()
        self.assertEqual(b"".join(bytes(one.data) for one in self.visitor_hears()), b"x" * (2 * WINDOW))
        self.says(Ping(b"p"))
        self.assertEqual([type(one).__name__ for one in self.visitor_hears()], ["Pong"])

    def test_either_side_closes(self) -> None:
        self.opened()
        self.application.close(1, 4000, "bye")
        self.hear()
        (closed,) = self.visitor_hears()
        self.assertEqual((closed.code, closed.reason), (4000, "bye"))
        self.assertEqual(self.heard.events, [])
        self.exchange.send(self.visitor.send(closed.response()))
        self.assertEqual(self.heard.events, [("ended", [])])

    def test_a_visitor_who_closes_is_told_so_and_the_application_too(self) -> None:
        self.opened()
        self.says(CloseConnection(1001, "away"))
        self.assertEqual(self.hear(), [Close(1, 1001, b"away")])
        self.assertEqual(self.heard.events[-1], ("ended", []))

    def test_when_the_node_ends_both_are_told_1001_and_the_visitor_has_time_for_his_goodbye(self) -> None:
        self.opened()
        self.application.message(1, b"x" * 10, False)
        self.exchange.finish()
        said = self.hear()
        self.assertEqual(said, [Close(1, 1001, b"the server is stopping")])
        heard = self.visitor_hears()
        self.assertEqual((heard[-1].code, heard[-1].reason), (1001, "the server is stopping"))
        self.assertEqual(self.heard.events, [])
        self.exchange.finish()
        self.exchange.send(self.visitor.send(heard[-1].response()))
        self.assertEqual(self.heard.events, [("ended", [])])

    def test_a_visitor_without_a_goodbye_is_not_waited_for(self) -> None:
        self.opened()
        self.exchange.finish()
        self.reactor.pump([5.0] * 3)
        self.assertEqual(self.heard.events[-1], ("ended", []))

    def test_a_message_of_any_length_passes_piece_by_piece_and_not_to_who_takes_nothing(self) -> None:
        self.opened()
        whole = "ä\N{GRINNING FACE}".encode() * 100_000
        self.application.message(1, whole, True)
        for _ in range(20):
            self.hear()
        received = "".join(one.data for one in self.visitor_hears())
        self.assertEqual(received.encode(), whole)
        self.exchange.pause()
        self.application.message(1, b"y" * (4 << 20), False)
        for _ in range(20):
            self.hear()
        self.assertLessEqual(len(self.heard.body), WINDOW + 100)
        self.exchange.resume()
        for _ in range(80):
            self.hear()
        self.assertEqual(sum(len(one.data) for one in self.visitor_hears()), 4 << 20)

    def test_a_visitor_who_goes_and_one_who_is_silent(self) -> None:
        self.opened()
        self.exchange.cancel()
        self.assertEqual(self.hear(), [Cancel(1, b"the visitor has gone")])
        self.reactor.pump([5.0] * 30)
        self.assertEqual(self.heard.events, [])

    def test_one_who_is_silent_is_given_up(self) -> None:
        self.opened()
        self.reactor.pump([5.0] * 30)
        self.assertEqual(self.heard.events[-1], ("ended", []))
        self.assertEqual([type(one) for one in self.hear()], [Close])

    def test_messages_that_are_too_long_or_no_text_close_it(self) -> None:
        self.opened()
        self.says(BytesMessage(b"x" * (VISITOR_MESSAGE + 1)))
        (closed,) = self.visitor_hears()
        self.assertEqual(closed.code, 1009)
        self.exchange.send(self.visitor.send(closed.response()))
        self.assertEqual([type(one) for one in self.hear()], [Close])
        self.assertEqual(self.heard.events, [("ended", [])])

    def test_a_message_that_is_not_whole_counts_for_its_visitor_and_more_than_his_share_closes_it(
        self,
    ) -> None:
        self.opened()
        self.says(BytesMessage(b"x" * 999, message_finished=False))
        self.assertEqual((self.kept, self.heard.events), (999, []))
        self.says(BytesMessage(b"y"))
        self.assertEqual((self.kept, [type(one) for one in self.hear()]), (0, [Message]))
        self.says(TextMessage("z" * 1001, message_finished=False))
        (closed,) = self.visitor_hears()
        self.assertEqual((closed.code, self.heard.events), (1008, [("ended", [])]))
        self.assertEqual([type(one) for one in self.hear()], [Cancel])

    def test_what_an_application_does_not_take_counts_likewise(self) -> None:
        self.opened()
        self.says(BytesMessage(b"x" * (WINDOW + 1000)))
        self.assertEqual((self.kept, self.heard.events), (1000, []))
        self.says(BytesMessage(b"y"))
        (closed,) = self.visitor_hears()
        self.assertEqual((closed.code, self.heard.events), (1008, [("ended", [])]))

    def test_a_text_of_the_application_that_is_none(self) -> None:
        self.opened()
        self.application.message(1, b"\xff", True)
        self.assertEqual(self.hear(), [Cancel(1, b"a text that is not UTF-8")])
        self.assertEqual(self.visitor_hears()[0].code, 1011)

    def test_the_process_goes(self) -> None:
        self.opened()
        self.lose()
        self.assertEqual(self.visitor_hears()[0].code, 1011)
        self.reactor.pump([5.0] * 3)
        self.assertEqual(self.heard.events, [("ended", [])])

    def test_it_is_refused(self) -> None:
        self.application.answer(1, 403, [(b"a", b"b")], None, b"n", more=True)
        self.application.send(1, b"o", False)
        self.hear()
        self.assertEqual(
            self.heard.events, [("started", 403, [(b"a", b"b")], None), b"n", b"o", ("ended", [])]
        )

    def test_an_application_that_takes_nothing_holds_the_visitor_back_and_the_other_way_round(self) -> None:
        self.opened()
        self.says(BytesMessage(b"x" * WINDOW))
        self.says(BytesMessage(b"y"))
        self.assertEqual((self.heard.paused, self.kept), (True, 1))
        self.hear()
        self.application.taken(1, WINDOW)
        self.hear()
        self.assertEqual((self.heard.paused, self.kept), (False, 0))
        self.exchange.pause()
        self.application.message(1, b"z" * WINDOW, False)
        self.application.message(1, b"z", False)
        self.assertNotIn(Sendable(1), self.hear())
        self.exchange.resume()
        self.assertEqual(self.hear(), [Sendable(1)])

    def test_what_is_no_handshake_is_refused(self) -> None:
        good = [(b"sec-websocket-key", KEY), (b"sec-websocket-version", b"13")]
        for method, fields in (
            (b"POST", good),
            (b"GET", good[:1]),
            (b"GET", good[1:]),
            (b"GET", [(b"sec-websocket-key", b"x"), good[1]]),
            (b"GET", [good[0], (b"sec-websocket-version", b"8")]),
        ):
            heard = Heard()
            self.origin.ask(question(method, fields=fields, upgrade=b"websocket"), heard)
            turn(self.reactor)
            self.assertEqual(heard.failure, Failure.REFUSED)
