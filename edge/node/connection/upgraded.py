"""What a connection becomes after 101 Switching Protocols (RFC 9110 section 7.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper

from edge.node.connection.ended import count_end

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.node.connection.context import ConnectionContext


class Upgraded(Protocol):
    """The protocol that takes a connection over."""

    def connected(self, transport: Any) -> None:
        """The connection is yours."""

    def received(self, data: bytes) -> None:
        """The peer sent *data*."""

    def drain(self) -> None:
        """The server is about to stop."""

    def lost(self) -> None:
        """The connection is gone."""


class UpgradedChannel:
    """An upgraded connection, in the place of the :class:`~edge.node.connection.channel.EdgeChannel` it was.

    That one has a parser, an output and deadlines, of which nothing is needed any more: there may be tens
    of thousands of these.  Implements :class:`.context.OpenConnection`.
    """

    __slots__ = ("_site", "_transport", "_upgraded")

    def __init__(self, site: ConnectionContext, transport: Any, upgraded: Upgraded) -> None:
        self._site = site
        self._transport = transport
        self._upgraded = upgraded
        site.channels.add(self)
        # A TLS transport passes attributes on to the one below, when they are set, too.
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = self  # type: ignore[assignment]
        else:
            transport.protocol = self

    def drain(self) -> None:
        """Tell the new owner that the server is about to stop."""
        self._upgraded.drain()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abortConnection()

    # As Twisted has it; when the peer ends its direction, the connection ends

    def dataReceived(self, data: bytes) -> None:
        self._site.count("twisted_bytes_in", len(data))
        self._upgraded.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._site.channels.discard(self)
        count_end(self._site, reason)
        self._upgraded.lost()
