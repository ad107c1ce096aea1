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

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.node.connection.body import FileBody
from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.process.acceptor import Acceptor
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
        self.requests: list[Any] = []

    def render_GET(self, request: Any) -> int:
        file: BinaryIO = BytesIO(self._path.read_bytes()) if self.in_memory else request.open(str(self._path))
        request.setHeader(b"Content-Length", b"%d" % self._length)
        self.requests.append(request)
        FileBody(request, file, self._length).start()
        return NOT_DONE_YET


class FileBodyTests(TestCase):
    """:class:`edge.node.connection.body.FileBody`."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.path = Path(self.mktemp())
        self.path.write_bytes(BODY)

    def serve(self, length: int = len(BODY), secure: bool = False) -> int:
        """The port where the file is served."""
        self.resource = OfAFile(self.path, length)
        self.site = EdgeSite(self.resource, self.reactor)
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
        await self.until(lambda: self.resource.requests)
        transport = self.resource.requests[0].channel.transport
        await self.until(lambda: transport.bytes_sent > 100_000)
        await self.until(lambda: transport.unsent == 1)
        self.assertLess(transport.bytes_sent, len(BODY))

        def read_on() -> bytes:
            received = b""
            while len(received) < len(BODY):
                received += client.recv(1 << 20)
            return received

        self.assertEqual((await deferToThread(read_on))[-1000:], BODY[-1000:])

    async def test_a_file_that_ends_too_early_ends_the_connection(self) -> None:
        with self.assertRaises(ConnectionResetError):
            await deferToThread(self.ask, self.serve(len(BODY) + 1))
