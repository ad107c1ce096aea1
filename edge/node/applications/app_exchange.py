"""One request to a process that speaks edge-app/1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from edge.app.ends import Sendable, Wrong
from edge.app.messages import Answer, Cancel, Close, Data, Message, Opened
from edge.node.applications.origin import Failure, OriginError
from edge.upstream.fields import of_answer

if TYPE_CHECKING:
    from edge.app.asking import NodeEnd
    from edge.node.applications.origin import Question, Receiver


class Carrier(Protocol):
    """The connection that exchanges are on."""

    #: Of the process, for messages.
    name: str
    #: The path that the application is at; b"": the root.
    at: bytes
    reactor: Any
    end: NodeEnd

    def flush(self) -> None:
        """Send what :attr:`end` has to send."""

    def over(self, number: int) -> None:
        """Exchange *number* is over."""


class AppExchange:
    """One request on a connection; implements :class:`~.origin.Exchange`."""

    __slots__ = ("_connection", "_held", "_is_over", "_left", "_paused", "_receiver", "_untaken", "number")

    def __init__(self, connection: Carrier, question: Question, receiver: Receiver) -> None:
        left = None
        if question.deadline is not None:
            left = max(0, int((question.deadline - connection.reactor.seconds()) * 1000))
        self.number = connection.end.ask(
            question.method,
            question.target,
            [(name.lower(), value) for name, value in question.fields],
            question.host,
            secure=question.secure,
            peer=question.peer,
            at=connection.at,
            length=question.body_length,
            deadline=left,
            fill=0 if question.clean else None,
        )
        self._connection = connection
        self._receiver = receiver
        self._is_over = False
        self._paused = False
        self._untaken = 0
        self._held = False
        #: Bytes of the answer's body that are still to come; None: nobody knows.
        self._left: int | None = None
        if question.expect_continue:
            # The window takes the first of the body in any case.
            connection.reactor.callLater(0, self._tell_continue)

    def _tell_continue(self) -> None:
        if not self._is_over:
            self._receiver.informational(100, [])

    # As edge.node.applications.origin.Exchange has it

    def send(self, data: bytes) -> None:
        """A piece of the question's body."""
        if self._is_over or not data:
            return
        self._connection.end.send(self.number, data, True)
        self._connection.flush()
        if not self._held and self._connection.end.waiting(self.number):
            self._held = True
            self._receiver.pause_body()

    def finish(self) -> None:
        """The question's body is whole."""
        if not self._is_over:
            self._connection.end.send(self.number, b"", False)
            self._connection.flush()

    def pause(self) -> None:
        """Give the application no more credit."""
        self._paused = True

    def resume(self) -> None:
        """Give it the credit that it has earned meanwhile."""
        self._paused = False
        untaken, self._untaken = self._untaken, 0
        if untaken and not self._is_over:
            self._connection.end.taken(self.number, untaken)
            self._connection.flush()

    def cancel(self) -> None:
        """Nobody wants the answer any more."""
        if not self._is_over:
            self._is_over = True
            self._connection.end.cancel(self.number, "the visitor has gone")
            self._connection.over(self.number)
            self._connection.flush()

    # What the connection tells

    def take(self, event: Answer | Data | Message | Opened | Close | Cancel | Wrong | Sendable) -> None:
        """What came for it."""
        if isinstance(event, Answer):
            self._take_answer(event)
        elif isinstance(event, Data):
            self._data(event.body)
            if not event.more:
                self._end(event.trailers)
        elif isinstance(event, Sendable):
            if self._held:
                self._held = False
                self._receiver.resume_body()
        elif isinstance(event, Wrong):
            self._fail(Failure.GARBAGE, event.sentence)
        elif isinstance(event, Cancel):
            self._fail(Failure.CLOSED_EARLY, event.reason.decode("utf-8", "replace"))

    def _take_answer(self, answer: Answer) -> None:
        fields = of_answer(answer.fields)
        if answer.status < 200:
            self._receiver.informational(answer.status, fields)
            return
        if not answer.more:
            if not self._is_over:
                self._is_over = True
                self._connection.over(self.number)
                self._receiver.answered(answer.status, fields, answer.length, answer.body)
            return
        self._left = answer.length
        self._receiver.started(answer.status, fields, answer.length)
        self._data(answer.body)

    def _data(self, body: bytes) -> None:
        if not body or self._is_over:
            return
        if self._left is not None:
            self._left -= len(body)
        self._receiver.data(body)
        if self._paused:
            self._untaken += len(body)
        elif not self._is_over:
            self._connection.end.taken(self.number, len(body))

    def _end(self, trailers: list[tuple[bytes, bytes]]) -> None:
        if not self._is_over:
            self._is_over = True
            self._connection.over(self.number)
            self._receiver.ended(trailers)

    def _fail(self, kind: Failure, why: str) -> None:
        self._connection.over(self.number)
        self.lost(OriginError(kind, f"{self._connection.name}: {why}"))

    def lost(self, error: OriginError) -> None:
        """There will be no answer, or no whole one; one of which all bytes have come is whole."""
        if not self._is_over:
            self._is_over = True
            if self._left == 0:
                self._receiver.ended([])
            else:
                self._receiver.failed(error)


class Failed:
    """An exchange that fails before it begins."""

    def __init__(self, receiver: Receiver, error: OriginError) -> None:
        self._receiver: Receiver | None = receiver
        self._error = error

    def tell(self) -> None:
        """Say so."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.failed(self._error)

    def cancel(self) -> None:
        """Nobody wants to know."""
        self._receiver = None

    def send(self, data: bytes) -> None:
        """Nobody takes it."""

    def finish(self) -> None:
        """Nobody takes it."""

    def pause(self) -> None:
        """Nothing comes."""

    def resume(self) -> None:
        """Nothing comes."""
