"""WebSockets to HTTP upstreams when the node ends: both sides are told 1001, between two frames.

After 101 an HTTP upstream's connection is bytes both ways.  To say goodbye in the protocol that is spoken
there (RFC 6455 section 7.4.1) one has to know where a frame ends, so this layer counts along
(:mod:`edge.upstream.frame_ends`).  When both have been told, nothing more passes; the application closes the
connection, as the server that it is, and so ends the visitor's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.node.applications.origin import Layer
from edge.upstream.frame_ends import FrameEnds, closing

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.applications.origin import Exchange, Fields, OriginError, Question, Receiver

#: "Going away": the server stops.
GOING_AWAY = 1001


class GoodbyeOrigin(Layer):
    """*inner*, whose WebSockets end with a goodbye; implements :class:`.origin.Origin`."""

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask; a WebSocket is counted along."""
        if question.upgrade.lower() != b"websocket":
            return self.inner.ask(question, receiver)
        watched = Watched(receiver)
        watched.exchange = self.inner.ask(question, watched)
        return watched


class _Direction:
    """The bytes of one direction, until goodbye was said in it."""

    __slots__ = ("_ends", "_goodbye", "_leaving", "_pass_on")

    def __init__(self, pass_on: Callable[[bytes], None], goodbye: bytes) -> None:
        self._pass_on = pass_on
        self._goodbye = goodbye
        self._ends: FrameEnds | None = FrameEnds()
        self._leaving = False

    def data(self, data: bytes) -> None:
        """Pass *data* on; when the node ends, no frame after the one that has begun."""
        if self._ends is None:
            return
        if self._leaving:
            data = data[: self._ends.first_end(data)]
        else:
            self._ends.passes(data)
        if data:
            self._pass_on(data)
        self._say()

    def leave(self) -> None:
        """Say goodbye, as soon as no frame is begun."""
        self._leaving = True
        self._say()

    def _say(self) -> None:
        if self._leaving and self._ends is not None and self._ends.is_between:
            self._ends = None
            self._pass_on(self._goodbye)


class Watched:
    """An exchange that may become a WebSocket: a receiver before its receiver, an exchange before another."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.exchange: Exchange
        #: To the visitor and to the application, once it is one.
        self._out: _Direction | None = None
        self._in: _Direction | None = None

    # As edge.node.applications.origin.Receiver has it

    def informational(self, status: int, fields: Fields) -> None:
        """Pass it on."""
        self._receiver.informational(status, fields)

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """Pass it on: it stays HTTP."""
        self._receiver.started(status, fields, length)

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """Likewise."""
        self._receiver.answered(status, fields, length, body)

    def switched(self, fields: Fields) -> None:
        """From here on frames pass."""
        self._out = _Direction(self._receiver.data, closing(GOING_AWAY, masked=False))
        self._in = _Direction(self.exchange.send, closing(GOING_AWAY, masked=True))
        self._receiver.switched(fields)

    def data(self, data: bytes) -> None:
        """Pass it on, and count."""
        (self._receiver if self._out is None else self._out).data(data)

    def ended(self, trailers: Fields) -> None:
        """Pass it on."""
        self._receiver.ended(trailers)

    def failed(self, error: OriginError) -> None:
        """Pass it on."""
        self._receiver.failed(error)

    def pause_body(self) -> None:
        """Pass it on."""
        self._receiver.pause_body()

    def resume_body(self) -> None:
        """Pass it on."""
        self._receiver.resume_body()

    # As edge.node.applications.origin.Exchange has it

    def send(self, data: bytes) -> None:
        """Pass it on, and count."""
        if self._in is None:
            self.exchange.send(data)
        else:
            self._in.data(data)

    def finish(self) -> None:
        """The question is whole; or, of a WebSocket, the node ends."""
        if self._in is None or self._out is None:
            self.exchange.finish()
        else:
            self._out.leave()
            self._in.leave()

    def pause(self) -> None:
        """Pass it on."""
        self.exchange.pause()

    def resume(self) -> None:
        """Pass it on."""
        self.exchange.resume()

    def cancel(self) -> None:
        """Pass it on."""
        self.exchange.cancel()
