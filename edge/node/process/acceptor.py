"""Connections of a listener that the fast path has nothing to do with: the admin API's, other nodes'."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from edge.fastpath.transports import MeasuredTransport, address_of
from edge.node.process.counted_log import CountedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocolFactory
    from twisted.python.failure import Failure

#: Seconds without accepting after the process or the machine ran out of descriptors or memory.
PAUSE_SECONDS = 1.0
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: Connections accepted in one turn of the reactor.
_BATCH = 16


@implementer(IReadDescriptor)
class Acceptor:
    """Accepts on the listening socket *sock*, which it does not own, for *factory*.

    *admits* says of the address of a connection whether it may stay; by default all may.
    """

    _log = Logger()

    def __init__(
        self,
        sock: socket.socket,
        factory: IProtocolFactory,
        reactor: Any,
        admits: Callable[[str], bool] = lambda host: True,
    ) -> None:
        self._socket = sock
        self._factory = factory
        self._reactor = reactor
        self._admits = admits
        self._counted = CountedLog(self._log, reactor)
        self._pause: Any = None

    def start(self) -> None:
        """Accept from now on."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Accept no more."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._reactor.removeReader(self)

    def _rest(self) -> None:
        """A socket that is ready and cannot be accepted on would have the reactor spin."""
        self._reactor.removeReader(self)
        self._pause = self._reactor.callLater(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self.start()

    # Twisted's overrides

    def fileno(self) -> int:
        return self._socket.fileno()

    def doRead(self) -> None:
        for _ in range(_BATCH):
            try:
                sock, peer = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._counted.warn("accept", f"cannot accept connections: {error.strerror}")
                if error.errno in _EXHAUSTED:
                    self._rest()
                return
            if sock.family != socket.AF_UNIX and not self._admits(peer[0]):
                sock.close()
                continue
            peer = ("", None) if sock.family == socket.AF_UNIX else peer
            protocol = self._factory.buildProtocol(address_of(sock.family, peer))
            assert protocol is not None
            transport = MeasuredTransport(sock, protocol, peer, self._reactor)
            protocol.makeConnection(transport)

    def connectionLost(self, reason: Failure) -> None:
        self._log.failure("the listener is lost", failure=reason)

    def logPrefix(self) -> str:
        return "admin"
