"""A fast path in a Twisted reactor, and connections on their way to Twisted and back.

:class:`Adapter` is the one descriptor that the reactor watches for all listeners and all resting
connections of a worker.  When it is readable, the fast path does one bounded batch and says which
connections are to move to Twisted.  Each of these becomes a :class:`HandedOffTransport`: an
ordinary Twisted stream transport that owns the descriptor itself (no ``dup``: a second descriptor
for each connection would halve the connection limit) and that can give it back.

Ownership of a descriptor is never shared: from :class:`~edge.fastpath.interface.Handoff` until ``adopt`` has
succeeded it belongs to this side, else to the fast path.  This side closes what it owns once, and before that
tells the fast path so (``release``): afterwards the number may already be that of another connection.

The way back: the protocol, idle, offers the connection (``offer_return``).  When all that was written has
left, the transport asks, in a turn of the reactor of its own, whether that still holds
(:class:`ReturningProtocol`), gives the descriptor to the fast path, and says so.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IProtocol, IReadDescriptor
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from edge.fastpath.connection import unacknowledged

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocolFactory
    from twisted.python.failure import Failure

    from edge.fastpath.interface import FastPath, Handoff

#: Seconds between two looks at the deadlines of the resting connections.
TICK_SECONDS = 1.0


def address_of(family: int, peer: tuple[Any, ...]) -> IPv4Address | IPv6Address | UNIXAddress:
    """*peer* as ``getpeername`` gives it, for Twisted."""
    if family == socket.AF_UNIX:
        return UNIXAddress(None)
    kind = IPv6Address if family == socket.AF_INET6 else IPv4Address
    return kind("TCP", peer[0], peer[1])


class ReturningProtocol(Protocol):
    """What a protocol that offers its connection to the fast path is asked."""

    def may_return(self) -> bool:
        """Whether the connection is between two requests, with no byte read and unanswered."""

    def returned(self) -> None:
        """The fast path has the connection; the protocol hears nothing of it any more."""


class MeasuredTransport(tcp.Server):
    """A server's end of a connection, over TCP or a Unix socket, that tells what has left."""

    #: Bytes the kernel has taken so far.
    bytes_sent = 0

    def __init__(self, sock: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any) -> None:
        """Owns *sock*; *peer* is what ``getpeername`` or ``accept`` said, ("", None) on Unix sockets."""
        self._family = sock.family
        self.repstr = f"<connection {sock.fileno()}>"
        super().__init__(sock, protocol, peer, None, sock.fileno(), reactor)  # type: ignore[arg-type]

    @property
    def bytes_taken(self) -> int:
        """Bytes the peer has acknowledged so far: what a least rate compares."""
        if self._family == socket.AF_UNIX:  # there the queue is counted in memory, not in bytes
            return self.bytes_sent
        return self.bytes_sent - unacknowledged(self.socket.fileno())

    @property
    def unsent(self) -> int:
        """Bytes written to this transport that the kernel has not taken yet."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def write_now(self, data: bytes) -> None:
        """As ``write``, but what the kernel takes at once waits for no turn of the reactor."""
        if self.connected and not (self.disconnecting or self._writeDisconnecting or self.unsent):
            sent = self.writeSomeData(data)
            if isinstance(sent, int) and sent > 0:
                data = data[sent:]
        if data:  # and an error is met again there, and ends the connection
            self.write(data)

    def offer_return(self) -> None:
        """Nothing: there is no fast path that this connection came from."""

    # Twisted's overrides

    def writeSomeData(self, data: bytes) -> Any:
        sent = super().writeSomeData(data)
        if isinstance(sent, int):
            self.bytes_sent += sent
        return sent

    def getHost(self) -> IAddress:
        if self._family == socket.AF_UNIX:
            return UNIXAddress(self.socket.getsockname() or None)
        return super().getHost()  # type: ignore[no-any-return]

    def getPeer(self) -> IAddress:
        return address_of(self._family, self.client)


class HandedOffTransport(MeasuredTransport):
    """The server's end of one connection that the fast path let go of."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        peer: tuple[Any, ...],
        reactor: Any,
        fast_path: FastPath,
        returns: bool,
    ) -> None:
        """*returns*: the fast path takes the connection back (a plain, recognising listener's)."""
        self._fast_path = fast_path
        self._clock = reactor
        self._returns = returns
        self._offered = False
        super().__init__(sock, protocol, peer, reactor)

    def offer_return(self) -> None:
        """Go back to the fast path when all that was written has left, if the protocol may still return.

        Of a connection that came from the fast path the protocol is a :class:`ReturningProtocol`.
        """
        if self._returns and not self._offered:
            self._offered = True
            if not self.unsent:
                self._clock.callLater(0, self._return)

    def _return(self) -> None:
        """Give the descriptor back; not from within this transport's own ``doRead`` or ``doWrite``."""
        leaving = self.disconnecting or self._writeDisconnecting or not self.connected
        if leaving or self.unsent:
            return  # doWrite comes back to it, or it is closed
        self._offered = False
        protocol: Any = self.protocol
        if not protocol.may_return():
            return  # it has begun something else, and will offer again
        self.unregisterProducer()
        self.stopReading()
        self.stopWriting()
        self.connected, self.disconnected = 0, 1
        descriptor = self.socket.detach()
        del self.protocol, self.socket, self.fileno
        try:
            self._fast_path.adopt(descriptor)
        except OSError:  # no memory for it, and it is still ours: the client connects again
            self._fast_path.release(descriptor)
            os.close(descriptor)
        protocol.returned()

    # Twisted's overrides

    def doWrite(self) -> Any:
        result = super().doWrite()
        if self._offered and result is None and not self.unsent:
            self._clock.callLater(0, self._return)
        return result

    def connectionLost(self, reason: Failure) -> None:
        if hasattr(self, "socket"):
            self._fast_path.release(self.socket.fileno())
        super().connectionLost(reason)


@implementer(IReadDescriptor)
class Adapter:
    """Watches one fast path for the reactor and gives handed-off connections their protocols."""

    _log = Logger()

    def __init__(
        self,
        fast_path: FastPath,
        reactor: Any,
        on_failure: Callable[[Failure], None],
        take_samples: Callable[[], None] | None = None,
    ) -> None:
        """*on_failure* is called when the fast path itself fails: nothing is served after that.

        *take_samples* is called after each batch, when there may be records for the access log.
        """
        self.fast_path = fast_path
        self._take_samples = take_samples
        self._reactor = reactor
        self._on_failure = on_failure
        self._listeners: dict[int, tuple[IProtocolFactory, bool]] = {}
        self._ticking = LoopingCall(fast_path.tick)
        self._ticking.clock = reactor
        self._running = False

    def listen(
        self, fd: int, number: int, factory: IProtocolFactory, recognise: bool, shared: bool = False
    ) -> None:
        """Accept on *fd*; what the fast path does not answer goes to *factory*'s protocols."""
        self._listeners[number] = (factory, recognise)
        self.fast_path.listen(fd, number, recognise, shared)

    def start(self) -> None:
        """Begin to serve."""
        self._running = True
        self._reactor.addReader(self)
        self._ticking.start(TICK_SECONDS, now=False).addErrback(self._failed)

    def stop(self) -> None:
        """Stop serving and close what rests in the fast path; handed-off connections stay."""
        self._halt()
        self.fast_path.close()

    def _halt(self) -> None:
        """Turn the fast path no longer."""
        self._running = False
        self._reactor.removeReader(self)
        if self._ticking.running:
            self._ticking.stop()

    def _take(self, handoff: Handoff) -> None:
        """Give the connection of *handoff* its transport and protocol."""
        try:
            sock = socket.socket(fileno=handoff.fd)
        except OSError:
            self.fast_path.release(handoff.fd)
            os.close(handoff.fd)
            raise
        try:
            transport = self._transport(sock, handoff.listener)
        except BaseException:
            self._drop(sock)
            raise
        if transport is None:
            self._drop(sock)
            return
        protocol: Any = transport.protocol
        protocol.makeConnection(transport)
        if handoff.data:
            protocol.dataReceived(handoff.data)

    def _transport(self, sock: socket.socket, listener: int) -> HandedOffTransport | None:
        """The transport of the connection *sock*, not connected yet; None: it is not wanted, or has gone."""
        factory, recognise = self._listeners[listener]
        try:
            peer = sock.getpeername() if sock.family != socket.AF_UNIX else ("", None)
            if sock.family != socket.AF_UNIX:
                # Answers leave in one piece; Nagle would only hold back the last segment.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # the peer has gone already
            return None
        protocol = factory.buildProtocol(address_of(sock.family, peer))
        if protocol is None:
            return None
        return HandedOffTransport(sock, protocol, peer, self._reactor, self.fast_path, recognise)

    def _drop(self, sock: socket.socket) -> None:
        self.fast_path.release(sock.fileno())
        sock.close()

    def _failed(self, reason: Failure) -> None:
        self._log.failure("The fast path failed", failure=reason)
        self._on_failure(reason)

    # Twisted's overrides

    def fileno(self) -> int:
        return self.fast_path.fileno()

    def doRead(self) -> None:
        for handoff in self.fast_path.run():
            try:
                self._take(handoff)
            except Exception:
                self._log.failure("A connection could not be given to its protocol")
        if self._take_samples is not None:
            self._take_samples()

    def connectionLost(self, reason: Failure) -> None:
        if self._running:
            self._halt()
            self._failed(reason)

    def logPrefix(self) -> str:
        return "fast path"
