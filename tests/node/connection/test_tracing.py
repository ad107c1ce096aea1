"""Spans of the requests of one connection."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.networks import networks_of
from edge.node.connection.tracing import Tracing
from edge.traces.ring import SpanRing
from edge.traces.span import Span
from tests.node.applications.test_gateway import Site
from tests.node.serving import Connection
from tests.traces.test_span import ring

PARENT = b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\n"
GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"


class TracingTests(SynchronousTestCase):
    """Connections of 192.0.2.1."""

    def setUp(self) -> None:
        self.ring = ring(1 << 20)

    def connect(self, ratio: float = 1.0, *believed: str) -> Connection:
        connection = Connection(Site())
        connection.site.tracing = Tracing(self.ring.memory, ratio, networks_of(believed), connection.clock)
        return connection

    def spans(self) -> list[Span]:
        return list(iter(SpanRing(self.ring.memory).read_span, None))

    def test_a_request_that_is_answered_is_one_span(self) -> None:
        connection = self.connect()
        connection.send(GET % (b"/nothing?a=b", b""))
        (one,) = self.spans()
        self.assertEqual((one.name, one.kind, one.parent_id, one.is_error), ("GET", 0, b"", False))
        self.assertEqual(one.attributes["http.response.status_code"], connection.answers()[0].status)
        self.assertEqual(one.attributes["url.path"], "/nothing")
        self.assertNotIn("http.route", one.attributes)
        connection.send(GET % (b"/nothing", b""))
        (other,) = self.spans()
        self.assertNotEqual(other.trace_id, one.trace_id)

    def test_only_who_is_believed_has_a_say(self) -> None:
        for believed, sampled in (((), 0), (("10.0.0.0/8", "unix"), 0), (("192.0.2.0/24",), 1)):
            self.connect(0.0, *believed).send(GET % (b"/", PARENT))
            found = self.spans()
            self.assertEqual(len(found), sampled, believed)
            for one in found:
                self.assertEqual((one.trace_id.hex(), one.parent_id.hex()), ("a" * 32, "b" * 16))
                self.assertTrue(one.parent_is_remote)

    def test_two_lines_of_traceparent_are_none(self) -> None:
        self.connect(1.0, "192.0.2.1").send(GET % (b"/", PARENT + PARENT))
        (one,) = self.spans()
        self.assertNotEqual(one.trace_id.hex(), "a" * 32)

    def test_a_request_that_is_refused_later_and_one_that_is_cut_off(self) -> None:
        connection = self.connect()
        connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n")
        (refused,) = self.spans()
        self.assertEqual(refused.attributes["http.response.status_code"], 400)
        connection = self.connect()
        connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx")
        self.assertEqual(self.spans(), [])
        connection.channel.connectionLost()
        (cut,) = self.spans()
        self.assertEqual((cut.is_error, cut.attributes["error.type"]), (True, "cut_off"))

    def test_what_is_no_request_has_no_span(self) -> None:
        self.connect().send(b"nonsense\r\n\r\n")
        self.assertEqual(self.spans(), [])
