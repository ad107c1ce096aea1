"""What connections need of the process that they live in, as small protocols.

:class:`edge.node.connection.site.EdgeSite` is the context of a worker's connections, and of those of the
admin API.  The parts of a connection name these protocols instead of it: each can be read, and tested, alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress

    from edge.fastpath.interface import SocketState
    from edge.networks import Networks
    from edge.node.connection.guarding import Guard
    from edge.node.connection.recording import RequestLog
    from edge.node.connection.staying import Staying
    from edge.node.connection.tracing import Tracing
    from edge.node.process.channel_limits import ChannelLimits
    from edge.shares import Pools
    from edge.sites import Hosts


class ConnectionTransport(Protocol):
    """The transport of a connection: Twisted's, which also tells what has left, and may return.

    :class:`edge.fastpath.transports.MeasuredTransport` is one, and TLS over it passes what it lacks on to it.
    """

    @property
    def unsent(self) -> int:
        """Bytes written that the kernel has not taken yet."""

    @property
    def bytes_taken(self) -> int:
        """Bytes that the peer has acknowledged so far; on Unix sockets, that the kernel has taken."""

    def offer_return(self) -> None:
        """Between two requests: the fast path may have the connection when all that was written has left."""

    def write(self, data: bytes) -> None:
        """Send *data*."""

    def write_now(self, data: bytes) -> None:
        """As :meth:`write`, but what the kernel takes at once waits for no turn of the reactor."""

    @property
    def unacknowledged(self) -> int:
        """Bytes that the kernel has taken and the peer has not acknowledged; 0 on Unix sockets."""

    def send_file(self, file: BinaryIO, count: int) -> int:
        """Send of the next *count* bytes of *file* what there is room for: how many.

        0: there is none now; the producer is paused, and resumed when there is some.  :exc:`EOFError`: the
        file has no more bytes.
        """

    def loseConnection(self) -> None:
        """Close when all is sent."""

    def loseWriteConnection(self) -> None:
        """Close this direction when all is sent."""

    def abortConnection(self) -> None:
        """Close now."""

    def pauseProducing(self) -> None:
        """Read nothing more."""

    def resumeProducing(self) -> None:
        """Read on."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Tell *producer* when the buffer is full, and when it is empty."""

    def unregisterProducer(self) -> None:
        """Tell nobody any more."""

    def getPeer(self) -> IAddress:
        """The address of the client."""

    def getHost(self) -> IAddress:
        """The address of the listener."""


class OpenConnection(Protocol):
    """A connection, as the site that ends it sees it."""

    def drain(self) -> None:
        """End after the present answer, at once if there is none."""

    def abort(self) -> None:
        """End now, whatever has not been sent."""


class ConnectionContext(Protocol):
    """Clock, limits, counters and the list of connections of one process."""

    #: ``IReactorTime``.
    clock: Any
    limits: ChannelLimits
    #: No further requests are wanted on any connection.
    draining: bool
    #: Who may; None: everybody.
    guard: Guard | None
    #: Proxies whose Forwarded and X-Forwarded-For are believed.
    trusted: Networks
    #: Which hosts are of which site.
    hosts: Hosts
    #: The line Strict-Transport-Security of answers over HTTPS, with its CRLF; b"": none.
    hsts: bytes
    #: The line Speculation-Rules of pages; b"": none, for now.
    speculation: bytes
    #: All that are open.
    channels: set[OpenConnection]
    #: What all of them share.
    pools: Pools
    #: Who takes requests as they come, :class:`edge.node.connection.streamed.Streams`; None: nobody does.
    streams: Any
    #: Whether connections stay for their next request.
    staying: Staying
    #: Makes the :class:`.upgraded.Upgraded` that a WebSocket of the fast path was before; None: it has none.
    resume: Callable[[SocketState], Any] | None
    #: Where answered requests are written down; None: nowhere.
    access_log: RequestLog | None
    #: What requests are traced by; None: they are not.
    tracing: Tracing | None

    def count(self, name: str, n: int = 1) -> None:
        """Add to the counter of that name (see :mod:`edge.table.counters`)."""

    def date(self) -> bytes:
        """IMF-fixdate of now (RFC 9110 section 5.6.7)."""

    def answered(self, status: int, host: bytes = b"", sent: int = 0) -> None:
        """Count one answer to a request for *host*, with so many bytes of a body."""
