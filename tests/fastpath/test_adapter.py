"""A fast path in a real reactor, with real sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import Any
from unittest import mock

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
    """Answers what it is given with ``ok``, and gives the connection back."""

    def __init__(self, taken: list[Taking], may_return: bool) -> None:
        self.received = b""
        self.lost = self.given_back = False
        self.waited = 0.0
        self.willing = may_return
        taken.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        assert self.transport is not None
        self.transport.write(b"ok")
        self.transport.offer_return()  # type: ignore[attr-defined]

    def has_waited(self, seconds: float) -> None:
        """Note it."""
        self.waited = seconds

    def as_socket(self) -> None:
        """None: it is no WebSocket."""

    def may_return(self) -> bool:
        """As the test says."""
        return self.willing

    def returned(self) -> None:
        """Note it."""
        self.given_back = True

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

    def listen(self, family: int, address: Any, recognise: bool = True, may_return: bool = True) -> Any:
        """A listener, and a function that connects to it."""
        listener = socket.socket(family)
        listener.bind(address)
        listener.listen()
        listener.setblocking(False)
        self.addCleanup(listener.close)
        factory = Factory.forProtocol(lambda: Taking(self.taken, may_return))
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

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the reactor turn until *condition* holds."""
        for _ in range(500):
            if condition():
                return
            await deferLater(self.reactor, 0.005)
        self.fail("what was awaited did not happen")

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
            await self.until(lambda protocol=protocol: protocol.given_back)
            self.assertFalse(protocol.lost)
            client.send(hit)
            self.assertIn(b"200 OK", await self.read(client, BODIES[0]))
        counted = CounterBlock(self.site.segment, 0).read()
        self.assertEqual((counted["handoffs"], counted["returns"], counted["connections"]), (3, 3, 1))
        self.assertEqual(self.failed, [])

    def test_a_protocol_is_told_how_long_its_request_has_waited_before_it_gets_it(self) -> Deferred[None]:
        async def run() -> None:
            client = self.listen(socket.AF_INET, ("127.0.0.1", 0))
            run = self.fast_path.run
            waited = mock.patch.object(
                self.fast_path, "run", lambda timeout: [one._replace(waited=2.5) for one in run(timeout)]
            )
            with waited:
                client.send(b"BREW /pot")
                self.assertEqual(await self.read(client, b"ok"), b"ok")
            self.assertEqual(self.taken[0].waited, 2.5)

        return Deferred.fromCoroutine(run())

    def test_what_the_peer_has_taken_is_what_it_acknowledged_not_what_the_kernel_holds(
        self,
    ) -> Deferred[None]:
        return Deferred.fromCoroutine(self.taken_by_the_peer())

    async def taken_by_the_peer(self) -> None:
        client = self.listen(socket.AF_INET, ("127.0.0.1", 0), may_return=False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(b"BREW /pot")
        await self.read(client, b"ok")
        transport: Any = self.taken[0].transport
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        transport.write(b"x" * 500_000)
        await self.until(lambda: transport.bytes_sent > 400_000)
        self.assertLess(transport.bytes_taken, 200_000)
        got = 0
        while got < 500_000:
            got += len(await self.read(client, b"x"))
        await self.until(lambda: transport.bytes_taken == 500_002)

    def test_a_connection_that_the_fast_path_does_not_take_back_is_closed_once(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.not_taken_back())

    async def not_taken_back(self) -> None:
        events: list[tuple[str, int]] = []
        release, close = self.fast_path.release, os.close

        def refuse(fd: int, socket: object) -> None:
            events.append(("refused", fd))
            raise OSError(errno.ENOMEM, "no memory to watch it")

        def released(fd: int) -> None:
            events.append(("released", fd))
            release(fd)

        def closed(fd: int) -> None:
            events.append(("closed", fd))
            close(fd)

        self.patch(self.fast_path, "adopt", refuse)
        self.patch(self.fast_path, "release", released)
        self.patch(os, "close", closed)
        client = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        client.send(b"BREW /pot")
        self.assertEqual(await self.read(client, b""), b"ok")
        self.assertEqual(await self.read(client, b"more"), b"")
        fd = events[0][1]
        of_it = [event for event, number in events if number == fd]
        self.assertEqual(of_it, ["refused", "released", "closed"])
        self.assertEqual(self.fast_path.connections(), 0)
        self.assertTrue(self.taken[0].given_back)

    def test_a_connection_for_which_no_protocol_can_be_made_is_closed_and_not_counted(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.no_protocol())

    async def no_protocol(self) -> None:
        def broken(self: Factory, _addr: object) -> None:
            raise RuntimeError("no protocol")

        self.patch(Factory, "buildProtocol", broken)
        client = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        client.send(b"BREW /pot")
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(await self.read(client, b"more"), b"")
        self.assertEqual(self.fast_path.connections(), 0)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_protocol_that_has_begun_something_else_keeps_its_connection(self) -> Deferred[None]:
        async def run() -> None:
            client = self.listen(socket.AF_INET, ("127.0.0.1", 0), may_return=False)
            client.send(b"BREW")
            self.assertEqual(await self.read(client, b"ok"), b"ok")
            client.send(b"BREW again")
            self.assertEqual(await self.read(client, b"ok"), b"ok")
            self.assertEqual((len(self.taken), self.taken[0].given_back), (1, False))
            self.taken[0].willing = True
            client.send(b"BREW more")
            await self.until(lambda: self.taken[0].given_back)

        return Deferred.fromCoroutine(run())

    def test_a_connection_that_ends_at_twisted_is_released(self) -> Deferred[None]:
        async def run() -> None:
            client = self.listen(socket.AF_INET, ("127.0.0.1", 0), may_return=False)
            client.send(b"BREW")
            await self.read(client, b"ok")
            self.assertEqual(self.fast_path.connections(), 1)
            client.close()
            await self.until(lambda: self.taken[0].lost)
            self.assertEqual(self.fast_path.connections(), 0)

        return Deferred.fromCoroutine(run())

    def test_a_listener_that_does_not_recognise_takes_nothing_back(
        self,
    ) -> Deferred[None]:
        async def run() -> None:
            client = self.listen(socket.AF_INET, ("127.0.0.1", 0), recognise=False)
            client.send(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(await self.read(client, b"ok"), b"ok")
            # It has been offered; what it brings next would go to the fast path if that had it.
            client.send(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(await self.read(client, b"ok"), b"ok")
            self.assertFalse(self.taken[0].given_back)

        return Deferred.fromCoroutine(run())

    def test_a_failure_of_the_fast_path_is_reported(self) -> None:
        self.adapter.start()
        self.adapter.connectionLost(Failure(RuntimeError()))
        self.assertEqual(len(self.failed), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(CounterBlock(self.site.segment, 0).read()["accepts"], 0)
