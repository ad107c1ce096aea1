"""Connections of a listener that the fast path has nothing to do with: the admin API's."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from edge.fastpath.adapter import MeasuredTransport, address_of

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocolFactory
    from twisted.python.failure import Failure

#: Connections accepted in one turn of the reactor.
_BATCH = 16


@implementer(IReadDescriptor)
class Acceptor:
    """Accepts on the listening socket *sock*, which it does not own, for *factory*."""

    _log = Logger()

    def __init__(self, sock: socket.socket, factory: IProtocolFactory, reactor: Any) -> None:
        self._socket = sock
        self._factory = factory
        self._reactor = reactor

    def start(self) -> None:
        """Accept from now on."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Accept no more."""
        self._reactor.removeReader(self)

    # Twisted's overrides

    def fileno(self) -> int:
        return self._socket.fileno()

    def doRead(self) -> None:
        for _ in range(_BATCH):
            try:
                sock, peer = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._log.error("cannot accept: {why}", why=error.strerror)
                return
            peer = ("", None) if sock.family == socket.AF_UNIX else peer
            protocol = self._factory.buildProtocol(address_of(sock.family, peer))
            assert protocol is not None
            transport = MeasuredTransport(sock, protocol, peer, self._reactor)
            protocol.makeConnection(transport)

    def connectionLost(self, reason: Failure) -> None:
        self._log.failure("the listener is lost", failure=reason)

    def logPrefix(self) -> str:
        return "admin"
