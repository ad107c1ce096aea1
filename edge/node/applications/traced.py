"""Traces of what applications are asked: an origin around one process, or one HTTP server.

Each question that a traced request causes has a span of its own, so one that is asked twice has two; the
application is told which (``traceparent``), and of no other: what a visitor has sent under that name does not
pass.  The clean question, whose answer is for everybody, goes without what others have written into the trace
(``tracestate``).  A question that no request has caused, like a probe, or stored answers asked for anew,
passes as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.node.applications.origin import Layer
from edge.traces.context import NAMES
from edge.traces.http import method_of, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.node.applications.origin import Exchange, Fields, Origin, OriginError, Question, Receiver
    from edge.node.connection.tracing import OpenSpan, Tracing
    from edge.traces.span import Value

#: What ``error.type`` says of an answer that nobody waited for any longer.
CANCELLED = "cancelled"


class TracedOrigin(Layer):
    """The origin *inner*, traced; implements :class:`~edge.node.applications.origin.Origin`."""

    def __init__(self, inner: Origin, tracing: Tracing, known: Mapping[str, Value]) -> None:
        """*known*: attributes of every span."""
        super().__init__(inner)
        self._tracing = tracing
        self._known = known

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask, and tell of which trace."""
        if question.trace is None:
            return self.inner.ask(question, receiver)
        span = self._tracing.below(question.trace)
        passed = [field for field in question.fields if field[0].lower() not in NAMES]
        told = span.context._replace(state=b"") if question.clean else span.context
        asked = replace(question, fields=[*passed, *told.fields()])
        if not span.context.is_sampled:
            return self.inner.ask(asked, receiver)
        traced = TracedExchange(span, question.method, self._known, receiver)
        return traced.begin(self.inner.ask(asked, traced))


class TracedExchange:
    """One question: an exchange to who asks, a receiver to who is asked."""

    __slots__ = ("_inner", "_known", "_method", "_receiver", "_span", "_status")

    def __init__(self, span: OpenSpan, method: bytes, known: Mapping[str, Value], receiver: Receiver) -> None:
        self._span: OpenSpan | None = span
        self._method = method_of(method)
        self._known = known
        self._receiver = receiver
        self._inner: Exchange
        self._status = 0

    def begin(self, inner: Exchange) -> TracedExchange:
        """Pass on by *inner* what is still to be asked."""
        self._inner = inner
        return self

    def _end(self, error: str = "", is_error: bool = True) -> None:
        """Write the span down; *error*: what went wrong beside the status."""
        span, self._span = self._span, None
        if span is None:
            return
        attributes = {**self._known, "http.request.method": self._method}
        if self._status:
            attributes["http.response.status_code"] = self._status
        if (
            not error and self._status >= 400
        ):  # of who asks, other than of who is asked, also what is not found
            error = str(self._status)
        if error:
            attributes["error.type"] = error
        span.end(name_of(self._method), attributes, bool(error) and is_error)

    # As edge.node.applications.origin.Exchange has it

    def send(self, data: bytes) -> None:
        """Pass it on."""
        self._inner.send(data)

    def finish(self) -> None:
        """Pass it on."""
        self._inner.finish()

    def pause(self) -> None:
        """Pass it on."""
        self._inner.pause()

    def resume(self) -> None:
        """Pass it on."""
        self._inner.resume()

    def cancel(self) -> None:
        """Nobody waits for the answer."""
        self._end(CANCELLED, is_error=False)
        self._inner.cancel()

    # As edge.node.applications.origin.Receiver has it

    def informational(self, status: int, fields: Fields) -> None:
        """Pass it on."""
        self._receiver.informational(status, fields)

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """The head of the answer is here."""
        self._status = status
        self._receiver.started(status, fields, length)

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """A whole answer."""
        self._status = status
        self._end()
        self._receiver.answered(status, fields, length, body)

    def switched(self, fields: Fields) -> None:
        """What follows is no answer."""
        self._status = 101
        self._end()
        self._receiver.switched(fields)

    def data(self, data: bytes) -> None:
        """Pass it on."""
        self._receiver.data(data)

    def ended(self, trailers: Fields) -> None:
        """The answer is whole."""
        self._end()
        self._receiver.ended(trailers)

    def failed(self, error: OriginError) -> None:
        """There is none, or no whole one."""
        self._end(error.failure.name.lower())
        self._receiver.failed(error)

    def pause_body(self) -> None:
        """Pass it on."""
        self._receiver.pause_body()

    def resume_body(self) -> None:
        """Pass it on."""
        self._receiver.resume_body()
