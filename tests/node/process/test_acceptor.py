"""Accepting on the Twisted side, without descriptors and with too many who come."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.acceptor import PAUSE_SECONDS, Acceptor
from tests.node.reactors import ReadingReactor


class TurningReactor(ReadingReactor):
    """It turns as a reactor does: a reader is told that the socket is ready, all the time."""

    def turn(self, times: int) -> int:
        """How often a reader was told, of so many turns."""
        return sum(self.read() for _ in range(times))


class Broken:
    """A listening socket that has connections and cannot give them away."""

    error = errno.EMFILE

    def accept(self) -> Any:
        """As the kernel has it."""
        raise OSError(self.error, os.strerror(self.error))


class AcceptorTests(SynchronousTestCase):
    """:class:`edge.node.process.acceptor.Acceptor`."""

    def setUp(self) -> None:
        self.reactor, self.factory = TurningReactor(), Factory.forProtocol(Protocol)
        self.lines = 0
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: Any) -> None:
        """Count what the acceptor says."""
        self.lines += "acceptor" in event.get("log_namespace", "")

    def test_without_descriptors_it_rests_a_second_and_says_so_once_a_minute(self) -> None:
        """It neither spins nor fills the disk with lines, and goes on afterwards."""
        for error in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            broken = Broken()
            broken.error = error
            self.lines = 0
            acceptor = Acceptor(broken, self.factory, self.reactor)  # type: ignore[arg-type]
            acceptor.start()
            told = 0
            for _ in range(18):
                told += self.reactor.turn(1000)
                self.reactor.advance(PAUSE_SECONDS)
            self.assertEqual((told, self.lines), (18, 1), error)
            acceptor.stop()
            self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), ([], []))

    def test_who_is_stopped_while_it_rests_does_not_begin_again(self) -> None:
        """Nothing is left behind."""
        acceptor = Acceptor(Broken(), self.factory, self.reactor)  # type: ignore[arg-type]
        acceptor.start()
        self.reactor.turn(1)
        acceptor.stop()
        self.reactor.advance(PAUSE_SECONDS)
        self.assertEqual(self.reactor.readers, [])

    def test_who_is_not_admitted_is_closed_at_once(self) -> None:
        """By address; nothing is made for it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            asked: list[str] = []
            made: list[object] = []
            self.factory.buildProtocol = made.append  # type: ignore[assignment,method-assign]
            acceptor = Acceptor(listener, self.factory, self.reactor, lambda host: bool(asked.append(host)))  # type: ignore[arg-type]
            acceptor.start()
            with socket.create_connection(listener.getsockname(), 10) as client:
                self.reactor.turn(1)
                self.assertEqual(client.recv(1), b"")
            self.assertEqual((asked, made), (["127.0.0.1"], []))
