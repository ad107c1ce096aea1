"""One sealed connection for tests: a real socket between a :class:`tests.tls.peer.Peer` and a protocol."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from edge.fastpath.sealed import SealedTransport
from edge.tls.interface import RecordLayer
from tests.tls.builds import BUILDS
from tests.tls.peer import Peer, server_state


class FastPathEnd:
    """The part of a fast path that transports know."""

    def __init__(self) -> None:
        self.adopted: list[tuple[int, RecordLayer]] = []
        self.released = 0
        self.full = False

    def adopt(self, fd: int, layer: RecordLayer, socket: object = None) -> None:
        """Take it, or say that there is no memory."""
        if self.full:
            raise OSError(errno.ENOMEM, "no memory")
        self.adopted.append((fd, layer))

    def release(self, fd: int) -> None:
        """Count it."""
        self.released += 1


class SealedCase(TestCase):
    """A connection over the last build of the record layer that is here: native, if there is one."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.peer = Peer()
        self.fast_path = FastPathEnd()

    def connect_to(
        self, protocol: Any, state: bytes | None = None, partial: bytes = b"", data: bytes = b""
    ) -> SealedTransport:
        """The transport of a connection of *protocol* that was just handed off with *data*."""
        self.client, server = socket.socketpair()
        self.client.setblocking(False)
        self.addCleanup(self.client.close)
        for each in (self.client, server):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        layer = list(BUILDS.values())[-1](server_state() if state is None else state, partial)
        transport = self.transport = SealedTransport(
            server,
            protocol,
            ("", None),
            self.reactor,
            self.fast_path,
            layer,  # type: ignore[arg-type]
        )
        protocol.makeConnection(transport)
        self.addCleanup(self.end)
        transport.deliver(data)
        return transport

    async def end(self) -> None:
        """Leave nothing in the reactor."""
        if self.transport.connected:
            self.transport.abortConnection()
        await self.turn(3)

    async def turn(self, times: int = 1) -> None:
        """Let the reactor turn."""
        for _ in range(times):
            await deferLater(self.reactor, 0)

    async def read(self, count: int | None = None, *, until_end: bool = False) -> bytes:
        """What the client gets: *count* bytes, all until the connection ends, or what is there."""
        received = b""
        for _ in range(3000):
            try:
                data = self.client.recv(65536)
            except BlockingIOError:
                if count is None and not until_end:
                    return received
                await self.turn()
                continue
            received += data
            if not data or (count is not None and len(received) >= count):
                return received
        raise AssertionError(f"only {len(received)} bytes came")

    def say(self, data: bytes) -> None:
        """The client sends."""
        self.assertEqual(self.client.send(data), len(data))
