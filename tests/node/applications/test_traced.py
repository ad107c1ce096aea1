"""Traces of what applications are asked."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.networks import NOWHERE
from edge.node.applications.origin import Failure
from edge.node.applications.pool import OriginPool
from edge.node.applications.traced import TracedOrigin
from edge.node.connection.tracing import Tracing
from edge.traces.context import Context, read_context
from edge.traces.span import Span
from tests.node.applications.parts import Heard, Scripted, question
from tests.traces.test_span import ring

REQUEST = Context(b"t" * 16, b"r" * 8, 1, b"a=b")
STRANGE = [(b"TraceParent", b"00-" + b"a" * 32), (b"Tracestate", b"x=y"), (b"Accept", b"*/*")]


class TracedTests(SynchronousTestCase):
    """:class:`edge.node.applications.traced.TracedOrigin`."""

    def setUp(self) -> None:
        self.clock, self.ring, self.heard = Clock(), ring(1 << 20), Heard()
        self.tracing = Tracing(self.ring.memory, 1.0, NOWHERE, self.clock)
        self.inner = Scripted()
        self.origin = TracedOrigin(self.inner, self.tracing, {"edge.application": "shop"})

    def spans(self) -> list[Span]:
        return list(iter(self.ring.read_span, None))

    def ask(self, trace: Context | None = REQUEST) -> None:
        asked = question()
        asked.fields, asked.trace = STRANGE, trace
        self.exchange = self.origin.ask(asked, self.heard)

    def told(self) -> dict[bytes, bytes]:
        fields = self.inner.asked[-1].question.fields
        self.assertEqual(len(fields), len({name.lower() for name, _ in fields}), "none is there twice")
        return {name.lower(): value for name, value in fields}

    def test_the_application_is_told_of_one_trace_alone(self) -> None:
        self.ask()
        told = self.told()
        context = read_context(told[b"traceparent"], told[b"tracestate"])
        assert context is not None
        self.assertEqual((context.trace_id, context.flags, context.state), (REQUEST.trace_id, 1, b"a=b"))
        self.assertNotEqual(context.span_id, REQUEST.span_id)
        self.assertEqual(told[b"accept"], b"*/*")
        self.clock.advance(2)
        self.inner.asked[-1].answer(200, b"hello")
        (span,) = self.spans()
        self.assertEqual((span.span_id, span.parent_id), (context.span_id, REQUEST.span_id))
        self.assertEqual((span.end - span.start, span.kind, span.is_error), (2_000_000_000, 1, False))
        self.assertEqual(
            span.attributes,
            {"edge.application": "shop", "http.request.method": "GET", "http.response.status_code": 200},
        )
        self.assertEqual(self.heard.body, b"hello")

    def test_nothing_that_others_have_written_into_the_trace_reaches_the_clean_question(self) -> None:
        asked = question()
        asked.trace, asked.clean = REQUEST, True
        self.origin.ask(asked, self.heard)
        told = self.told()
        self.assertNotIn(b"tracestate", told)
        context = read_context(told[b"traceparent"], None)
        assert context is not None
        self.assertEqual(context.trace_id, REQUEST.trace_id)

    def test_what_no_request_has_caused_passes_as_it_is(self) -> None:
        self.ask(None)
        self.assertEqual(self.inner.asked[-1].question.fields, STRANGE)
        self.inner.asked[-1].answer()
        self.assertEqual(self.spans(), [])

    def test_of_a_trace_that_is_not_recorded_the_application_is_told_so(self) -> None:
        self.ask(REQUEST._replace(flags=0))
        self.assertTrue(self.told()[b"traceparent"].endswith(b"-00"))
        self.inner.asked[-1].answer()
        self.assertEqual((self.spans(), self.heard.events[-1]), ([], ("ended", [])))

    def test_how_it_can_end(self) -> None:
        for end, error, is_error in (
            (lambda asked: asked.answer(404), "404", True),
            (lambda asked: asked.answer(503), "503", True),
            (lambda asked: asked.fail(Failure.TIMEOUT), "timeout", True),
            (lambda asked: asked.fail(Failure.CLOSED_EARLY), "closed_early", True),
            (lambda asked: self.exchange.cancel(), "cancelled", False),
            (lambda asked: asked.receiver.switched([]), None, False),
        ):
            self.ask()
            end(self.inner.asked[-1])
            (span,) = self.spans()
            self.assertEqual((span.attributes.get("error.type"), span.is_error), (error, is_error))
            self.exchange.cancel()
            self.assertEqual(self.spans(), [], "no span ends twice")

    def test_who_is_asked_twice_has_two_spans(self) -> None:
        pool = OriginPool("shop", [self.origin, self.origin], self.clock)
        asked = question()
        asked.trace = REQUEST
        pool.ask(asked, self.heard)
        first = self.told()[b"traceparent"]
        self.inner.asked[-1].fail(Failure.AWAY, reached=False)
        self.assertNotEqual(self.told()[b"traceparent"], first)
        self.inner.asked[-1].answer()
        failed, answered = self.spans()
        self.assertEqual((failed.attributes["error.type"], failed.is_error), ("away", True))
        self.assertEqual((failed.parent_id, answered.parent_id), (REQUEST.span_id, REQUEST.span_id))
        self.assertEqual(answered.attributes["http.response.status_code"], 200)
        pool.stop()

    def test_both_directions_pass_through(self) -> None:
        self.ask()
        asked = self.inner.asked[-1]
        self.exchange.send(b"abc")
        self.exchange.finish()
        self.exchange.pause()
        self.assertEqual((asked.body, asked.finished, asked.paused), (b"abc", True, True))
        self.exchange.resume()
        self.assertFalse(asked.paused)
        asked.receiver.pause_body()
        self.assertTrue(self.heard.paused)
        asked.receiver.resume_body()
        asked.receiver.informational(103, [])
        self.assertEqual((self.heard.paused, self.heard.events), (False, [("interim", 103, [])]))
