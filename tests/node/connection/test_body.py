"""Bodies that come from files, over real sockets: the kernel takes them, and nothing waits in our memory."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.node.connection.body import FileBody
from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.process.acceptor import Acceptor
from edge.node.process.channel_limits import ChannelLimits
from edge.trust.credentials import read_credential
from edge.trust.listener_certificate import ListenerCertificates
from tests.trust.made import make

#: More than sockets of the loopback interface take of who reads nothing.
BODY = bytes(range(256)) * (48 << 10)
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class OfAFile(Resource):
    """Answers with a file, whatever it holds, as if it had *length* bytes."""

    isLeaf = True

    def __init__(self, path: Path, length: int) -> None:
        super().__init__()
        self._path, self._length = path, length
        self.in_memory = False
        self.transports: list[Any] = []

    def render_GET(self, request: Any) -> int:
        file: BinaryIO = BytesIO(self._path.read_bytes()) if self.in_memory else request.open(str(self._path))
        request.setHeader(b"Content-Length", b"%d" % self._length)
        self.transports.append(request.channel.transport)
        FileBody(request, file, self._length).start()
        return NOT_DONE_YET


class FileBodyTests(TestCase):
    """:class:`edge.node.connection.body.FileBody`."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.path = Path(self.mktemp())
        self.path.write_bytes(BODY)

    def serve(self, length: int = len(BODY), secure: bool = False, clock: Clock | None = None) -> int:
        """The port where the file is served; *clock*: of deadlines."""
        self.resource = OfAFile(self.path, length)
        limits = ChannelLimits(write_seconds=10, least_rate=1000)
        self.site = EdgeSite(self.resource, clock or self.reactor, limits=limits)
        factory: Any = ChannelFactory(self.site, secure=secure)
        if secure:
            folder = Path(self.mktemp())
            folder.mkdir()
            certificates = ListenerCertificates("intermediate")
            certificates.take([read_credential(make().write(folder))])
            factory = TLSMemoryBIOFactory(certificates, False, factory, self.reactor)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.addCleanup(listener.close)
        acceptor = Acceptor(listener, factory, self.reactor)
        acceptor.start()
        self.addCleanup(self.end)
        self.addCleanup(acceptor.stop)
        port: int = listener.getsockname()[1]
        return port

    async def end(self) -> None:
        """The server's side of all connections."""
        self.site.abort()
        while self.site.channels:
            await deferLater(self.reactor, 0)

    async def until(self, happened: Any) -> None:
        """Let the reactor turn until it is so."""
        for _ in range(2000):
            if happened():
                return
            await deferLater(self.reactor, 0.001)
        self.fail("it has not happened")

    def ask(self, port: int, context: ssl.SSLContext | None = None, times: int = 1) -> list[bytes]:
        """The bodies of *times* answers on one connection; in a thread."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        if context is not None:
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        with contextlib.closing(connection):
            bodies = []
            for _ in range(times):
                connection.request("GET", "/")
                bodies.append(connection.getresponse().read())
            return bodies

    async def test_files_follow_each_other_on_one_connection(self) -> None:
        bodies = await deferToThread(self.ask, self.serve(), None, 3)
        self.assertEqual([body == BODY for body in bodies], [True] * 3)

    async def test_a_file_that_is_no_file_of_the_kernel_is_read(self) -> None:
        port = self.serve()
        self.resource.in_memory = True
        self.assertEqual(await deferToThread(self.ask, port), [BODY])

    async def test_over_the_tls_of_twisted_nothing_leaves_unsealed(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(await deferToThread(self.ask, self.serve(secure=True), context), [BODY])

    async def test_of_who_reads_nothing_no_byte_waits_in_our_memory(self) -> None:
        port = self.serve()
        client = socket.create_connection(("127.0.0.1", port), 10)
        self.addCleanup(client.close)
        client.sendall(ASK)
        await self.until(lambda: self.resource.transports)
        transport = self.resource.transports[0]
        await self.until(lambda: transport.bytes_sent > 100_000)
        await self.until(lambda: transport.unsent == 1)
        self.assertLess(transport.bytes_sent, len(BODY))

        def read_on() -> bytes:
            received = b""
            while len(received) < len(BODY):
                received += client.recv(1 << 20)
            return received

        self.assertEqual((await deferToThread(read_on))[-1000:], BODY[-1000:])

    async def test_what_the_kernel_has_of_the_last_answer_is_taken_at_the_least_rate_or_reset(self) -> None:
        for half_closed in (True, False):
            for pieces in (0, 4):
                with self.subTest(half_closed=half_closed, pieces=pieces):
                    await self.end_after(pieces, half_closed)

    async def end_after(self, pieces: int, half_closed: bool) -> None:
        """A client that takes *pieces* of 50 kB in 10 s each, and then the rest, or nothing."""
        self.path.write_bytes(BODY[:600_000])
        clock = Clock()
        port = self.serve(600_000, clock=clock)
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        await self.until(lambda: clock.advance(0) or self.resource.transports)
        transport = self.resource.transports[0]
        await self.until(
            lambda: clock.advance(0) or (transport.bytes_sent > 600_000 and not transport.unsent)
        )
        taken = 0
        for seconds in (2, *([10] * max(pieces, 1))):
            if pieces:
                taken += len(await deferToThread(client.recv, 50_000, socket.MSG_WAITALL))
            await deferLater(self.reactor, 0.02)
            clock.advance(seconds)
            await deferLater(self.reactor, 0)
        self.assertEqual(len(self.site.channels), 1 if pieces else 0)
        if not pieces:
            with self.assertRaises(ConnectionResetError):
                await deferToThread(client.recv, 700_000, socket.MSG_WAITALL)
                await deferToThread(client.recv, 1)
            return
        taken += len(await deferToThread(client.recv, 700_000, socket.MSG_WAITALL))
        self.assertGreater(taken, 600_000)
        if not half_closed:
            client.shutdown(socket.SHUT_WR)
        await self.until(lambda: clock.advance(1) or not self.site.channels)

    async def test_a_file_that_ends_too_early_ends_the_connection(self) -> None:
        with self.assertRaises(ConnectionResetError):
            await deferToThread(self.ask, self.serve(len(BODY) + 1))
