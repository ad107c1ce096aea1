"""The transport over a record layer, with real sockets: the client's end is :class:`tests.tls.peer.Peer`."""

from __future__ import annotations

import os
import socket

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, INegotiated, ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from edge.fastpath.sealed import SealedTransport
from edge.tls.interface import Alert
from edge.tls.state import Flag
from tests.fastpath.sealed_case import SealedCase
from tests.tls.peer import server_state

#: More than a socket of :meth:`SealedTests.setUp` takes at once.
MUCH = 3_000_000


@implementer(IHalfCloseableProtocol)
class Recording(Protocol):
    """Notes what happens to it, and answers as the test says."""

    def __init__(self) -> None:
        self.received = b""
        self.happened: list[str] = []
        self.reason: Failure | None = None
        self.willing = True
        self.answer = b""
        self.ends_by = ""

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self.ends_by:
            getattr(self.transport, self.ends_by)()
        if self.answer and self.transport is not None:
            self.transport.write(self.answer)

    def readConnectionLost(self) -> None:
        self.happened.append("read end")

    def writeConnectionLost(self) -> None:
        self.happened.append("write end")

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.happened.append("lost")
        self.reason = reason

    def as_socket(self) -> None:
        """None: it is no WebSocket."""

    def may_return(self) -> bool:
        """As the test says."""
        return self.willing

    def returned(self) -> None:
        """Note it."""
        self.happened.append("returned")

    def pauseProducing(self) -> None:
        self.happened.append("pause")

    def resumeProducing(self) -> None:
        self.happened.append("resume")

    def stopProducing(self) -> None:
        self.happened.append("stop")


class SealedTests(SealedCase):
    """:class:`edge.fastpath.sealed.SealedTransport`."""

    def setUp(self) -> None:
        super().setUp()
        self.protocol = Recording()

    def connect(self, state: bytes | None = None, partial: bytes = b"", data: bytes = b"") -> SealedTransport:
        """The transport of a connection that was just handed off with *data*."""
        return self.connect_to(self.protocol, state, partial, data)

    async def until(self, event: str) -> None:
        """Let the reactor turn until *event* has happened."""
        for _ in range(1000):
            if event in self.protocol.happened:
                return
            await self.turn()
        self.fail(f"no {event}: {self.protocol.happened}")

    def test_it_is_an_ordinary_secure_transport(self) -> None:
        transport = self.connect()
        self.assertTrue(verifyObject(ISSLTransport, transport))
        self.assertTrue(verifyObject(INegotiated, transport))
        self.assertIsNone(transport.getPeerCertificate())
        self.assertEqual(transport.negotiatedProtocol, b"http/1.1")
        self.assertEqual(transport.tls, "TLSv1.3 TLS_AES_128_GCM_SHA256")

    async def test_requests_are_opened_and_answers_sealed(self) -> None:
        self.protocol.answer = b"answer"
        self.connect(data=b"first, ")
        for piece in self.peer.data(b"second, "), self.peer.data(b"third"):
            self.say(piece[:7])
            await self.turn(2)
            self.say(piece[7:])
            await self.turn(2)
        self.assertEqual(self.protocol.received, b"first, second, third")
        self.assertEqual(self.peer.open(await self.read()).plaintext, b"answer" * 3)

    async def test_what_is_written_in_one_turn_is_one_record(self) -> None:
        transport = self.connect()
        transport.write(b"head")
        transport.writeSequence([b" and ", b"body"])
        self.assertEqual(transport.unsent, 13)
        await self.turn(2)
        sent = await self.read()
        self.assertEqual((len(sent), transport.unsent), (13 + 22, 0))
        self.assertEqual(self.peer.open(sent).plaintext, b"head and body")

    async def test_a_peer_that_takes_nothing_pauses_the_producer_and_gets_all_in_the_end(self) -> None:
        transport = self.connect()
        transport.registerProducer(self.protocol, True)
        for number in range(10):
            transport.write(bytes((number,)) * (MUCH // 10))
            await self.turn(2)
        self.assertEqual(self.protocol.happened, ["pause"] * 10)
        self.assertGreater(transport.unsent, MUCH // 2)
        told = b""
        while len(told) < MUCH:
            told += self.peer.open(await self.read(1)).plaintext
            self.assertIn("resume" if len(told) == MUCH else "pause", self.protocol.happened)
        self.assertEqual(told, b"".join(bytes((number,)) * (MUCH // 10) for number in range(10)))
        self.assertEqual((self.protocol.happened[-1], transport.unsent), ("resume", 0))
        transport.unregisterProducer()

    async def test_what_is_not_wanted_now_is_not_read(self) -> None:
        transport = self.connect()
        transport.pauseProducing()
        self.say(self.peer.data(b"wait"))
        await self.turn(5)
        self.assertEqual(self.protocol.received, b"")
        transport.resumeProducing()
        await self.turn(5)
        self.assertEqual(self.protocol.received, b"wait")

    async def test_closing_sends_all_and_then_close_notify(self) -> None:
        transport = self.connect()
        transport.write(b"x" * MUCH)
        transport.loseConnection()
        opened = self.peer.open(await self.read(until_end=True))
        self.assertEqual((len(opened.plaintext), opened.closed), (MUCH, True))
        await self.until("lost")
        assert self.protocol.reason is not None
        self.protocol.reason.trap(ConnectionDone)
        self.assertEqual(self.fast_path.released, 1)
        self.assertRaises(ValueError, transport._layer.seal, b"x")

    async def test_closing_waits_for_a_producer_that_was_paused(self) -> None:
        transport = self.connect()
        transport.registerProducer(self.protocol, True)
        transport.write(b"x" * MUCH)
        transport.loseConnection()
        told = b""
        while "resume" not in self.protocol.happened:
            told += self.peer.open(await self.read(1)).plaintext
        transport.write(b"the rest")
        transport.unregisterProducer()
        opened = self.peer.open(await self.read(until_end=True))
        self.assertEqual((told + opened.plaintext, opened.closed), (b"x" * MUCH + b"the rest", True))

    async def test_half_closing_sends_close_notify_and_reads_on(self) -> None:
        transport = self.connect()
        transport.write(b"the last")
        transport.loseWriteConnection()
        opened = self.peer.open(await self.read(until_end=True))
        self.assertEqual((opened.plaintext, opened.closed), (b"the last", True))
        self.say(self.peer.data(b"still here"))
        await self.turn(3)
        self.assertEqual((self.protocol.received, self.protocol.happened), (b"still here", ["write end"]))
        transport.write(b"too late")
        transport.loseConnection()
        await self.until("lost")
        self.assertEqual(await self.read(), b"")

    async def test_aborting_sends_nothing(self) -> None:
        transport = self.connect()
        transport.write(b"x")
        transport.abortConnection()
        self.assertEqual(await self.read(until_end=True), b"")
        await self.until("lost")
        assert self.protocol.reason is not None
        self.protocol.reason.trap(ConnectionAborted)

    async def test_close_notify_of_the_peer_ends_its_direction(self) -> None:
        self.protocol.answer = b"answered"
        self.connect()
        self.say(self.peer.data(b"last") + self.peer.alert(0) + b"nothing that counts")
        await self.until("read end")
        self.assertEqual(self.protocol.received, b"last")
        self.assertEqual(self.peer.open(await self.read(30)).plaintext, b"answered")
        self.assertEqual(self.protocol.happened, ["read end"])

    async def test_an_end_without_close_notify_is_the_end_of_its_direction_too(self) -> None:
        """As nearly all clients end; HTTP says by itself what is whole."""
        self.connect()
        self.client.shutdown(socket.SHUT_WR)
        await self.until("read end")

    async def test_a_refused_record_is_answered_with_an_alert_behind_what_was_sealed(self) -> None:
        transport = self.connect()
        transport.write(b"sealed")
        transport._seal_waiting()
        transport._append(transport._tempDataBuffer.pop())
        transport._tempDataLen = 0
        transport.write(b"dropped")
        self.say(self.peer.data(b"x")[:-1] + b"\0")
        await self.until("lost")
        assert self.protocol.reason is not None
        self.protocol.reason.trap(Alert)
        received = await self.read(until_end=True)
        self.assertEqual(self.peer.open(received[:-24]).plaintext, b"sealed")
        alert = self.assertRaises(Alert, self.peer.open, received[-24:])
        self.assertEqual((alert.name, self.protocol.received), ("bad_record_mac", b""))
        self.assertEqual(self.fast_path.released, 1)

    async def test_an_alert_of_the_peer_ends_the_connection(self) -> None:
        self.connect()
        self.say(self.peer.alert(42))
        await self.until("lost")
        assert self.protocol.reason is not None
        reason = self.protocol.reason.value
        self.assertIsInstance(reason, Alert)
        self.assertEqual(await self.read(until_end=True), b"")

    async def test_a_key_update_is_answered_between_what_is_sealed_and_what_is_not(self) -> None:
        transport = self.connect()
        transport.write(b"a" * MUCH)
        await self.turn(3)  # as much as the socket takes; the rest is ciphertext and plaintext
        transport.write(b"b" * 1000)
        self.say(self.peer.key_update(requested=True) + self.peer.data(b"more"))
        await self.turn(3)
        transport.write(b"c" * 1000)
        transport.loseConnection()
        opened = self.peer.open(await self.read(until_end=True))
        self.assertEqual(opened.plaintext, b"a" * MUCH + b"b" * 1000 + b"c" * 1000)
        self.assertTrue(opened.closed)
        self.assertEqual(self.protocol.received, b"more")

    async def test_who_asks_for_key_updates_and_reads_nothing_makes_nothing_grow(self) -> None:
        transport = self.connect()
        transport.write(b"a" * MUCH)
        await self.turn(3)
        waits = transport.unsent
        for _ in range(100):
            self.say(self.peer.key_update(requested=True) + self.peer.data(b"."))
            await self.turn(2)
        self.assertEqual((transport.unsent, self.protocol.received), (waits, b"." * 100))
        transport.write(b"b")
        transport.loseConnection()
        self.assertEqual(self.peer.open(await self.read(until_end=True)).plaintext, b"a" * MUCH + b"b")

    async def test_writing_now_needs_no_turn_and_keeps_the_order(self) -> None:
        transport = self.connect()
        transport.write_now(b"now, ")
        self.assertEqual(self.peer.open(await self.read()).plaintext, b"now, ")
        transport.write_now(b"x" * MUCH)
        self.assertGreater(transport.unsent, 0)
        transport.write_now(b"behind it")
        transport.loseConnection()
        opened = self.peer.open(await self.read(until_end=True))
        self.assertEqual(opened.plaintext, b"x" * MUCH + b"behind it")

    async def test_it_returns_with_its_state_when_all_has_left(self) -> None:
        transport = self.connect()
        layer = transport._layer
        transport.write(b"x" * MUCH)
        transport.offer_return()
        await self.turn(5)
        self.assertEqual(self.fast_path.adopted, [])
        told = 0
        while told < MUCH:
            told += len(self.peer.open(await self.read(1)).plaintext)
        await self.until("returned")
        [(fd, adopted)] = self.fast_path.adopted
        self.addCleanup(os.close, fd)
        self.assertIs(adopted, layer)
        self.assertEqual(adopted.open(self.peer.data(b"next")).plaintext, b"next")
        self.assertEqual(self.fast_path.released, 0)

    async def test_one_that_cannot_be_taken_back_is_closed(self) -> None:
        transport = self.connect()
        layer = transport._layer
        self.fast_path.full = True
        transport.offer_return()
        await self.until("returned")
        self.assertEqual(await self.read(until_end=True), b"")
        self.assertEqual(self.fast_path.released, 1)
        self.assertRaises(ValueError, layer.seal, b"")

    async def test_what_the_layer_holds_is_delivered_after_the_plaintext(self) -> None:
        whole, begun = self.peer.data(b"two, "), self.peer.data(b"three")
        self.connect(partial=whole + begun[:9], data=b"one, ")
        self.assertEqual(self.protocol.received, b"one, two, ")
        self.say(begun[9:])
        await self.turn(3)
        self.assertEqual(self.protocol.received, b"one, two, three")

    async def test_a_protocol_that_ends_it_at_once_hears_no_more(self) -> None:
        whole = self.peer.data(b"more")
        for end in ("abortConnection", "loseConnection"):
            self.protocol = Recording()
            self.protocol.ends_by = end
            self.connect(partial=whole, data=b"first")
            await self.turn(3)
            self.assertEqual((self.protocol.received, self.protocol.happened), (b"first", ["lost"]))

    async def test_an_end_that_came_before_the_handoff_is_told(self) -> None:
        self.connect(server_state(flags=Flag.CLOSE_RECEIVED), data=b"GET")
        self.assertEqual((self.protocol.received, self.protocol.happened), (b"GET", ["read end"]))
        self.protocol = Recording()
        self.connect(partial=b"\x15\x03\x03\x00\x02\x01\x00")
        self.assertEqual(self.protocol.happened, ["lost"])

    async def test_a_key_update_that_is_owed_leaves_at_once(self) -> None:
        self.connect(server_state(flags=Flag.UPDATE_OWED))
        await self.turn(2)
        self.assertEqual(len(await self.read()), 27)
