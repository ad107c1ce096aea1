"""A wire under test, and a server that does what the test tells it: for the suites that run over both builds.

The server is in the test's own thread and does what the test tells it, so nothing depends on who is faster.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from loadgen.wire import interface
from loadgen.wire.interface import Answer, Limits, Wire

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Base
else:
    Base = object

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
EMPTY = b'HTTP/1.1 304 \r\nETag: "abc"\r\nCache-Control: max-age=60\r\n\r\n'
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
FOREVER = 1 << 62
MILLISECOND = 1_000_000
ROOMY = Limits(FOREVER, FOREVER, 1 << 20)


class WireBase(Base):
    """Mixed into a test case; :meth:`make` is the build under test."""

    def make(self, users: int, limits: Limits) -> Wire:
        """The wire under test."""
        raise AssertionError("the test case says which build")

    def start(self, limits: Limits = ROOMY, host: str = "127.0.0.1") -> Wire:
        """A wire of 10,000 users, and a server that it knows as node 0."""
        self.wire = self.make(10_000, limits)
        self.addCleanup(self.wire.close)
        self.server = self.listen(host)
        self.assertEqual(self.node(self.server), 0)
        self.token = 0
        return self.wire

    def listen(self, host: str = "127.0.0.1") -> socket.socket:
        """A listening socket."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.create_server((host, 0), family=family, backlog=1000)
        self.addCleanup(server.close)
        server.setblocking(False)
        return server

    def node(self, server: socket.socket) -> int:
        """Its number."""
        return self.wire.node(*server.getsockname()[:2])

    def ask(self, user: int = 0, node: int = 0, due: int | None = None, request: bytes = GET) -> int:
        """One request, due now; its token."""
        self.token += 1
        self.wire.send(self.token, user, node, time.monotonic_ns() if due is None else due, request)
        return self.token

    def run_once(self) -> list[Answer]:
        """A round of a millisecond; keeps a copy of the bodies."""
        answers = self.wire.run(time.monotonic_ns() + MILLISECOND)
        self.bodies = bytes(self.wire.bodies)
        return answers

    def answers(self, count: int) -> list[Answer]:
        """So many, in the order in which they came."""
        found: list[Answer] = []
        for _ in range(5000):
            found += self.run_once()
            if len(found) >= count:
                break
        self.assertEqual(len(found), count)
        return found

    def answer(self) -> Answer:
        """The only one."""
        return self.answers(1)[0]

    def accept(self, server: socket.socket | None = None) -> socket.socket:
        """The server's side of the next connection."""
        for _ in range(5000):
            with contextlib.suppress(BlockingIOError):
                connection = (server or self.server).accept()[0]
                self.addCleanup(connection.close)
                connection.settimeout(10)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            self.assertEqual(self.run_once(), [])
        raise AssertionError("no connection came")

    def asked(self, user: int = 0, server: socket.socket | None = None) -> socket.socket:
        """A request of *user* has arrived on a new connection."""
        self.ask(user, 0 if server is None else self.node(server))
        connection = self.accept(server)
        self.assertEqual(connection.recv(65536), GET)
        return connection

    def rested(self, user: int = 0) -> socket.socket:
        """A connection that has brought an answer and rests."""
        connection = self.asked(user)
        connection.sendall(EMPTY)
        self.assertEqual(self.answer().error, interface.OK)
        return connection

    def until_closed(self, connections: int = 0) -> None:
        """Runs until so many connections are open."""
        for _ in range(5000):
            if self.wire.connections() == connections:
                return
            self.assertEqual(self.run_once(), [])
        self.fail(f"{self.wire.connections()} connections are open")
