"""Spans of the requests of a worker, begun and ended on the Twisted side; never blocks.

A request's span begins when its head is here, and ends when its answer is written down.  Below it are those
of who is asked for the answer (:meth:`Tracing.below`).  What ``traceparent`` says of a request counts if who
sent it is in one of the networks that are believed: nobody else has a say in which traces are recorded, or in
what their numbers are.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from edge.networks import NO_ADDRESS, address_of_text
from edge.node.process.clocks import date_of
from edge.traces.context import TRACEPARENT, TRACESTATE, Context, read_context
from edge.traces.http import name_of, of_request, route_of
from edge.traces.ring import SpanRing
from edge.traces.sampling import Sampler, below
from edge.traces.span import CLIENT, SERVER, Span

if TYPE_CHECKING:
    from mmap import mmap

    from edge.http.parser import RequestHead
    from edge.networks import Networks
    from edge.traces.span import Value

#: What ``error.type`` says of a request whose answer did not become whole.
CUT_OFF = "cut_off"


class Tracing:
    """What a worker traces requests by: a ring, a sampler, and whom it believes."""

    def __init__(self, memory: mmap, ratio: float, believed: Networks, clock: Any) -> None:
        """*memory*: a ring (:mod:`edge.traces.ring`); *ratio*: the share of traces that is recorded."""
        self._ring = SpanRing(memory)
        self._sampler = Sampler(ratio, os.urandom)
        self._believed = believed
        self._clock = clock

    def begin(self, head: RequestHead, sender: str) -> RequestSpan:
        """The span of the request with *head*; *sender*: the numeric address that the connection is from."""
        parent = None
        said = head.fields.get(TRACEPARENT)
        if said is not None and self._believed:
            address = address_of_text(sender.partition("%")[0].encode()) or NO_ADDRESS
            if self._believed.holds(address):
                parent = read_context(said, head.fields.get(TRACESTATE))
        return RequestSpan(self, self._sampler.begin(parent), parent, self._now())

    def below(self, parent: Context) -> OpenSpan:
        """The span of who is asked because of *parent*."""
        return OpenSpan(self, below(parent, os.urandom), parent, self._now(), is_remote=False)

    def _now(self) -> tuple[float, float]:
        return date_of(self._clock), self._clock.seconds()

    def seconds_since(self, steady: float) -> float:
        """How long ago that was, by the clock that never jumps."""
        return max(0.0, float(self._clock.seconds()) - steady)

    def write(self, span: Span) -> None:
        """Write *span* down; what there is no room for is counted there."""
        self._ring.write_span(span)


class OpenSpan:
    """A span that is not over yet."""

    __slots__ = ("_began", "_is_remote", "_parent", "_tracing", "context")

    def __init__(
        self,
        tracing: Tracing,
        context: Context,
        parent: Context | None,
        began: tuple[float, float],
        *,
        is_remote: bool,
    ) -> None:
        """*began*: Unix seconds, and those of the steady clock."""
        self.context = context
        self._tracing = tracing
        self._parent = parent
        self._began = began
        self._is_remote = is_remote

    def end(self, name: str, attributes: dict[str, Value], is_error: bool, kind: int = CLIENT) -> None:
        """Write it down as over now, if it is recorded."""
        context, parent = self.context, self._parent
        if not context.is_sampled:
            return
        date, steady = self._began
        start = max(0, int(date * 1e9))
        self._tracing.write(
            Span(
                trace_id=context.trace_id,
                span_id=context.span_id,
                parent_id=parent.span_id if parent is not None else b"",
                parent_is_remote=self._is_remote and parent is not None,
                state=context.state.decode("ascii"),
                kind=kind,
                name=name,
                start=start,
                end=start + int(self._tracing.seconds_since(steady) * 1e9),
                attributes=attributes,
                is_error=is_error,
            )
        )


class RequestSpan(OpenSpan):
    """The span of a request that somebody has made to the node."""

    __slots__ = ("_at",)

    def __init__(
        self, tracing: Tracing, context: Context, parent: Context | None, began: tuple[float, float]
    ) -> None:
        super().__init__(tracing, context, parent, began, is_remote=True)
        self._at: bytes | None = None

    @property
    def trace_id(self) -> bytes:
        """The number of the trace as it is written, for logs."""
        return self.context.trace_id.hex().encode("ascii")

    def routed(self, at: bytes) -> None:
        """The request is for the application at that path."""
        self._at = at

    def answered(
        self, head: RequestHead, status: int, *, secure: bool, client: str, sent: int, cache: str
    ) -> None:
        """The answer is out; *sent*: bytes of its body, *cache*: as the access log has it."""
        if self.context.is_sampled:
            more: dict[str, Value] = {"http.response.status_code": status, "http.response.body.size": sent}
            if cache:
                more["edge.cache.status"] = cache
            if status >= 500:
                more["error.type"] = str(status)
            self._end(head, secure, client, more, status >= 500)

    def cut_off(self, head: RequestHead, *, secure: bool, client: str) -> None:
        """The connection has ended before the answer was whole."""
        if self.context.is_sampled:
            self._end(head, secure, client, {"error.type": CUT_OFF}, True)

    def _end(
        self, head: RequestHead, secure: bool, client: str, more: dict[str, Value], is_error: bool
    ) -> None:
        attributes = of_request(head, secure, client) | more
        route = route_of(self._at) if self._at is not None else ""
        if route:
            attributes["http.route"] = route
        self.end(name_of(str(attributes["http.request.method"]), route), attributes, is_error, SERVER)
