"""A fast path in a real reactor, with real sockets."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from edge.fastpath.adapter import Adapter
from edge.fastpath.interface import Settings
from edge.fastpath.twin import PythonFastPath
from edge.table.segment import CounterBlock
from tests.node.tables import BODIES, Site, tag


class Taking(Protocol):
    """Answers what it is given with ``ok``, and gives the connection back when told."""

    def __init__(self, taken: list[Taking]) -> None:
        self.received = b""
        self.lost = False
        taken.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        assert self.transport is not None
        self.transport.write(b"ok")

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.lost = True


class AdapterTests(TestCase):
    """:class:`edge.fastpath.adapter.Adapter` around the Python twin."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        directory = self.mktemp()
        os.mkdir(directory)
        self.site = Site(directory)
        self.taken: list[Taking] = []
        self.failed: list[Failure] = []
        self.fast_path = PythonFastPath(self.site.segment, 0, Settings())
        self.adapter = Adapter(self.fast_path, reactor, self.failed.append)
        self.addCleanup(self.finish)

    def finish(self) -> Any:
        self.adapter.stop()
        for protocol in self.taken:
            if not protocol.lost and protocol.transport.connected:  # type: ignore[union-attr]
                protocol.transport.abortConnection()  # type: ignore[union-attr]
        return deferLater(self.reactor, 0)

    def listen(self, family: int, address: Any, recognise: bool = True) -> Any:
        """A listener, and a function that connects to it."""
        listener = socket.socket(family)
        listener.bind(address)
        listener.listen()
        listener.setblocking(False)
        self.addCleanup(listener.close)
        factory = Factory.forProtocol(lambda: Taking(self.taken))
        self.adapter.listen(listener.fileno(), 7, factory, recognise)
        self.adapter.start()
        client = socket.socket(family)
        client.connect(listener.getsockname())
        client.setblocking(False)
        self.addCleanup(client.close)
        return client

    async def read(self, client: socket.socket, until: bytes) -> bytes:
        """What the client gets, up to something that ends with *until*."""
        received = b""
        for _ in range(500):
            try:
                data = client.recv(65536)
            except BlockingIOError:
                await deferLater(self.reactor, 0.005)
                continue
            received += data
            if received.endswith(until) or not data:
                return received
        raise AssertionError(f"only {received!r} came")

    def test_a_connection_goes_to_its_protocol_and_comes_back(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.there_and_back(socket.AF_INET, ("127.0.0.1", 0)))

    def test_the_same_over_a_unix_socket(self) -> Deferred[None]:
        path = os.path.relpath(os.path.join(self.mktemp()))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return Deferred.fromCoroutine(self.there_and_back(socket.AF_UNIX, path))

    async def there_and_back(self, family: int, address: Any) -> None:
        client = self.listen(family, address)
        hit = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"
        client.send(hit)
        self.assertIn(tag(BODIES[0]).encode(), await self.read(client, BODIES[0]))
        for turn in range(3):
            client.send(b"BREW /pot")
            self.assertEqual(await self.read(client, b"ok"), b"ok")
            protocol = self.taken[turn]
            self.assertEqual(protocol.received, b"BREW /pot")
            transport: Any = protocol.transport
            if family == socket.AF_INET:
                self.assertEqual(transport.getPeer().host, "127.0.0.1")
            await deferLater(self.reactor, 0)
            self.assertTrue(transport.return_to_fast_path())
            self.assertFalse(protocol.lost)
            client.send(hit)
            self.assertIn(b"200 OK", await self.read(client, BODIES[0]))
        counted = CounterBlock(self.site.segment, 0).read()
        self.assertEqual((counted["handoffs"], counted["returns"], counted["connections"]), (3, 3, 1))
        self.assertEqual(self.failed, [])

    def test_a_connection_that_ends_at_twisted_is_released(self) -> Deferred[None]:
        async def run() -> None:
            client = self.listen(socket.AF_INET, ("127.0.0.1", 0))
            client.send(b"BREW")
            await self.read(client, b"ok")
            self.assertEqual(self.fast_path.connections(), 1)
            client.close()
            for _ in range(200):
                if self.taken[0].lost:
                    break
                await deferLater(self.reactor, 0.005)
            self.assertEqual(self.fast_path.connections(), 0)

        return Deferred.fromCoroutine(run())

    def test_a_listener_that_does_not_recognise_takes_nothing_back(
        self,
    ) -> Deferred[None]:
        async def run() -> None:
            client = self.listen(socket.AF_INET, ("127.0.0.1", 0), recognise=False)
            client.send(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(await self.read(client, b"ok"), b"ok")
            transport: Any = self.taken[0].transport
            self.assertFalse(transport.return_to_fast_path())

        return Deferred.fromCoroutine(run())

    def test_a_failure_of_the_fast_path_is_reported(self) -> None:
        self.adapter.start()
        self.adapter.connectionLost(Failure(RuntimeError()))
        self.assertEqual(len(self.failed), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(CounterBlock(self.site.segment, 0).read()["accepts"], 0)
