"""Subscribers over TLS: what is true in the clear is true there, by both builds."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Pong
from wsproto.frame_protocol import FrameProtocol

from loadgen.subscribers import Timeouts
from loadgen.trust import Trust
from loadgen.wire import native, select_links
from loadgen.wire.native import NativeLinks
from loadgen.wire.python_links import PythonLinks
from tests.loadgen.subscribers.helpers import Crowd, Server, accepted, changed, text
from tests.loadgen.wire.tls_peer import NAME, Peer, context, trust

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Base
else:
    Base = object

FRAMES = FrameProtocol(client=False, extensions=[])
#: One side's socket holds so much at most, on any machine that these tests run on.
FULL = 64 << 20


class SecureSuite(Base):
    """What subscribers of servers over TLS do; mixed into a test case for each build."""

    wire = ""

    def setUp(self) -> None:
        self.crowd = self.made()
        self.server = self.listening()

    def made(self, given: Trust | None = None, timeouts: Timeouts | None = None) -> Crowd:
        crowd = Crowd(timeouts, wire=self.wire, trust=trust() if given is None else given)
        self.addCleanup(crowd.subscribers.close)
        return crowd

    def listening(self, name: str = NAME) -> Server:
        server = Server(name)
        self.addCleanup(server.close)
        return server

    def open(self, count: int, *servers: Server) -> None:
        self.crowd.subscribers.open(count, [server.target for server in servers or (self.server,)], 1e6)

    def peer(self, settings: ssl.SSLContext | None = None, server: Server | None = None) -> Peer:
        """The server's side of the next connection, its handshake not begun."""
        connection = self.crowd.accepted(server or self.server)
        peer = Peer(connection, settings or context(), self.crowd.run)
        self.addCleanup(connection.close)
        return peer

    def opened(self, more: bytes = b"", settings: ssl.SSLContext | None = None) -> Peer:
        """The next connection, a WebSocket; *more*: sent with the answer."""
        peer = self.peer(settings)
        peer.shake()
        before = self.crowd.subscribers.opened
        peer.write(accepted(peer.read()) + more)
        self.crowd.until(lambda: self.crowd.subscribers.opened > before, "the handshake is done")
        return peer

    def failed(self, why: str) -> None:
        """The crowd counts this failure, and nothing else."""
        errors = self.crowd.subscribers.errors
        self.crowd.until(lambda: errors, why)
        self.assertEqual(dict(errors), {why: 1})
        errors.clear()

    def test_pushes_come_and_pings_are_answered(self) -> None:
        self.open(1)
        peer = self.opened(changed(1))
        peer.write(changed(2) + bytes(FRAMES.ping(b"!")))
        said = Connection(ConnectionType.SERVER)
        said.receive_data(peer.read())
        (event,) = said.events()
        assert isinstance(event, Pong)
        self.crowd.until(lambda: self.crowd.count() == 1, "the push has come")
        (handshake,) = self.crowd.subscribers.take_handshakes()
        self.assertEqual((handshake.node, handshake.resumed), (0, 0))
        self.assertGreater(handshake.took_ns, 0)

    def test_who_comes_again_resumes_as_often_as_there_are_tickets(self) -> None:
        self.open(1)
        resumed = []
        for number in range(3):
            peer = self.opened(changed(number))
            resumed += [one.resumed for one in self.crowd.subscribers.take_handshakes()]
            peer.write(text('{"type": "changed", "seq": 9}'))
            self.crowd.until(lambda: self.crowd.count() > 0, "it has read the tickets")
            self.crowd.pushes.clear()
            peer.goodbye()
            peer.connection.close()
            self.failed("closed early")
        self.assertEqual(resumed, [0, 1, 1])

    def test_what_comes_in_many_records_at_once_is_all_read(self) -> None:
        """More than is read at a time: of what has been decrypted no event tells."""
        self.open(1)
        peer = self.opened(changed(1))
        peer.tls.write(text('{"type": "changed", "seq": 2, "x": "%s"}' % ("x" * 100_000)))
        for number in range(3, 200):
            peer.tls.write(changed(number))
        data = peer.take()
        while data:
            try:
                data = data[peer.connection.send(data) :]
            except BlockingIOError:
                self.crowd.run()
        self.crowd.until(lambda: self.crowd.count() == 198, "all have come")
        self.assertEqual(self.crowd.subscribers.errors, {})

    def test_a_goodbye_of_tls_ends_it_though_the_connection_below_stays(self) -> None:
        self.open(1)
        peer = self.opened()
        peer.goodbye()
        self.failed("closed early")

    def test_goodbyes_are_said_in_websocket_and_tls(self) -> None:
        self.open(1)
        peer = self.opened()
        self.crowd.subscribers.close()
        peer.pump()
        said = Connection(ConnectionType.SERVER)
        said.receive_data(peer.tls.read(4096))
        self.assertIsInstance(next(said.events()), CloseConnection)
        self.assertEqual(peer.tls.read(1), b"")

    def test_who_cannot_be_trusted_is_counted_by_what_is_wrong(self) -> None:
        for given, settings, why in (
            (Trust(), context(), "certificate not trusted"),
            (trust(), context("other.example"), "certificate for another name"),
            (trust(), context(days=(-10, -1)), "certificate expired"),
        ):
            self.crowd = self.made(given)
            self.open(1)
            peer = self.peer(settings)
            with self.assertRaises(ssl.SSLError):
                peer.shake()
                peer.read()
            self.failed(why)

    def test_any_certificate_does_where_that_was_said(self) -> None:
        self.crowd = self.made(Trust(insecure=True))
        self.open(1)
        self.opened(settings=context("other.example"))
        self.assertEqual(self.crowd.subscribers.count(), 1)

    def test_who_speaks_no_tls_or_is_not_there_is_counted(self) -> None:
        self.open(1)
        connection = self.crowd.accepted(self.server)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.failed("no TLS handshake")
        connection.close()
        gone = self.listening()
        gone.close()
        self.crowd = self.made()
        self.open(1, gone)
        errors = self.crowd.subscribers.errors
        self.crowd.until(lambda: errors, "it fails")
        self.assertEqual(set(errors), {"no connection: Connection refused"})

    def test_who_does_not_go_on_with_the_handshake_is_given_up(self) -> None:
        self.crowd = self.made(timeouts=Timeouts(handshake_ns=1, silent_ns=1))
        with mock.patch("loadgen.subscribers.sockets.TICK_NS", 1):
            self.open(1)
            self.failed("no answer in time")

    def test_who_pings_and_reads_nothing_does_not_stop_the_others(self) -> None:
        self.open(2)
        deaf, other = self.opened(changed(1)), self.opened(changed(1))
        errors = self.crowd.subscribers.errors
        flood = bytes(FRAMES.ping(b"x" * 125)) * 500
        sent = 0
        while sent < FULL and not errors:
            deaf.tls.write(flood)
            data = deaf.take()
            try:
                while data:
                    data = data[deaf.connection.send(data) :]
                    sent += len(flood)
            except BlockingIOError:  # what was cut there ends the connection
                self.crowd.run()
                break
            self.crowd.run()
        other.write(changed(2))
        self.crowd.until(lambda: self.crowd.count() == 1, "the other one has it")

    def test_what_could_not_be_said_goes_first_when_it_can(self) -> None:
        """A record that was begun has to be ended, whatever is said next."""
        self.open(1)
        peer = self.opened()
        transport = self.crowd.subscribers._transport
        (fd,) = transport.secure
        parts = []
        with self.assertRaises(BlockingIOError):
            for number in range(FULL // 10_000):
                parts.append(b"%10d" % number * 1000)
                transport.write(fd, parts[-1])
        heard = bytearray()
        while len(heard) < 10_000 * (len(parts) - 1):  # the last one has been begun at most
            heard += peer.read()
        transport.write(fd, b"end")
        while not heard.endswith(b"end"):
            heard += peer.read()
        self.assertEqual(bytes(heard), b"".join(parts) + b"end")


class PythonTests(SecureSuite, SynchronousTestCase):
    """The specification."""

    wire = "python"


class NativeTests(SecureSuite, SynchronousTestCase):
    """The native build."""

    wire = "native"


class SelectTests(SynchronousTestCase):
    """Which build it is."""

    def test_the_native_one_where_it_is_built(self) -> None:
        for kind, made in (("auto", NativeLinks), ("native", NativeLinks), ("python", PythonLinks)):
            links = select_links(kind, 10, Trust(insecure=True))
            self.addCleanup(links.close)
            self.assertIsInstance(links, made)
        with mock.patch.object(native, "_tls", None):
            links = select_links("auto", 10, Trust(insecure=True))
            self.addCleanup(links.close)
            self.assertIsInstance(links, PythonLinks)
