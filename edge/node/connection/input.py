"""The incoming half of a connection: whether it is read, and what is thrown away of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.node.connection.context import ConnectionTransport

#: While lingering, at most this many bytes are discarded; then nothing is read any more.
LINGER_BYTES = 64 * 1024


class Input:
    """The incoming half of a channel's transport (an ``IPushProducer``)."""

    __slots__ = ("_discarded", "_reading", "_transport", "ended")

    def __init__(self, transport: ConnectionTransport) -> None:
        self._transport = transport
        self._reading = True
        self._discarded = 0
        #: The peer has closed its direction.
        self.ended = False

    def read(self, wanted: bool) -> None:
        """Read from now on, or let the peer wait."""
        if wanted is self._reading or self.ended:
            return
        self._reading = wanted
        (self._transport.resumeProducing if wanted else self._transport.pauseProducing)()

    def end(self) -> None:
        """The peer has closed its direction: there is nothing to read any more."""
        self.ended = True

    def discard(self, count: int) -> None:
        """Throw away *count* bytes that came after the last request."""
        self._discarded += count
        if self._discarded > LINGER_BYTES:
            self.read(False)
