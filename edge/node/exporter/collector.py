"""OTLP over HTTP, by OpenTelemetry's own exporter; the SDK is imported here and nowhere else.

A collector may be away, slow, or somebody else by now.  So an export has :data:`EXPORT_SECONDS` in all, for
names, connections, retries and answers (a timer of this process: the exporter's own bound is one for each
read); of an answer no more than :data:`ANSWER_BYTES` are read; and it leads nowhere else: redirects are not
followed.  ``OTEL_EXPORTER_OTLP_HEADERS``, ``_CERTIFICATE`` and their like are the exporter's, from the node's
environment.
"""

from __future__ import annotations

import logging
import signal
from contextlib import contextmanager
from http.client import HTTPException
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import requests

from edge.errors import ConfigError, plain
from edge.node.exporter.batches import TAKEN, Outcome
from edge.traces.span import CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge.traces.span import Span

#: Seconds that one export may take.
EXPORT_SECONDS = 10.0
#: Bytes of an answer that are read; a collector says a sentence at most.
ANSWER_BYTES = 64 * 1024
#: Characters of a reason that are told.
_REASON = 200
_SCOPE = "twistd-edge"


class LateError(BaseException):
    """An export has taken too long; nothing that catches every :exc:`Exception` on the way catches it."""


def require_sdk() -> None:
    """:class:`ConfigError`: what the extra ``traces`` brings is not installed."""
    try:
        for name in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter"):
            import_module(name)
    except ImportError as error:
        missing = error.name or "opentelemetry"
        raise ConfigError(
            f"--traces: {missing} is not installed; it comes with pip install 'twistd-edge[traces]'"
        ) from None


class OtlpCollector:
    """The collector at *url*; implements :class:`.batches.Collector`.  In the main thread alone."""

    def __init__(self, url: str, resource: Mapping[str, str]) -> None:
        """*resource*: attributes of this node."""
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource

        # What the library has to say, the operator is told in one sentence: OtlpCollector.send.
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        self._resource = Resource.create(dict(resource))
        self._session = BoundedSession()
        self._exporter = OTLPSpanExporter(
            endpoint=url, timeout=EXPORT_SECONDS, compression=Compression.Gzip, session=self._session
        )

    def send(self, spans: Sequence[tuple[int, Span]], seconds: float) -> Outcome:
        from opentelemetry.sdk.trace.export import SpanExportResult

        self._session.forget()
        try:
            with _at_most(seconds):
                result = self._exporter.export([self._readable(worker, span) for worker, span in spans])
        except LateError:
            return Outcome(len(spans), self._session.problem or f"no whole answer within {seconds:g} s")
        except Exception as error:  # whatever the library makes of what a stranger says
            return Outcome(len(spans), _short(f"{type(error).__name__}: {error}"))
        if result is not SpanExportResult.SUCCESS:
            return Outcome(len(spans), _short(self._session.problem) or "it gave no reason")
        return _partly(self._session.body, len(spans))

    def _readable(self, worker: int, span: Span) -> Any:
        """*span* as the SDK has it."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

        state = TraceState.from_header([span.state]) if span.state else None
        sampled, trace_id = TraceFlags(TraceFlags.SAMPLED), int.from_bytes(span.trace_id, "big")
        parent = None
        if span.parent_id:
            parent_id = int.from_bytes(span.parent_id, "big")
            parent = SpanContext(trace_id, parent_id, span.parent_is_remote, sampled, state)
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace_id, int.from_bytes(span.span_id, "big"), False, sampled, state),
            parent=parent,
            resource=self._resource,
            attributes={**span.attributes, "edge.worker": worker},
            kind=SpanKind.CLIENT if span.kind == CLIENT else SpanKind.SERVER,
            instrumentation_scope=InstrumentationScope(_SCOPE),
            status=Status(StatusCode.ERROR if span.is_error else StatusCode.UNSET),
            start_time=span.start,
            end_time=span.end,
        )


class BoundedSession(requests.Session):
    """A session that reads little, goes nowhere else, and remembers what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        #: What went wrong last, in words; "": nothing.
        self.problem = ""
        #: Of the last answer.
        self.body = b""

    def forget(self) -> None:
        """Nothing has gone wrong."""
        self.problem, self.body = "", b""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The answer to *request*, read as far as :data:`ANSWER_BYTES`."""
        kwargs.update(allow_redirects=False, stream=True)
        try:
            answer = super().send(request, **kwargs)
        except requests.RequestException as error:
            self.problem = _in_words(error)
            raise
        self.body = answer.raw.read(ANSWER_BYTES, decode_content=False)
        answer.raw.close()
        answer.raw = BytesIO(self.body)
        self.problem = "" if answer.status_code < 300 else f"it answers {answer.status_code} {answer.reason}"
        if answer.is_redirect:  # the library takes that for a success
            raise requests.TooManyRedirects(self.problem)
        return answer


def _partly(body: bytes, count: int) -> Outcome:
    """What became of *count* spans, by the *body* of an answer that says that they were taken."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:
        return TAKEN
    rejected = min(max(partial.rejected_spans, 0), count)
    if not rejected:
        return TAKEN
    return Outcome(rejected, _short(f"it has refused {rejected} of {count}: {partial.error_message}"))


def _in_words(error: BaseException) -> str:
    """Why there is no answer."""
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    found: BaseException | None = error
    innermost = type(error).__name__
    while found is not None:
        if isinstance(found, HTTPException) and not isinstance(found, OSError):
            return "what it answers is no HTTP"
        if isinstance(found, OSError) and found.strerror:
            innermost = found.strerror
        found = found.__cause__ or found.__context__
    return f"no connection ({innermost})"


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """:class:`LateError` in the main thread after *seconds*; for a process that has nothing else to do."""

    def late(*_: object) -> None:
        raise LateError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again: what a finalizer raises is lost
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _short(reason: str) -> str:
    return plain(" ".join(reason.split()))[:_REASON]
