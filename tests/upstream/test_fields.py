"""Which fields pass between visitors and applications."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.upstream.fields import of_answer, of_visitor
from edge.upstream.forwarded import forwarded, passages

#: What a visitor must not tell an application, each in several spellings.
NOT_OF_VISITORS = """
Forwarded X-Forwarded X-Forwarded-For X-FORWARDED-HOST x-forwarded-proto X-Forwarded-Port
X-Forwarded-Server X-Forwarded-Prefix X-Forwarded-Scheme X-Forwarded-Ssl X-Forwarded-Path
X-Forwarded-Uri X-Forwarded-By X-Real-IP X-Client-IP Client-IP True-Client-IP CF-Connecting-IP
Fastly-Client-IP X-Cluster-Client-IP X-Originating-IP X-Remote-IP X-Remote-Addr X-ProxyUser-Ip
X-Host X-Forwarded-Host-Override X-Original-URL X-Rewrite-URL X-Original-Host X-Original-URI
X-Rewrite X-URL Request-URI X-Accel-Redirect X-HTTP-Method-Override X-Method-Override X-HTTP-Method
X-HTTP-Host-Override X-Host-Override X-Path-Override X_Forwarded_For X_Real_IP Content_Length
Transfer_Encoding Cookie_ _ a_b X-Http-Method_Override Proxy Remote-User X-Remote-User Client-Cert
Client-Cert-Chain SSL-Client-Verify X-SSL-Client-CN X-Sendfile-Type Proxy-Authorization
Front-End-Https X-Url-Scheme X-Scheme X-Middleware-Subrequest Connection Keep-Alive Proxy-Connection
TE Transfer-Encoding Upgrade Content-Length HTTP2-Settings Expect Host Trailer
""".split()  # noqa: SIM905


class VisitorTests(SynchronousTestCase):
    """What an application is told of what a visitor sends."""

    def test_ordinary_fields_pass_as_they_were_sent(self) -> None:
        fields = [
            (b"Cookie", b"a=b"),
            (b"cookie", b"c=d"),
            (b"Authorization", b"Basic x"),
            (b"X-Requested-With", b"XMLHttpRequest"),
            (b"Range", b"bytes=0-1"),
            (b"ORIGIN", b"https://a"),
            (b"x" * 100, b"y"),
        ]
        self.assertEqual(of_visitor(fields), fields)

    def test_what_only_servers_may_say_does_not_pass_however_it_is_spelled(self) -> None:
        for name in NOT_OF_VISITORS:
            for spelled in (name, name.lower(), name.upper()):
                kept = [(b"A", b"1"), (b"B", b"2")]
                field = (spelled.encode(), b"evil")
                self.assertEqual(of_visitor([kept[0], field, field, kept[1]]), kept, spelled)

    def test_what_connection_names_does_not_pass(self) -> None:
        fields = [(b"Connection", b"keep-alive, X-One"), (b"connection", b'"x", x-two'), (b"X-One", b"1")]
        fields += [(b"x-TWO", b"2"), (b"X-Three", b"3")]
        self.assertEqual(of_visitor(fields), [(b"X-Three", b"3")])

    def test_a_long_name_is_judged_like_others(self) -> None:
        self.assertEqual(of_visitor([(b"X-Forwarded-" + b"x" * 200, b"1"), (b"a" * 200 + b"_", b"1")]), [])

    def test_what_is_remembered_of_names_is_bounded(self) -> None:
        """A stranger chooses them."""
        from edge.upstream import fields as module

        of_visitor([(b"n%d" % number, b"") for number in range(5000)])
        of_visitor([(b"Connection", b"c%d" % number) for number in range(500)])
        self.assertLessEqual(len(module._PASSING), 1024)
        self.assertLessEqual(module._options.cache_info().currsize, 64)


class AnswerTests(SynchronousTestCase):
    """What a visitor is told of what an application answers."""

    def test_fields_of_the_connection_do_not_pass_and_all_others_do(self) -> None:
        kept = [(b"Set-Cookie", b"a=b"), (b"X_Y", b"z"), (b"X-Forwarded-For", b"1"), (b"Trailer", b"Digest")]
        gone = [(name, b"x") for name in (b"Keep-Alive", b"TE", b"Upgrade", b"Proxy-Connection", b"X-Mine")]
        gone += [(b"Connection", b"X-Mine"), (b"Content-Length", b"3"), (b"transfer-encoding", b"chunked")]
        self.assertEqual(of_answer(kept + gone), kept)

    def test_connection_cannot_take_away_what_gives_an_answer_its_meaning(self) -> None:
        fields = [(b"Cache-Control", b"private"), (b"Vary", b"Cookie"), (b"Content-Type", b"text/plain")]
        named = [(b"Connection", b"cache-control, vary, content-type")]
        self.assertEqual(of_answer(named + fields), fields)


class ForwardedTests(SynchronousTestCase):
    """What the node says itself."""

    def test_forwarded_and_its_elders_name_one_visitor(self) -> None:
        self.assertEqual(
            forwarded("192.0.2.1", True, b"example.org:8443"),
            [
                (b"Forwarded", b'for=192.0.2.1;host="example.org:8443";proto=https'),
                (b"X-Forwarded-For", b"192.0.2.1"),
                (b"X-Forwarded-Host", b"example.org:8443"),
                (b"X-Forwarded-Proto", b"https"),
            ],
        )

    def test_ipv6_addresses_stand_in_brackets_and_quotes(self) -> None:
        fields = dict(forwarded("2001:db8::1%eth0", False, b"x"))
        self.assertEqual(fields[b"Forwarded"], b'for="[2001:db8::1]";host="x";proto=http')
        self.assertEqual(fields[b"X-Forwarded-For"], b"2001:db8::1")

    def test_who_comes_over_a_unix_socket_has_no_address(self) -> None:
        fields = dict(forwarded("", False, b""))
        self.assertEqual(fields, {b"Forwarded": b"proto=http", b"X-Forwarded-Proto": b"http"})

    def test_passages_through_nodes_are_counted(self) -> None:
        self.assertEqual(passages(b"1.1 varnish, 1.1 edge, 1.0 fred, 1.1 edge (x),, HTTP/1.1 edge"), 3)
        self.assertEqual(passages(b"edge, 1.1 edgeless, "), 0)
