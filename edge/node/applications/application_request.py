"""One visitor's request that an application answers: between his connection and an origin.

It is the :class:`~edge.node.connection.streamed.StreamedRequest` of a channel and the
:class:`~edge.node.applications.origin.Receiver` of an exchange, and keeps nothing: what the visitor sends
goes to the application as it comes, what that answers to the visitor, and each side is read no faster than
the other one takes.  A visitor who goes cancels the exchange.

What an application gives is checked on its way out (:class:`~edge.node.connection.framing.OutgoingAnswer`);
an answer that cannot be sent is 502, or, when it has begun, a connection that ends before the answer is
whole.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from edge.fastpath.interface import Met
from edge.http.fields import list_members
from edge.node.applications.origin import Failure, OriginError
from edge.node.applications.switched import Switched
from edge.node.applications.visitors import question_of
from edge.node.connection.framing import UnreadableError, switching_head

if TYPE_CHECKING:
    from twisted.python import failure

    from edge.http.parser import RequestHead
    from edge.node.applications.origin import Exchange, Fields, Origin, Question, Waiter
    from edge.node.applications.timing import Timing
    from edge.node.connection.streamed import StreamChannel
    from edge.node.process.counted_log import CountedLog

#: What visitors are told; the log says more.
_SAID = {
    Failure.AWAY: "The application cannot answer now.",
    Failure.FULL: "The application has too much to do now.",
    Failure.TIMEOUT: "The application did not answer in time.",
    Failure.GARBAGE: "The application gave no answer that can be passed on.",
    Failure.CLOSED_EARLY: "The application gave no answer that can be passed on.",
    Failure.REFUSED: "The application does not speak this protocol.",
}
_RETRY_AFTER = b"Retry-After: 1\r\n"
#: What a request that the fast path has passed on has met.
_MET = {
    Met.NO_ANSWER: (Failure.CLOSED_EARLY, "it has not answered"),
    Met.GARBAGE: (Failure.GARBAGE, "what it answered was no answer"),
    Met.SILENCE: (Failure.TIMEOUT, "it has not answered in time"),
}
#: What the cache makes of requests that the fast path answers alone.
_FROM_TABLE = ("hit", "stale")
#: Bytes that are read at once of a body that lies in a file.
_PIECE = 64 * 1024


class ApplicationRequest:
    """The request with *head* on *channel*, which *origin* answers; *host*: what that is told as Host."""

    __slots__ = (
        "_body",
        "_body_held",
        "_channel",
        "_exchange",
        "_host",
        "_over",
        "_question",
        "_said",
        "_status",
        "_switched",
        "_timing",
        "_unpublished",
        "body_in_memory",
        "cache",
        "head",
        "origin",
        "startedWriting",
    )

    def __init__(
        self,
        channel: StreamChannel,
        head: RequestHead,
        origin: Origin,
        host: bytes,
        said: CountedLog,
        timing: Timing | None = None,
        unpublished: int | None = None,
    ) -> None:
        self.head = head
        self.origin = origin
        #: Nothing: what is on its way is held by exchanges, which have their own bounds.
        self.body_in_memory = 0
        self.startedWriting = 0
        self.cache = ""
        self._channel = channel
        self._host = host
        self._said = said
        self._question: Question | None = None
        self._exchange: Exchange | None = None
        self._switched: Switched | None = None
        self._timing = timing
        self._unpublished = unpublished
        self._status = 0
        self._over = False
        #: The body, if it was whole before it was known whose it is, and whether it is held back.
        self._body: BinaryIO | None = None
        self._body_held = False

    def begin_with(self, body: BinaryIO) -> None:
        """Ask the application; the *body* is whole, and is read from where it stands."""
        self.begin()
        if self.head.has_body:
            self._body = body
            self._read_body()

    def _read_body(self) -> None:
        while self._body is not None and self._exchange is not None and not self._body_held:
            piece = self._body.read(_PIECE)
            if piece:
                self._exchange.send(piece)
            else:
                self._exchange.finish()
                self._close_body()

    def _close_body(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def _release(self) -> Exchange | None:
        """The exchange, which is ours no longer; nothing more is written."""
        self._over = True
        self._close_body()
        exchange, self._exchange = self._exchange, None
        return exchange

    def _cancel(self) -> None:
        exchange = self._release()
        if exchange is not None:
            exchange.cancel()

    def _begun(self, status: int, fields: Fields) -> Fields:
        """The fields that go out with the head."""
        self._status = status
        if self._timing is None or self._question is None:
            return fields
        return [*fields, self._timing.field(self._question, self.origin.name)]

    def _finish(self) -> None:
        """The answer is whole."""
        self._release()
        self._channel.unregisterProducer()
        relayed = self._question is not None and self._question.is_relayed
        self._channel.done(self._status, self.cache not in _FROM_TABLE and not relayed)

    def _refuse(self, status: int, explanation: str, lines: bytes = b"") -> None:
        """Answer with an error of our own."""
        self._release()
        self._channel.write_error(status, explanation, lines)
        self._channel.unregisterProducer()
        self._channel.done(status)

    def _give_up(self, error: UnreadableError) -> None:
        """What the application gives cannot be sent."""
        self._said.warn(f"{self.origin.name} unreadable", f"{self.origin.name}: {error}")
        exchange = self._exchange
        self.failed(OriginError(Failure.GARBAGE, str(error)))
        if exchange is not None:
            exchange.cancel()

    # As edge.node.connection.streamed.StreamedRequest has it

    def begin(self) -> None:
        """Ask the application."""
        question = self._question = question_of(self.head, self._channel, self._host)
        question.unpublished = self._unpublished
        met = self._channel.take_met()
        question.met = None if met is None else OriginError(*_MET[met])
        question.waiter = cast("Waiter | None", self._channel.take_waiter())
        self._channel.registerProducer(self, True)
        self._exchange = self.origin.ask(question, self)

    def handleContentChunk(self, data: bytes) -> None:
        """Pass it on."""
        if self._exchange is not None:
            self._exchange.send(data)

    def received(self) -> None:
        """Pass it on."""
        if self._exchange is not None:
            self._exchange.finish()

    def refused(self) -> None:
        """The request was none: what the application has of it is worth nothing."""
        self._cancel()

    def connectionLost(self, reason: failure.Failure) -> None:
        """The visitor has gone."""
        self._cancel()

    def pauseProducing(self) -> None:
        """The visitor takes nothing now."""
        if self._exchange is not None:
            self._exchange.pause()

    def resumeProducing(self) -> None:
        """The visitor takes on."""
        if self._exchange is not None:
            self._exchange.resume()

    def stopProducing(self) -> None:
        """The visitor has gone: connectionLost tells it."""

    # As edge.node.applications.origin.Receiver has it

    def informational(self, status: int, fields: Fields) -> None:
        """Pass it on; one that cannot be sent is left out."""
        try:
            self._channel.pass_interim(status, fields)
        except UnreadableError as error:
            self._said.warn(f"{self.origin.name} unreadable", f"{self.origin.name}: {error}")

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """Pass it on."""
        try:
            self._channel.pass_head(status, self._begun(status, fields), length)
        except UnreadableError as error:
            self._give_up(error)
        else:
            self.startedWriting = 1

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """Pass it on, in one piece."""
        if self._over:
            return
        fields = self._begun(status, fields)
        try:
            self._channel.pass_answer(status, fields, length, body)
        except UnreadableError as error:
            self._give_up(error)
            return
        self.startedWriting = 1
        self._finish()

    def switched(self, fields: Fields) -> None:
        """The connection is HTTP no longer."""
        assert self._question is not None and self._exchange is not None, "it was asked"
        try:
            head = switching_head(self._question.upgrade, fields)
        except UnreadableError as error:
            self._give_up(error)
            return
        self._channel.unregisterProducer()
        self._switched = Switched(self._exchange)
        self._channel.upgrade(head, self._switched)

    def data(self, data: bytes) -> None:
        """Pass it on."""
        if self._switched is not None:
            self._switched.write(data)
        elif not self._over:
            self._channel.write(data)

    def ended(self, trailers: Fields) -> None:
        """The answer is whole."""
        if self._switched is not None:
            self._switched.close()
            return
        if self._over:
            return
        try:
            self._channel.pass_end(trailers if _takes_trailers(self.head) else [])
        except UnreadableError as error:
            self._give_up(error)
            return
        self._finish()

    def failed(self, error: OriginError) -> None:
        """Say so, in words if it is not too late."""
        if self._switched is not None:
            self._switched.close()
        elif self._over:
            return
        elif self.startedWriting:
            self._release()
            self._channel.abort()
        else:
            retry = _RETRY_AFTER if error.failure.may_retry else b""
            self._refuse(error.failure.status, _SAID[error.failure], retry)

    def pause_body(self) -> None:
        """The application takes nothing now."""
        if self._switched is not None:
            self._switched.hold(True)
        elif self._body is not None:
            self._body_held = True
        else:
            self._channel.hold_body(True)

    def resume_body(self) -> None:
        """The application takes on."""
        if self._switched is not None:
            self._switched.hold(False)
        elif self._body is not None:
            self._body_held = False
            self._read_body()
        else:
            self._channel.hold_body(False)


def _takes_trailers(head: RequestHead) -> bool:
    """Whether the visitor wants trailers (RFC 9110 section 6.5.1)."""
    return b"trailers" in list_members(head.fields.get(b"te", b"").lower())
