"""What a connection becomes after 101 Switching Protocols (RFC 9110 section 7.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper

from edge.fastpath.transports import MeasuredTransport
from edge.node.connection.ended import count_end
from edge.node.connection.output import Output
from edge.node.process.deadline import Deadline

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.fastpath.interface import SocketState
    from edge.node.connection.context import ConnectionContext
    from edge.node.connection.holding import Holding


#: For how long the peer may read what it was told last, while nothing of that leaves.
LINGER_SECONDS = 2.0


class PeerChannel(Protocol):
    """What the new owner of a connection asks of it, besides its transport."""

    def send(self, data: bytes) -> None:
        """Send *data*, which the peer has to take at the least rate, and which counts for its address."""

    def taken(self) -> None:
        """The peer has taken all of it."""

    def end(self) -> None:
        """Close when all is sent and the peer has had time to read it."""


class Upgraded(Protocol):
    """The protocol that takes a connection over."""

    def connected(self, transport: Any, channel: PeerChannel) -> None:
        """The connection is yours."""

    def received(self, data: bytes) -> None:
        """The peer sent *data*."""

    def drain(self) -> None:
        """The server is about to stop."""

    def lost(self) -> None:
        """The connection is gone."""

    def as_socket(self) -> SocketState | None:
        """The WebSocket that the fast path may have now; None: it is none, or something is incomplete."""

    def returned(self) -> None:
        """The fast path has the connection."""


class UpgradedChannel:
    """An upgraded connection, in the place of the :class:`~edge.node.connection.channel.EdgeChannel` it was.

    That one has a parser, an output and deadlines, of which nothing is needed any more: there may be tens
    of thousands of these.  Implements :class:`.context.OpenConnection`.
    """

    __slots__ = ("_holding", "_lingering", "_output", "_site", "_taken", "_transport", "_upgraded")

    def __init__(self, site: ConnectionContext, transport: Any, upgraded: Upgraded, holding: Holding) -> None:
        self._site = site
        self._transport = transport
        self._upgraded = upgraded
        self._holding = holding
        #: What the peer has to take in time; None: nothing was sent by :meth:`send`.
        self._output: Output | None = None
        self._lingering: Deadline | None = None
        self._taken = 0  # bytes, when it began to linger, or since then
        site.channels.add(self)
        # A TLS transport passes attributes on to the one below, when they are set, too.
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = self  # type: ignore[assignment]
        else:
            transport.protocol = self

    def send(self, data: bytes) -> None:
        """As :class:`PeerChannel` has it: what waits for the peer is in the pools, as that of any answer."""
        if self._output is None:
            self._output = Output(self._transport, self._site, self.abort)
        self._output.send(data)
        waiting = self._transport.unsent
        if waiting > MeasuredTransport.bufferSize and not self._holding.keep(waiting):
            self.abort()

    def taken(self) -> None:
        """As :class:`PeerChannel` has it."""
        self._holding.keep(0)

    def end(self) -> None:
        """Close when all is sent and the peer has had time to read it; what still comes is discarded.

        A connection that is closed with bytes unread is reset, and the peer may lose what it was told last
        (RFC 6455 section 7.1.1).
        """
        if self._lingering is not None:
            return
        self._lingering = Deadline(self._site.clock, self._linger_over)
        self._lingering.set(LINGER_SECONDS)
        self._taken = self._transport.bytes_taken
        if isinstance(self._transport, ProtocolWrapper):
            self._transport.loseConnection()  # waits for the peer's close_notify, and discards
        else:
            self._transport.loseWriteConnection()

    def _linger_over(self) -> None:
        """The peer has had its time, unless it still takes what waits for it, at the least rate."""
        assert self._lingering is not None, "its deadline is over"
        taken, self._taken = self._taken, self._transport.bytes_taken
        least = max(1, int(self._site.limits.least_rate * LINGER_SECONDS))
        if self._transport.unsent and self._taken - taken >= least:
            self._lingering.set(LINGER_SECONDS)
        else:
            self._transport.abortConnection()

    def drain(self) -> None:
        """Tell the new owner that the server is about to stop."""
        self._upgraded.drain()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abortConnection()

    # What the transport asks before it goes back to the fast path: edge.fastpath.transports.ReturningProtocol

    def may_return(self) -> bool:
        """Whether the fast path may have the connection, as what it is now."""
        return self._lingering is None and not self._site.draining and self.as_socket() is not None

    def as_socket(self) -> SocketState | None:
        """The WebSocket that it is."""
        return self._upgraded.as_socket()

    def returned(self) -> None:
        """The fast path has the connection."""
        self._leave()
        self._upgraded.returned()

    def _leave(self) -> None:
        """The connection is nobody's here any more."""
        self._site.channels.discard(self)
        self._holding.release()
        if self._output is not None:
            self._output.clear()

    def handed(self, data: bytes) -> None:
        """As :meth:`dataReceived`; the fast path has counted *data*."""
        if self._lingering is None:
            self._upgraded.received(data)

    # As Twisted has it; when the peer ends its direction, the connection ends

    def dataReceived(self, data: bytes) -> None:
        self._site.count("twisted_bytes_in", len(data))
        self.handed(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leave()
        count_end(self._site, reason)
        if self._lingering is not None:
            self._lingering.clear()
        self._upgraded.lost()
