"""What a span says of a request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.events import RequestHead
from edge.http.parser import RequestParser
from edge.traces.http import name_of, of_request, route_of
from edge.traces.span import Span, pack, unpack


def head(text: bytes) -> RequestHead:
    parser = RequestParser()
    parser.receive(text)
    found = parser.next_event()
    assert isinstance(found, RequestHead)
    return found


class AttributeTests(SynchronousTestCase):
    """Names and values of OpenTelemetry's semantic conventions for HTTP."""

    def test_a_request_by_its_stable_names(self) -> None:
        request = head(
            b"GET /a/b?password=1 HTTP/1.1\r\nHost: www.example.org:8443\r\nUser-Agent: curl/8\r\n"
            b"Cookie: a=b\r\nAuthorization: Basic eDp5\r\n\r\n"
        )
        self.assertEqual(
            of_request(request, True, "192.0.2.1"),
            {
                "http.request.method": "GET",
                "url.scheme": "https",
                "url.path": "/a/b",
                "network.protocol.name": "http",
                "network.protocol.version": "1.1",
                "server.address": "www.example.org",
                "server.port": 8443,
                "client.address": "192.0.2.1",
                "user_agent.original": "curl/8",
            },
        )

    def test_where_a_port_is_not_said_it_is_that_of_the_scheme(self) -> None:
        for host, secure, expected in (
            (b"a.b", False, ("a.b", 80)),
            (b"a.b", True, ("a.b", 443)),
            (b"[::1]", False, ("[::1]", 80)),
            (b"[::1]:81", False, ("[::1]", 81)),
        ):
            found = of_request(head(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host), secure, "")
            self.assertEqual((found["server.address"], found["server.port"]), expected)
            self.assertNotIn("client.address", found)

    def test_a_method_that_somebody_made_up_makes_no_name(self) -> None:
        request = head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        request.method = b"X" * 100
        found = of_request(request, False, "")
        self.assertEqual(found["http.request.method"], "_OTHER")
        self.assertEqual(found["http.request.method_original"], "X" * 32)
        self.assertEqual(name_of("_OTHER"), "HTTP")

    def test_names_have_routes_where_they_are_known(self) -> None:
        self.assertEqual(name_of("GET", route_of(b"/shop")), "GET /shop/*")
        self.assertEqual(name_of("GET", route_of(b"/")), "GET /*")

    @given(
        st.binary(max_size=3000),
        st.binary(max_size=3000),
        st.binary(max_size=400),
        st.sampled_from([b"", b"[]:"]),
    )
    def test_whatever_is_sent_has_room_in_a_record(
        self, path: bytes, agent: bytes, host: bytes, more: bytes
    ) -> None:
        request = head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        request.method, request.path, request.host = b"M" * 99, b"/" + path, host + more
        request.fields = {b"user-agent": agent * 3}
        attributes = {**of_request(request, False, "::1"), "http.route": "/" * 1024, "error.type": "500"}
        one = Span(
            b"t" * 16, b"s" * 8, b"p" * 8, True, "s" * 512, 0, "GET " + "/" * 1000, 1, 2, attributes, True
        )
        self.assertEqual(unpack(pack(one)), one)
