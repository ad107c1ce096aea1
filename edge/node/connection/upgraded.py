"""What a connection becomes after 101 Switching Protocols (RFC 9110 section 7.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper

from edge.node.connection.ended import count_end
from edge.node.process.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from edge.fastpath.interface import SocketState
    from edge.node.connection.context import ConnectionContext


#: For how long the peer may read what it was told last, while nothing of that leaves.
LINGER_SECONDS = 2.0


class Upgraded(Protocol):
    """The protocol that takes a connection over."""

    def connected(self, transport: Any, end: Callable[[], None]) -> None:
        """The connection is yours.

        *end* closes it when all is sent and the peer has had time to read it.
        """

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

    __slots__ = ("_lingering", "_site", "_taken", "_transport", "_upgraded")

    def __init__(self, site: ConnectionContext, transport: Any, upgraded: Upgraded) -> None:
        self._site = site
        self._transport = transport
        self._upgraded = upgraded
        self._lingering: Deadline | None = None
        self._taken = 0  # bytes, when it began to linger, or since then
        site.channels.add(self)
        # A TLS transport passes attributes on to the one below, when they are set, too.
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = self  # type: ignore[assignment]
        else:
            transport.protocol = self

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
        """The peer has had its time, unless it still takes what waits for it."""
        assert self._lingering is not None, "its deadline is over"
        taken, self._taken = self._taken, self._transport.bytes_taken
        if self._transport.unsent and self._taken > taken:
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
        self._site.channels.discard(self)
        self._upgraded.returned()

    def handed(self, data: bytes) -> None:
        """As :meth:`dataReceived`; the fast path has counted *data*."""
        if self._lingering is None:
            self._upgraded.received(data)

    # As Twisted has it; when the peer ends its direction, the connection ends

    def dataReceived(self, data: bytes) -> None:
        self._site.count("twisted_bytes_in", len(data))
        self.handed(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._site.channels.discard(self)
        count_end(self._site, reason)
        if self._lingering is not None:
            self._lingering.clear()
        self._upgraded.lost()
