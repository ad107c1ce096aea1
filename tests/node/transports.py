"""A transport for channel tests: remembers what was written, and takes as much as the test says."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

#: As much as a real transport buffers before it pauses its producer.
BUFFER = 64 * 1024


class TLSSession:
    """What Twisted's TLS tells of a session."""

    def get_protocol_version_name(self) -> str:
        """As pyOpenSSL has it."""
        return "TLSv1.2"

    def get_cipher_name(self) -> str:
        """As pyOpenSSL has it."""
        return "ECDHE-ECDSA-AES128-GCM-SHA256"


class PeerTransport:
    """What :class:`edge.fastpath.transports.HandedOffTransport` is to a channel, without a socket.

    The peer takes everything at once unless :attr:`stalled`; :meth:`take` then takes some.
    """

    def __init__(self, clock: Clock, returns: bool = False, address: str = "192.0.2.1") -> None:
        self.clock = clock
        self.address = address
        self.returns = returns
        self.offered = False
        self.stalled = False
        self.written = b""
        self.bytes_sent = 0
        self.reading = True
        self.half_closed = False
        self.closed = False
        self.aborted = False
        #: As a real transport, report an abortion in a later turn of the reactor (which does not come here).
        self.reports_late = False
        self.returned = False
        self.producer: Any = None
        self._paused = False
        self.protocol: Any = None

    def connect(self, protocol: Any) -> None:
        """Make the connection."""
        self.protocol = protocol
        protocol.makeConnection(self)

    @property
    def unsent(self) -> int:
        """Bytes written that the peer has not taken."""
        return len(self.written) - self.bytes_sent

    @property
    def bytes_taken(self) -> int:
        """Bytes that the peer has taken."""
        return self.bytes_sent

    @property
    def unacknowledged(self) -> int:
        """None: what the peer takes it acknowledges."""
        return 0

    def take(self, count: int) -> None:
        """The peer takes *count* bytes."""
        self.bytes_sent = min(self.bytes_sent + count, len(self.written))
        if self._paused and not self.unsent:
            self._paused = False
            if self.producer is not None:
                self.producer.resumeProducing()
        self._flushed()

    def offer_return(self) -> None:
        """As the real one; nothing happens but that it is noted."""
        self.offered = self.returns
        self._flushed()

    def getHandle(self) -> TLSSession:
        """As of a connection over Twisted's TLS."""
        return TLSSession()

    def _flushed(self) -> None:
        if self.offered and not self.unsent:
            self.clock.callLater(0, self._return)

    def _return(self) -> None:
        if self.offered and not self.unsent and not self.half_closed and not self.closed:
            self.offered = False
            if self.protocol.may_return():
                self.returned = True
                self.producer = None
                self.protocol.returned()

    # Twisted's overrides

    def write(self, data: bytes) -> None:
        if self.closed or self.half_closed:
            return
        self.written += data
        if not self.stalled:
            self.bytes_sent = len(self.written)
            self._flushed()
        elif self.unsent > BUFFER and self.producer is not None and not self._paused:
            self._paused = True
            self.producer.pauseProducing()

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def loseConnection(self) -> None:
        self._close(Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        self.aborted = True
        if self.reports_late:
            return
        self._close(Failure(ConnectionAborted()))

    def _close(self, reason: Failure) -> None:
        if not self.closed:
            self.closed = True
            if self.producer is not None:
                self.producer.stopProducing()
            self.protocol.connectionLost(reason)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self.address, 54321)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.2", 80)
