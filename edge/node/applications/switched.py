"""A visitor's connection after 101 (Switching Protocols): bytes both ways, none of them looked at."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.node.applications.origin import Exchange
    from edge.node.connection.upgraded import PeerChannel


class Switched:
    """A visitor's connection after 101; implements :class:`edge.node.connection.upgraded.Upgraded`."""

    __slots__ = ("_channel", "_closed", "_exchange", "_transport")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._transport: Any = None
        self._channel: PeerChannel | None = None
        self._closed = False

    def write(self, data: bytes) -> None:
        """The application says *data*."""
        if not self._closed and self._channel is not None:
            self._channel.send(data)

    def close(self) -> None:
        """The application has ended."""
        if not self._closed and self._channel is not None:
            self._closed = True
            self._transport.unregisterProducer()
            self._channel.end()

    def hold(self, held: bool) -> None:
        """Read nothing of the visitor for now; or read on."""
        if not self._closed:
            (self._transport.pauseProducing if held else self._transport.resumeProducing)()

    # As edge.node.connection.upgraded.Upgraded has it

    def connected(self, transport: Any, channel: PeerChannel) -> None:
        """The connection is ours."""
        self._transport = transport
        self._channel = channel
        transport.registerProducer(self, True)

    def received(self, data: bytes) -> None:
        """The visitor says *data*."""
        if data:
            self._exchange.send(data)

    def drain(self) -> None:
        """The node stops: who knows what the two say to each other ends it as that is ended."""
        self._exchange.finish()

    def lost(self) -> None:
        """The visitor has gone."""
        self._closed = True
        self._exchange.cancel()

    def as_socket(self) -> None:
        """None: what is said we do not know."""

    def returned(self) -> None:
        """Never: it is no WebSocket of the push service."""

    # As a push producer of what the visitor gets

    def pauseProducing(self) -> None:
        """The visitor takes nothing now."""
        self._exchange.pause()

    def resumeProducing(self) -> None:
        """The visitor takes on."""
        if self._channel is not None:
            self._channel.taken()
        self._exchange.resume()

    def stopProducing(self) -> None:
        """The visitor has gone: lost tells it."""
