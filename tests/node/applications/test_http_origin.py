"""One HTTP server: connections that are used again, bodies both ways, what goes wrong on the way."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure as Reason
from twisted.trial.unittest import SynchronousTestCase, TestCase

from edge.node.applications.http_origin import LOOK_SECONDS, HTTPOrigin, UpstreamConnection
from edge.node.applications.origin import Failure, Fields, Question
from edge.upstream.retry import KEPT_BODY
from edge.upstream.reuse import FRESH_SECONDS, IDLE_SECONDS
from tests.node.applications.parts import Heard, question, turn

#: The real one.
reactor: Any = real_reactor
#: Seconds after which a wait for something that happens is in vain.
PATIENCE = 30.0

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Wire:
    """The transport of a connection to a server that the test plays; *room*: bytes taken at once."""

    def __init__(self, protocol: UpstreamConnection) -> None:
        self.protocol = protocol
        self.sent = b""
        self.room: int | None = None
        self.connected = True
        self.reading = True
        self.closed = self.aborted = False
        self.dataBuffer = b""
        self.offset = self._tempDataLen = 0
        self._tempDataBuffer: list[bytes] = []
        self.producer: Any = None
        #: What has come and was not told.
        self.untold = b""
        self.socket = self

    def recv(self, count: int, flags: int) -> bytes:
        """As the socket has it, which does not block."""
        if not self.untold:
            raise BlockingIOError
        return self.untold[:count]

    def say(self, data: bytes) -> None:
        """The server says *data*."""
        self.protocol.dataReceived(data)

    def lose(self) -> None:
        """The server closes."""
        self.connected = False
        self.protocol.connectionLost(Reason(ConnectionDone()))

    def drain(self) -> None:
        """The server takes what waits."""
        self.sent += self.dataBuffer
        self.dataBuffer = b""
        self.producer.resumeProducing()

    # As a transport of Twisted has it

    def writeSomeData(self, data: bytes) -> int:
        """What a socket takes at once."""
        taken = data if self.room is None else data[: self.room]
        self.sent += taken
        return len(taken)

    def write(self, data: bytes) -> None:
        """What it did not take."""
        self.dataBuffer += data
        self.producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseConnection(self) -> None:
        self.closed = True
        self.lose()

    def abortConnection(self) -> None:
        self.aborted = True
        self.connected = False
        self.protocol.connectionLost(Reason(ConnectionAborted()))


class Case(SynchronousTestCase):
    """An origin whose connections the test plays."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.wires: list[Wire] = []
        self.connecting: list[tuple[UpstreamConnection, Deferred[None]]] = []
        self.at_once = True
        self.origin = HTTPOrigin("app", self.connect, self.clock)
        self.addCleanup(self.origin.stop)

    def connect(self, protocol: UpstreamConnection) -> Deferred[None]:
        made: Deferred[None] = Deferred()
        self.connecting.append((protocol, made))
        if self.at_once:
            self.accept()
        return made

    def accept(self) -> Wire:
        """The oldest connection is made."""
        protocol, made = self.connecting.pop(0)
        wire = Wire(protocol)
        self.wires.append(wire)
        protocol.makeConnection(wire)  # type: ignore[arg-type]
        made.callback(None)
        return wire

    def ask(self, asked: Question | None = None) -> tuple[Any, Heard, Wire]:
        """(exchange, what is heard, the wire that it is on) of a question."""
        heard = Heard()
        exchange: Any = self.origin.ask(asked or question(), heard)
        return (
            exchange,
            heard,
            next((w for w in self.wires if w.protocol._exchange is exchange), self.wires[-1]),
        )


class AskingTests(Case):
    """Questions and answers."""

    def test_a_question_goes_out_with_what_the_node_says_itself(self) -> None:
        asked = question(
            target=b"/a?b", fields=[(b"Via", b"1.1 x"), (b"A", b"1")], peer="192.0.2.1", secure=True
        )
        _, _, wire = self.ask(asked)
        self.assertEqual(
            wire.sent,
            b"GET /a?b HTTP/1.1\r\nHost: example.org\r\nVia: 1.1 x\r\nA: 1\r\nVia: 1.1 edge\r\n"
            b'Forwarded: for=192.0.2.1;host="example.org";proto=https\r\nX-Forwarded-For: 192.0.2.1\r\n'
            b"X-Forwarded-Host: example.org\r\nX-Forwarded-Proto: https\r\n\r\n",
        )

    def test_the_clean_question_names_nobody(self) -> None:
        sent = []
        for peer in ("192.0.2.1", "2001:db8::1"):
            _, _, wire = self.ask(question(peer=peer, clean=True))
            sent.append(wire.sent)
            wire.say(OK)
            wire.sent = b""
        self.assertEqual(sent[0], sent[1])
        self.assertNotIn(b"192.0.2.1", sent[0])

    def test_connections_are_used_again_and_only_when_both_sides_are_done(self) -> None:
        for _ in range(3):
            _, heard, wire = self.ask()
            wire.say(OK)
            self.assertEqual(heard.events, [("started", 200, [], 2), b"ok", ("ended", [])])
        self.assertEqual(len(self.wires), 1)
        _, heard, wire = self.ask(question(b"POST", body_length=5))
        wire.say(OK)
        self.assertEqual(heard.events[-1], ("ended", []))
        self.assertTrue(wire.aborted, "the rest of the question would come before the next one")

    def test_what_came_unasked_and_was_not_told_yet_is_no_answer_to_the_next_question(self) -> None:
        _, _, first = self.ask()
        first.say(OK)
        first.untold = OK
        _, heard, second = self.ask()
        self.assertIsNot(second, first)
        self.assertTrue(first.aborted)
        second.say(OK)
        self.assertEqual(heard.body, b"ok")

    def test_two_at_once_have_a_connection_each(self) -> None:
        self.ask()
        self.ask()
        self.assertEqual(len(self.wires), 2)

    def test_bodies_go_out_as_they_come(self) -> None:
        exchange, _, wire = self.ask(question(b"POST", body_length=6))
        wire.sent = b""
        exchange.send(b"abc")
        exchange.send(b"def")
        exchange.finish()
        self.assertEqual(wire.sent, b"abcdef")
        wire.say(OK)
        exchange, _, wire = self.ask(question(b"POST", body_length=None))
        wire.sent = b""
        exchange.send(b"abc")
        exchange.finish()
        self.assertEqual(wire.sent, b"3\r\nabc\r\n0\r\n\r\n")

    def test_a_body_that_comes_before_the_connection_waits_for_it_but_not_without_end(self) -> None:
        self.at_once = False
        heard = Heard()
        exchange = self.origin.ask(question(b"POST", body_length=KEPT_BODY + 1), heard)
        exchange.send(b"x" * KEPT_BODY)
        self.assertTrue(heard.paused)
        heard.resume_body = lambda: exchange.send(b"y")  # type: ignore[method-assign]
        wire = self.accept()
        exchange.finish()
        self.assertTrue(wire.sent.endswith(b"\r\n\r\n" + b"x" * KEPT_BODY + b"y"))

    def test_a_server_that_takes_nothing_holds_the_visitor_back(self) -> None:
        exchange, heard, wire = self.ask(question(b"POST", body_length=100))
        wire.room = 10
        exchange.send(b"x" * 50)
        self.assertTrue(heard.paused)
        wire.drain()
        self.assertFalse(heard.paused)

    def test_a_visitor_who_takes_nothing_holds_the_server_back(self) -> None:
        exchange, heard, wire = self.ask()
        wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        exchange.pause()
        exchange.pause()
        self.assertFalse(wire.reading)
        exchange.resume()
        self.assertTrue(wire.reading)
        exchange.pause()
        wire.say(b"cd")
        self.assertEqual(heard.body, b"abcd")
        self.assertTrue(wire.reading, "the connection is free, and its end has to be noticed")

    def test_interim_answers_and_trailers_are_told(self) -> None:
        _, heard, wire = self.ask(question(b"POST", body_length=3, expect_continue=True))
        self.assertIn(b"\r\nExpect: 100-continue\r\n", wire.sent)
        wire.say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: </a>\r\n\r\n")
        wire.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n")
        self.assertEqual(
            heard.events,
            [("interim", 100, []), ("interim", 103, [(b"Link", b"</a>")]), ("started", 200, [], None),
             ("ended", [(b"A", b"b")])],
        )  # fmt: skip

    def test_after_101_bytes_pass_both_ways_until_one_ends(self) -> None:
        exchange, heard, wire = self.ask(question(upgrade=b"websocket"))
        self.assertIn(b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", wire.sent)
        wire.say(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nA: b\r\n\r\nfirst")
        wire.say(b"HTTP/1.1 200 OK\r\n\r\n")
        wire.sent = b""
        exchange.send(b"hello")
        self.assertEqual(wire.sent, b"hello")
        self.assertEqual(heard.events, [("switched", [(b"A", b"b")]), b"first", b"HTTP/1.1 200 OK\r\n\r\n"])
        wire.lose()
        self.assertEqual(heard.events[-1], ("ended", []))
        exchange, heard, wire = self.ask(question(upgrade=b"websocket"))
        wire.say(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        exchange.cancel()
        self.assertTrue(wire.aborted)

    def test_what_a_server_does_not_take_after_101_counts_for_its_visitor(self) -> None:
        kept: list[int] = []

        def keep(count: int) -> bool:
            kept.append(count)
            return count <= 1000

        exchange, heard, wire = self.ask(question(upgrade=b"websocket", keep=keep))
        wire.say(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        wire.room = 0
        exchange.send(b"x" * 999)
        self.assertEqual((kept[-1], heard.paused), (999, True))
        wire.drain()
        self.assertEqual((kept[-1], heard.paused), (0, False))
        exchange.send(b"x" * 1001)
        self.assertEqual((heard.events[1:], wire.aborted), ([("ended", [])], True))


class TroubleTests(Case):
    """What goes wrong."""

    def test_no_connection_is_said_in_a_later_turn_and_nobody_was_reached(self) -> None:
        self.at_once = False
        heard = Heard()
        self.origin.ask(question(), heard)
        self.connecting.pop()[1].errback(Reason(ConnectionRefusedError()))
        self.assertEqual(heard.events, [])
        turn(self.clock)
        self.assertEqual((heard.failure, heard.events[-1].reached), (Failure.AWAY, False))

    def test_what_is_no_answer_is_garbage_and_ends_the_connection(self) -> None:
        for said in (b"nonsense", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"):
            _, heard, wire = self.ask()
            wire.say(said)
            self.assertEqual(heard.failure, Failure.GARBAGE)
            self.assertTrue(wire.aborted)
            self.assertEqual(len(self.origin.resting), 0)

    def test_an_answer_that_is_cut_off_is_said_to_be(self) -> None:
        for said in (b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"):
            _, heard, wire = self.ask()
            wire.say(said)
            wire.lose()
            self.assertEqual(heard.failure, Failure.CLOSED_EARLY, said)

    def test_an_answer_that_ends_with_the_connection_is_whole_then(self) -> None:
        _, heard, wire = self.ask()
        wire.say(b"HTTP/1.0 200 OK\r\n\r\nabc")
        wire.lose()
        self.assertEqual(heard.events, [("started", 200, [], None), b"abc", ("ended", [])])

    def test_a_connection_that_was_closed_while_it_rested_is_not_used(self) -> None:
        self.ask()[2].say(OK)
        self.wires[0].lose()
        self.ask()
        self.assertEqual(len(self.wires), 2)

    def test_closed_while_the_question_was_on_its_way_it_is_sent_again_on_a_new_one(self) -> None:
        self.ask()[2].say(OK)
        _, heard, wire = self.ask()
        self.assertIs(wire, self.wires[0])
        wire.lose()
        self.assertEqual((len(self.wires), heard.events), (2, []))
        self.wires[1].say(OK)
        self.assertEqual(heard.events[-1], ("ended", []))

    def test_with_its_body_if_that_is_kept_still(self) -> None:
        repeatable = [(b"Idempotency-Key", b"1")]
        for length in (3, KEPT_BODY + 1):
            self.ask()[2].say(OK)
            rested = self.wires[-1]
            exchange, heard, wire = self.ask(question(b"POST", body_length=length, fields=repeatable))
            self.assertIs(wire, rested)
            exchange.send(b"x" * length)
            exchange.finish()
            wire.lose()
            if length == 3:
                self.assertTrue(self.wires[-1].sent.endswith(b"\r\n\r\nxxx"))
                self.wires[-1].say(OK)
                self.assertEqual(heard.events[-1], ("ended", []))
            else:
                self.assertEqual(heard.failure, Failure.CLOSED_EARLY)

    def test_a_new_connection_that_is_closed_is_no_reason_to_try_a_third(self) -> None:
        self.ask()[2].say(OK)
        _, heard, wire = self.ask()
        wire.lose()
        self.wires[-1].lose()
        self.assertEqual((heard.failure, len(self.wires)), (Failure.CLOSED_EARLY, 2))

    def test_what_may_not_be_asked_twice_waits_for_no_old_connection(self) -> None:
        self.ask()[2].say(OK)
        self.clock.advance(FRESH_SECONDS)
        self.ask(question(b"POST", body_length=0))
        self.assertEqual(len(self.wires), 2)

    def test_what_rests_too_long_is_closed(self) -> None:
        self.ask()[2].say(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\nContent-Length: 0\r\n\r\n")
        self.clock.advance(LOOK_SECONDS)
        self.assertTrue(self.wires[0].closed)
        self.ask()[2].say(OK)
        self.clock.pump([LOOK_SECONDS] * int(IDLE_SECONDS / LOOK_SECONDS))
        self.assertTrue(self.wires[1].closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_server_that_speaks_unasked_is_not_listened_to(self) -> None:
        self.ask()[2].say(OK)
        self.wires[0].say(OK)
        self.assertTrue(self.wires[0].aborted)
        _, heard, _ = self.ask()
        self.assertEqual((len(self.wires), heard.events), (2, []))

    def test_an_answer_with_another_one_behind_it_counts_and_its_connection_does_not(self) -> None:
        _, heard, wire = self.ask()
        wire.say(OK + OK)
        self.assertEqual(heard.events, [("started", 200, [], 2), b"ok", ("ended", [])])
        self.assertTrue(wire.closed)

    def test_who_goes_takes_the_connection_with_him(self) -> None:
        exchange, heard, wire = self.ask()
        wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        exchange.cancel()
        exchange.cancel()
        exchange.send(b"x")
        exchange.finish()
        exchange.pause()
        self.assertTrue(wire.aborted)
        self.assertEqual(heard.body, b"ab")

    def test_who_goes_before_the_connection_is_made_leaves_it_to_others(self) -> None:
        self.at_once = False
        exchange = self.origin.ask(question(), Heard())
        exchange.cancel()
        self.accept()
        self.assertEqual(self.wires[0].sent, b"")
        self.origin.ask(question(), Heard())
        self.assertTrue(self.wires[0].sent)

    def test_a_receiver_may_cancel_at_any_word(self) -> None:
        for words in (1, 2, 3):
            heard = Fickle(words)
            heard.exchange = self.origin.ask(question(), heard)
            self.wires[-1].say(OK)
            self.assertEqual(len(heard.events), words)


class Fickle(Heard):
    """A receiver that cancels when it has heard so many *words*."""

    exchange: Any

    def __init__(self, words: int) -> None:
        super().__init__()
        self._words = words

    def _heard(self) -> None:
        if len(self.events) == self._words:
            self.exchange.cancel()

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """As the protocol has it."""
        super().started(status, fields, length)
        self._heard()

    def data(self, data: bytes) -> None:
        """As the protocol has it."""
        super().data(data)
        self._heard()

    def ended(self, trailers: Fields) -> None:
        """As the protocol has it."""
        super().ended(trailers)
        self._heard()


class Borrower:
    """What wants connections: as the relay's end of a server."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.carried: list[tuple[socket.socket, float]] = []
        self.ended = False

    @property
    def wants(self) -> bool:
        return len(self.carried) < self.wanted

    def carry(self, descriptor: int, seconds: float) -> None:
        self.carried.append((socket.socket(fileno=descriptor), seconds))

    def end(self) -> None:
        self.ended = True


class LendingTests(TestCase):
    """Connections that have answered are given to the relay, as many as it wants; over real sockets."""

    def setUp(self) -> None:
        self.origin = HTTPOrigin("app", self.connect, reactor)
        self.addCleanup(self.origin.stop)
        self.servers: list[socket.socket] = []

    def connect(self, protocol: UpstreamConnection) -> Deferred[None]:
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        self.addCleanup(ours.close)
        self.servers.append(ours)
        with theirs:
            reactor.adoptStreamConnection(
                theirs.fileno(), theirs.family, Factory.forProtocol(lambda: protocol)
            )
        return succeed(None)

    async def ask(self) -> None:
        """Ask and have it answered, on a new connection."""
        known, heard = len(self.servers), Heard()
        self.origin.ask(question(), heard)
        await self.until(lambda: len(self.servers) > known)
        server = self.servers[-1]
        self.assertTrue(server.recv(1 << 16).startswith(b"GET "))
        server.sendall(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=9\r\n\r\n"))
        await self.until(lambda: ("ended", []) in heard.events)

    async def until(self, condition: Any) -> None:
        for _ in range(int(PATIENCE / 0.01)):
            if condition():
                return
            await deferLater(reactor, 0.01, lambda: None)
        raise AssertionError("waited in vain")

    async def test_a_connection_that_has_answered_is_the_relays_if_it_wants_one(self) -> None:
        self.origin.relayed = borrower = Borrower(1)  # type: ignore[assignment]
        await self.ask()
        await self.until(lambda: borrower.carried)
        [(lent, seconds)] = borrower.carried
        self.addCleanup(lent.close)
        self.assertEqual((seconds, len(self.origin.resting)), (8.0, 0))
        lent.settimeout(PATIENCE)
        lent.sendall(b"asked by others")
        self.assertEqual(self.servers[0].recv(100), b"asked by others")
        self.servers[0].sendall(b"answered to others")
        await deferLater(reactor, 0.05, lambda: None)  # the reactor hears nothing of it
        self.assertEqual(lent.recv(100), b"answered to others")
        await self.ask()  # no more is wanted: that one rests here
        self.assertEqual((len(borrower.carried), len(self.origin.resting)), (1, 1))
        self.origin.stop()
        self.assertTrue(borrower.ended)

    def test_a_connection_that_nobody_asked_on_is_not_offered_turn_after_turn(self) -> None:
        """Who asked has gone before it was made: it rests, and a relay that wants one waits for an answer."""
        clock, made = Clock(), Deferred[None]()

        def connect(connection: UpstreamConnection) -> Deferred[None]:
            connection.makeConnection(StringTransport())
            return made

        origin = HTTPOrigin("app", connect, clock)
        self.addCleanup(origin.stop)
        origin.relayed = borrower = Borrower(1)  # type: ignore[assignment]
        origin.ask(question(), Heard()).cancel()
        made.callback(None)
        for _ in range(3):
            clock.advance(0)
        self.assertEqual((len(origin.resting), borrower.carried), (1, []))
        self.assertEqual([call for call in clock.getDelayedCalls() if call.getTime() <= clock.seconds()], [])

    async def test_what_may_not_be_used_again_is_not_lent(self) -> None:
        self.origin.relayed = borrower = Borrower(1)  # type: ignore[assignment]
        heard = Heard()
        self.origin.ask(question(), heard)
        self.servers[0].recv(1 << 16)
        self.servers[0].sendall(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await self.until(lambda: ("ended", []) in heard.events)
        await deferLater(reactor, 0.05, lambda: None)
        self.assertEqual(borrower.carried, [])
