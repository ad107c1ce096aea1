"""What goes out of one connection: counted, never more than the peer takes, and taken in time.

In time: while something waits for the peer, it has to take ``least_rate`` bytes a second, on average over
each period of ``write_seconds``.  A period begins when something begins to wait, so that an application
that itself writes slowly, and a peer that takes all of it at once, are not hurried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from edge.node.connection.producing import ApplicationProducer
from edge.node.process.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.connection.context import ConnectionContext, ConnectionTransport


class Output:
    """The outgoing half of a channel's transport, and the application's producer for it."""

    def __init__(
        self, transport: ConnectionTransport, context: ConnectionContext, stuck: Callable[[], None]
    ) -> None:
        """*stuck* is called when the peer took too little in the time that the limits give it."""
        self._transport = transport
        self._context = context
        self._stuck = stuck
        #: The peer takes nothing now, and enough is waiting for it.
        self.full = False
        self._offered = 0  # bytes of bodies that the application wrote
        self._producer: ApplicationProducer | None = None
        self._taking = Deadline(context.clock, self._not_taken)
        self._taken = 0  # bytes that the peer had taken when the deadline was set

    def send(self, data: bytes) -> None:
        """Write *data*, and expect the peer to take some of it in time."""
        if not data:
            return
        self._context.count("twisted_bytes_out", len(data))
        waiting = self._transport.unsent
        self._transport.write(data)
        if not waiting or not self._taking.running:
            self._set_deadline()

    def send_whole(self, data: bytes) -> None:
        """Write *data*, the last of an answer: what the peer takes at once waits for no turn of the reactor.

        Asked is the transport's type, as by :meth:`send_file`.
        """
        if not hasattr(type(self._transport), "write_now"):
            self.send(data)
            return
        self._context.count("twisted_bytes_out", len(data))
        waiting = self._transport.unsent
        self._transport.write_now(data)
        if self._transport.unsent and (not waiting or not self._taking.running):
            self._set_deadline()

    def send_file(self, file: BinaryIO, count: int) -> int | None:
        """Send of the next *count* bytes of *file* what there is room for; None: the transport cannot.

        Asked is the transport's type: TLS over a transport passes on what it lacks, to what would not seal.
        """
        if not hasattr(type(self._transport), "send_file"):
            return None
        sent = self._transport.send_file(file, count)
        self._context.count("twisted_bytes_out", sent)
        if self._transport.unsent and not self._taking.running:
            self._set_deadline()
        return sent

    def offered(self, count: int) -> None:
        """The application wrote *count* bytes of a body, sent or not."""
        self._offered += count
        if self._producer is not None:
            self._producer.wrote()

    def register(self, producer: Any, streaming: bool) -> None:
        """The application's producer begins."""
        self._producer = ApplicationProducer(
            producer, streaming, lambda: self._offered, self._context.clock, self.full
        )

    def unregister(self) -> None:
        """The application's producer is done."""
        if self._producer is not None:
            self._producer.end()
            self._producer = None

    def pause(self) -> None:
        """The transport's buffer is full."""
        self.full = True
        if self._producer is not None:
            self._producer.pause()

    def resume(self) -> None:
        """The transport's buffer is empty."""
        self.full = False
        if self._producer is not None:
            self._producer.resume()

    def stop(self) -> None:
        """The connection is gone."""
        if self._producer is not None:
            self._producer.stop()

    def end(self) -> None:
        """Nothing more is written: the transport sends what it has, without a producer."""
        self.full = False

    def clear(self) -> None:
        """Expect nothing of the peer any more."""
        self._taking.clear()

    def _set_deadline(self) -> None:
        self._taken = self._transport.bytes_taken
        self._taking.set(self._context.limits.write_seconds)

    def _not_taken(self) -> None:
        """Time to see whether the peer takes anything of what was written."""
        if not self._transport.unsent:
            return
        limits = self._context.limits
        if self._transport.bytes_taken - self._taken >= max(1, limits.least_rate * limits.write_seconds):
            self._set_deadline()
        else:
            self._context.count("timeouts_write")
            self._stuck()
