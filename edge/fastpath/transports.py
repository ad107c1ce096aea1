"""The server's end of connections on the Twisted side, and the way back to the fast path.

The way back: the protocol, idle, offers the connection (``offer_return``).  When all that was written has
left, the transport asks, in a turn of the reactor of its own, whether that still holds
(:class:`ReturningProtocol`), gives the descriptor to the fast path, and says so.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IProtocol

from edge.fastpath.connection import OWED_BYTES, unacknowledged
from edge.networks import text_of_address

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.fastpath.interface import FastPath, SocketState


#: Bytes of a file that are read at once where they have to be: of so many the rest may wait here.
PIECE = 64 * 1024
#: As much of a file as one system call sends, in bytes: so long others wait.
FILE_PIECE = 1 << 20


def address_of(family: int, peer: tuple[Any, ...]) -> IPv4Address | IPv6Address | UNIXAddress:
    """*peer* as ``getpeername`` gives it, for Twisted."""
    if family == socket.AF_UNIX:
        return UNIXAddress(None)
    kind = IPv6Address if family == socket.AF_INET6 else IPv4Address
    return kind("TCP", peer[0], peer[1])


def address_named(client: bytes) -> IPv4Address | IPv6Address:
    """The 16 bytes of an address (:mod:`edge.networks`) for Twisted; its port is not known."""
    text = text_of_address(client)
    return (IPv6Address if ":" in text else IPv4Address)("TCP", text, 0)


class ReturningProtocol(Protocol):
    """What a protocol that offers its connection to the fast path is asked."""

    def may_return(self) -> bool:
        """Whether the connection is between two requests, with no byte read and unanswered."""

    def as_socket(self) -> SocketState | None:
        """The WebSocket of the push service that it has become, when it may return; None: it is none."""

    def returned(self) -> None:
        """The fast path has the connection; the protocol hears nothing of it any more."""

    def handed(self, data: bytes) -> None:
        """As ``dataReceived``, of what the fast path has read, and counted among its own bytes."""


class MeasuredTransport(tcp.Server):
    """A server's end of a connection, over TCP or a Unix socket, that tells what has left."""

    #: Bytes the kernel has taken so far.
    bytes_sent = 0
    #: Bytes that may wait before the producer is told to pause: so many of a connection are in no pool.
    bufferSize = 16 * 1024
    #: Whom the connection is with, as its proxy has said; None: with its peer.
    named: IAddress | None = None
    _peer: IAddress | None = None
    #: A file is being sent, and the kernel takes nothing of it now.
    _awaits_room = False

    def __init__(self, sock: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any) -> None:
        """Owns *sock*; *peer* is what ``getpeername`` or ``accept`` said, ("", None) on Unix sockets."""
        self._family = sock.family
        self.repstr = f"<connection {sock.fileno()}>"
        super().__init__(sock, protocol, peer, None, sock.fileno(), reactor)  # type: ignore[arg-type]

    @property
    def bytes_taken(self) -> int:
        """Bytes the peer has acknowledged so far: what a least rate compares."""
        return self.bytes_sent - self.unacknowledged

    @property
    def unacknowledged(self) -> int:
        """Bytes that the kernel has taken and the peer has not acknowledged; 0 on Unix sockets."""
        if self._family == socket.AF_UNIX:  # there the queue is counted in memory, not in bytes
            return 0
        return unacknowledged(self.socket.fileno())

    @property
    def unsent(self) -> int:
        """Bytes written to this transport that the kernel has not taken; 1 if it takes none of a file now."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen + self._awaits_room

    def write_now(self, data: bytes) -> None:
        """As ``write``, but what the kernel takes at once waits for no turn of the reactor."""
        if self.connected and not (self.disconnecting or self._writeDisconnecting or self.unsent):
            sent = self.writeSomeData(data)
            if isinstance(sent, int) and sent > 0:
                data = data[sent:]
        if data:  # and an error is met again there, and ends the connection
            self.write(data)

    def send_file(self, file: BinaryIO, count: int) -> int:
        """Send what the kernel takes at once of the next *count* bytes of *file*: how many.

        0: it takes none now; the producer is paused, and resumed when it does.
        :exc:`EOFError`: the file has no more bytes.
        """
        if not self.unsent:
            sent = self._send_file(file, min(count, FILE_PIECE))
            if sent is not None:
                return sent
        self._await_room()
        return 0

    def _send_file(self, file: BinaryIO, count: int) -> int | None:
        """As :meth:`send_file`; None: there is no room."""
        try:
            sent = os.sendfile(self.fileno(), file.fileno(), None, count)
        except BlockingIOError:
            return None
        except OSError:  # no file of the kernel's, or the connection is broken, which is met again there
            return self._send_pieces(file, count)
        if not sent:
            raise EOFError
        self.bytes_sent += sent
        return sent

    def _send_pieces(self, file: BinaryIO, count: int) -> int:
        """Read and write one piece of *file* after the other until the kernel does not take one whole."""
        sent = 0
        while sent < count and not self.unsent:
            data = file.read(min(count - sent, PIECE))
            if not data:
                raise EOFError
            self.write_now(data)
            sent += len(data)
        return sent

    def _await_room(self) -> None:
        """Have ``doWrite`` called when the kernel takes something again."""
        self._awaits_room = True
        self.startWriting()
        producer: Any = self.producer
        if producer is not None and not self.producerPaused:
            self.producerPaused = True
            producer.pauseProducing()

    def offer_return(self) -> None:
        """Nothing: there is no fast path that this connection came from."""

    # Twisted's overrides

    def doWrite(self) -> Any:
        self._awaits_room = False
        return super().doWrite()

    def writeSomeData(self, data: bytes) -> Any:
        sent = super().writeSomeData(data)
        if isinstance(sent, int):
            self.bytes_sent += sent
        return sent

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        # What its peer did not take is not kept until somebody collects cycles, which this is part of.
        self.dataBuffer, self.offset = b"", 0
        self._tempDataBuffer, self._tempDataLen = [], 0

    def _closeSocket(self, orderly: bool) -> None:
        """A reset, if much would be left to the kernel."""
        super()._closeSocket(orderly and self.unacknowledged <= OWED_BYTES)

    def getHost(self) -> IAddress:
        if self._family == socket.AF_UNIX:
            return UNIXAddress(self.socket.getsockname() or None)
        return super().getHost()  # type: ignore[no-any-return]

    def getPeer(self) -> IAddress:
        if self._peer is None:
            self._peer = address_of(self._family, self.client)
        return self.named or self._peer


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

    def deliver(self, data: bytes) -> None:
        """Give the protocol *data*, what the fast path has read and not answered."""
        if data:  # between it and a listener of Twisted's TLS stands one that knows of no fast path
            getattr(self.protocol, "handed", self.protocol.dataReceived)(data)

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
        state = protocol.as_socket()
        self.unregisterProducer()
        self.stopReading()
        self.stopWriting()
        self.connected, self.disconnected = 0, 1
        descriptor = self.socket.detach()
        del self.protocol, self.socket, self.fileno
        try:
            self._give_back(descriptor, state)
        except OSError:  # no memory for it, and it is still ours: the client connects again
            self._fast_path.release(descriptor)
            os.close(descriptor)
        protocol.returned()

    def _give_back(self, descriptor: int, socket: SocketState | None) -> None:
        """The descriptor is the fast path's; :exc:`OSError`: it is still ours."""
        self._fast_path.adopt(descriptor, socket=socket)

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
