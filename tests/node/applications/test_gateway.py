"""Which requests an application answers, what it is told, and what visitors get of its answers."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.http.target import canonical_path
from edge.networks import networks_of
from edge.node.applications.gateway import PASSAGES, Gateway, Place
from edge.node.applications.origin import Failure
from edge.node.process.channel_limits import ChannelLimits
from edge.shares import NOBODY, Pools, network_of
from tests.node.applications.parts import Asked, Scripted
from tests.node.serving import Answer, Connection


class Published:
    """A table in which these paths are; *complete*: and no others."""

    def __init__(self, *paths: bytes) -> None:
        self.paths = paths
        self.complete = True
        self.sequence = 0

    def is_file(self, path: bytes) -> bool:
        """As a reader of the table has it."""
        return path in self.paths


class Site(Resource):
    """What is there without applications."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"the site's"

    def render_POST(self, request: Any) -> bytes:
        return b"the site's"


class Case(SynchronousTestCase):
    """Connections to a node with applications at / and /shop."""

    def setUp(self) -> None:
        self.app, self.shop = Scripted("app"), Scripted("shop")
        self.table = Published(b"/file", b"/folder/", b"/shop/file")

    def connect(self, https_only: bool = False, **more: Any) -> Connection:
        connection = Connection(Site(), **more)
        places = [Place(b"/", self.app), Place(b"/shop", self.shop, b"shop.example")]
        allowed = [b"https://other.example"]
        reader: Any = self.table
        gateway = Gateway(places, reader, connection.clock, (allowed,), [b"mounted"], https_only)
        connection.site.streams = gateway
        return connection

    def request(
        self, line: str, *fields: str, body: bytes = b"", host: str = "localhost", **more: Any
    ) -> Connection:
        """A connection on which that was asked."""
        connection = self.connect(**more)
        lines = [f"{line} HTTP/1.1", f"Host: {host}", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        connection.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return connection

    def asked(self, line: str, *fields: str, **more: Any) -> Asked:
        """What an application was asked by that."""
        before = len(self.app.asked), len(self.shop.asked)
        self.request(line, *fields, **more)
        new = [*self.app.asked[before[0] :], *self.shop.asked[before[1] :]]
        self.assertEqual(len(new), 1, line)
        return new[0]

    def refused(self, line: str, *fields: str, **more: Any) -> Answer:
        """What is answered without an application."""
        before = len(self.app.asked) + len(self.shop.asked)
        connection = self.request(line, *fields, **more)
        self.assertEqual(len(self.app.asked) + len(self.shop.asked), before)
        [answer] = connection.answers("H" if line.startswith("HEAD") else "")
        return answer


class RoutingTests(Case):
    """Whose a request is."""

    def test_the_longest_prefix_answers(self) -> None:
        for line in (
            "GET /",
            "GET /a/b?c",
            "GET /shopping",
            "POST /",
            "GET /shoP",
            "DELETE /x",
            "OPTIONS /x",
        ):
            self.asked(line)
        self.assertEqual((len(self.app.asked), len(self.shop.asked)), (7, 0))
        for line in ("GET /shop", "GET /shop/", "GET /shop/a", "GET /%73hop/a", "GET /shop?x=/y"):
            self.asked(line)
        self.assertEqual((len(self.app.asked), len(self.shop.asked)), (7, 5))

    def test_what_is_published_wins_whatever_the_method_and_the_spelling(self) -> None:
        for line in ("GET /file", "GET /file?x", "POST /file", "GET /%66ile", "GET /folder", "GET /folder/"):
            self.assertEqual(self.refused(line).body, b"the site's")
        self.refused("GET /shop/file")
        self.asked("GET /files")

    def test_what_is_published_later_wins_from_then_on(self) -> None:
        """What is remembered of a path holds until something is published."""
        connection = self.connect()
        for paths, answered in (((), True), ((), True), ((b"/later",), False), ((), True)):
            if paths != self.table.paths:
                self.table.paths = paths
                self.table.sequence += 1
            before = len(self.app.asked)
            connection.send(b"GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(len(self.app.asked) - before, answered, paths)
            if answered:
                self.app.asked[-1].answer()

    def test_the_node_and_its_mounts_are_not_applications(self) -> None:
        for line in ("GET /.edge/load", "GET /.edge", "GET /%2eedge/x", "GET /mounted/x", "GET /mounted"):
            self.refused(line)
        self.refused("GET //.edge/load")
        self.asked("GET /mountedx")

    def test_a_path_that_could_be_another_path_is_nobodys(self) -> None:
        for path in (
            "/a/../b",
            "/shop/%2e%2e/admin",
            "/./a",
            "/a/.%2E",
            "/a%00b",
            "/a%5cb",
            "/shop/..%2fadmin",
            "/a/%2e",
        ):
            self.assertEqual(self.refused(f"GET {path}").body, b"the site's", path)
            self.assertIsNone(canonical_path(path.encode()))
        for path in ("//a", "/a%2fb", "/a//b", "/shop//../x"[:7]):
            self.assertEqual(self.asked(f"GET {path}").question.target, path.encode())

    def test_options_of_the_whole_server_are_the_servers(self) -> None:
        self.refused("OPTIONS *")

    def test_over_plain_http_that_only_leads_to_https_nobody_is_asked(self) -> None:
        self.refused("GET /", https_only=True)
        self.asked("GET /", https_only=True, secure=True)
        connection = self.connect(https_only=True)
        connection.transport.getPeer = lambda: UNIXAddress(None)  # type: ignore[assignment,method-assign,return-value]
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(self.app.asked[-1].question.peer, "")

    def test_as_long_as_the_table_is_not_whole_the_site_is_asked_first(self) -> None:
        self.table.complete = False
        self.assertEqual(self.refused("GET /").body, b"the site's")

    def test_what_the_site_then_does_not_have_is_the_applications_with_its_body(self) -> None:
        connection = self.connect()
        gateway: Any = connection.site.streams
        connection.site.streams = None

        class Nothing(Resource):
            isLeaf = True

            def render(self, request: Any) -> int:
                if gateway.take_whole(request):
                    return NOT_DONE_YET
                request.refuse(404, "")
                return NOT_DONE_YET

        connection.site.resource = Nothing()
        connection.send(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
        [asked] = self.app.asked
        self.assertEqual((asked.body, asked.finished), (b"abc", True))
        asked.answer(200, b"done")
        [answer] = connection.answers()
        self.assertEqual((answer.status, answer.body), (200, b"done"))
        connection.send(b"GET /../x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(len(self.app.asked), 1)


class TellingTests(Case):
    """What the application is told."""

    def test_it_gets_the_bytes_of_the_target(self) -> None:
        for target in (
            "/a?",
            "/a?b=%2F&&c",
            "/%7Ea",
            "/a%20b",
            "/a;x=1?;y",
            "/A?utm_source=1",
            "/a?b?c",
            "/?x=%ff",
        ):
            self.assertEqual(self.asked(f"GET {target}").question.target, target.encode())

    def test_of_an_absolute_target_it_gets_path_query_and_host(self) -> None:
        question = self.asked("GET http://one.example/a?b", host="two.example").question
        self.assertEqual((question.target, question.host), (b"/a?b", b"one.example"))

    def test_the_validator_in_the_query_is_a_field_and_not_part_of_the_address(self) -> None:
        for target, bare in (("/a?~etag=x1", b"/a"), ("/a?b&~etag=x1", b"/a?b")):
            question = self.asked(f"GET {target}").question
            self.assertEqual((question.target, question.fields), (bare, [(b"If-None-Match", b'"x1"')]))
        self.assertEqual(self.asked("GET /a?~etag=x1&b").question.target, b"/a?~etag=x1&b")

    def test_it_is_told_who_asks_and_how_by_the_node_alone(self) -> None:
        asked = self.asked("GET /", "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6", secure=True)
        question = asked.question
        self.assertEqual((question.peer, question.secure, question.host), ("192.0.2.1", True, b"localhost"))
        self.assertEqual(question.fields, [])

    def test_whose_question_it_is_is_known_for_the_shares_of_addresses(self) -> None:
        self.assertEqual(self.asked("GET /").question.network, network_of("192.0.2.1"))
        mine = "X-Forwarded-For: 198.51.100.7"
        for trusted, fields, network in (
            ("192.0.2.0/24", [mine], network_of("198.51.100.7")),
            ("192.0.2.0/24", [], NOBODY),
            ("203.0.113.0/24", [mine], network_of("192.0.2.1")),
        ):
            asked = self.asked("GET /", *fields, trusted=networks_of((trusted,)))
            self.assertEqual(asked.question.network, network)
        pools = Pools.of(8, 1 << 20, told_apart=False)
        self.assertEqual(self.asked("GET /", pools=pools).question.network, NOBODY)

    def test_its_host_may_be_configured(self) -> None:
        self.assertEqual(self.asked("GET /shop", host="evil.example").question.host, b"shop.example")

    def test_a_websocket_is_an_upgrade_and_h2c_and_others_over_http_are_not(self) -> None:
        fields = ("Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: x")
        question = self.asked("GET /", *fields, "Upgrade: websocket").question
        self.assertEqual(question.upgrade, b"websocket")
        self.assertEqual(question.fields, [(b"Sec-WebSocket-Key", b"x")])
        for upgrade in ("h2c", "H2C", "HTTP/2.0", "TLS/1.2", "websocket, h2c"):
            self.assertEqual(self.asked("GET /", *fields, f"Upgrade: {upgrade}").question.upgrade, b"")
        self.assertEqual(
            self.asked("GET /", "Upgrade: websocket").question.upgrade, b"", "Connection does not say so"
        )
        asked = self.asked("POST /", *fields, "Upgrade: websocket", body=b"x")
        self.assertEqual(asked.question.upgrade, b"")


class GuardingTests(Case):
    """Who may change something."""

    def test_pages_of_other_sites_may_not(self) -> None:
        for line in ("POST /", "PUT /a", "DELETE /shop/1", "PATCH /x"):
            self.assertEqual(self.refused(line, "Origin: https://evil.example").status, 403)
            self.assertEqual(self.refused(line, "Origin: null").status, 403)
            self.assertEqual(self.refused(line, "Sec-Fetch-Site: cross-site").status, 403)
            self.assertEqual(self.refused(line, "Sec-Fetch-Site: same-site").status, 403)
            self.asked(line, "Origin: http://localhost")
            self.asked(line, "Origin: https://other.example")
            self.asked(line, "Sec-Fetch-Site: same-origin")
            self.asked(line)
        self.asked("GET /", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")

    def test_nor_open_a_websocket(self) -> None:
        upgrade = ("Connection: Upgrade", "Upgrade: websocket")
        self.assertEqual(self.refused("GET /", *upgrade, "Origin: https://evil.example").status, 403)
        self.asked("GET /", *upgrade, "Origin: http://localhost")

    def test_a_name_that_could_be_led_here_proves_nothing_over_plain_http(self) -> None:
        origin = "Origin: http://evil.example"
        self.assertEqual(self.refused("POST /", origin, host="evil.example").status, 403)

    def test_a_method_in_a_field_changes_nothing(self) -> None:
        asked = self.asked(
            "GET /", "X-HTTP-Method-Override: DELETE", "X-Method-Override: PUT", "X-HTTP-Method: POST"
        )
        self.assertEqual((asked.question.method, asked.question.fields), (b"GET", []))

    def test_trace_shows_nobody_what_was_sent(self) -> None:
        answer = self.refused("TRACE /", "Cookie: secret")
        self.assertEqual(answer.status, 405)
        self.assertNotIn(b"secret", answer.body)

    def test_a_circle_is_broken(self) -> None:
        self.asked("GET /", "Via: " + ", ".join(["1.1 edge"] * (PASSAGES - 1)))
        answer = self.refused("GET /", *["Via: 1.1 edge"] * PASSAGES)
        self.assertEqual(answer.status, 508)
        self.flushLoggedErrors()


class AnswerTests(Case):
    """What a visitor gets."""

    def test_a_whole_answer_and_the_connection_goes_on(self) -> None:
        connection = self.request("GET /")
        self.app.asked[0].answer(201, b"made", [(b"X-Y", b"z")])
        connection.send(b"HEAD /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        asked = self.app.asked[1]
        asked.receiver.started(200, [(b"Date", b"then")], 5)
        asked.receiver.ended([])
        first, second = connection.answers(" H")
        self.assertEqual((first.status, first.body, first.fields["x-y"]), (201, b"made", "z"))
        self.assertIn("date", first.fields)
        self.assertEqual(
            (second.status, second.fields["content-length"], second.fields["date"]), (200, "5", "then")
        )
        self.assertEqual(
            [line[:3] for line in connection.log.lines], [(b"GET", b"/", 201), (b"HEAD", b"/2", 200)]
        )

    def test_an_answer_of_unknown_length_comes_in_chunks_as_it_comes(self) -> None:
        connection = self.request("GET /")
        receiver = self.app.asked[0].receiver
        receiver.started(200, [(b"Content-Type", b"text/event-stream")], None)
        self.assertTrue(connection.transport.written.endswith(b"\r\n\r\n"), "the head does not wait")
        receiver.data(b"data: 1\n\n")
        self.assertTrue(connection.transport.written.endswith(b"9\r\ndata: 1\n\n\r\n"))
        receiver.ended([(b"Secret", b"not asked for")])
        [answer] = connection.answers()
        self.assertEqual(answer.body, b"data: 1\n\n")
        self.assertNotIn(b"Secret", connection.transport.written)

    def test_trailers_are_for_those_who_asked_for_them(self) -> None:
        connection = self.request("GET /", "TE: trailers")
        receiver = self.app.asked[0].receiver
        receiver.started(200, [], None)
        receiver.ended([(b"Digest", b"x")])
        self.assertTrue(connection.transport.written.endswith(b"\r\n\r\n0\r\nDigest: x\r\n\r\n"))

    def test_http_1_0_gets_no_chunks_and_no_interim_answers(self) -> None:
        connection = self.connect()
        connection.send(b"GET / HTTP/1.0\r\n\r\n")
        receiver = self.app.asked[0].receiver
        receiver.informational(103, [])
        receiver.started(200, [], None)
        receiver.data(b"abc")
        receiver.ended([])
        [answer] = connection.answers()
        self.assertEqual((answer.body, answer.fields["connection"]), (b"abc", "close"))

    def test_interim_answers_are_passed_on_and_100_only_to_those_who_wait_for_it(self) -> None:
        connection = self.request("GET /")
        receiver = self.app.asked[0].receiver
        receiver.informational(100, [])
        receiver.informational(103, [(b"Link", b"</a.css>; rel=preload")])
        expected = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        self.assertEqual(connection.transport.written, expected)
        receiver.started(204, [], None)
        receiver.ended([])
        receiver.informational(103, [])
        self.assertEqual(connection.transport.written.count(b"103"), 1)

    def test_100_continue_is_the_applications_to_say(self) -> None:
        connection = self.connect(limits=ChannelLimits(body_seconds=5))
        connection.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        [asked] = self.app.asked
        self.assertTrue(asked.question.expect_continue)
        connection.pass_time(20)
        self.assertEqual(connection.transport.written, b"", "it is not the visitor who is slow")
        asked.receiver.informational(100, [])
        asked.receiver.informational(100, [])
        self.assertEqual(connection.transport.written, b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(b"abc")
        self.assertEqual((asked.body, asked.finished), (b"abc", True))
        asked.answer(200)
        self.assertEqual([answer.status for answer in connection.answers()], [100, 200])

    def test_who_is_refused_instead_sends_no_body_on_this_connection(self) -> None:
        connection = self.connect()
        connection.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        self.app.asked[0].answer(413, b"no")
        connection.send(b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        [answer] = connection.answers()
        self.assertEqual((answer.status, answer.fields["connection"]), (413, "close"))
        self.assertEqual(len(self.app.asked), 1)

    def test_an_answer_before_the_end_of_the_request_is_the_last_on_the_connection(self) -> None:
        connection = self.connect()
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        self.app.asked[0].answer(401, b"who?")
        [answer] = connection.answers()
        self.assertEqual((answer.status, answer.fields["connection"]), (401, "close"))
        self.assertTrue(connection.transport.half_closed)

    def test_bodies_go_on_as_they_come_and_only_as_fast_as_they_are_taken(self) -> None:
        connection = self.connect(limits=ChannelLimits(body_seconds=5))
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        [asked] = self.app.asked
        self.assertEqual((asked.body, asked.finished), (b"abc", False))
        asked.receiver.pause_body()
        self.assertFalse(connection.transport.reading)
        connection.send(b"def")
        self.assertEqual(asked.body, b"abc")
        connection.pass_time(20)
        self.assertEqual(connection.transport.written, b"", "it is not the visitor who is slow")
        asked.receiver.resume_body()
        self.assertTrue(connection.transport.reading)
        connection.send(b"ghi")
        self.assertEqual((asked.body, asked.finished), (b"abcdefghi", True))

    def test_a_body_that_stops_coming_is_408_and_the_application_hears_of_it(self) -> None:
        connection = self.connect(limits=ChannelLimits(body_seconds=5))
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        connection.pass_time(6)
        [answer] = connection.answers()
        self.assertEqual(answer.status, 408)
        self.assertTrue(self.app.asked[0].cancelled)

    def test_a_body_that_is_malformed_is_400_or_the_end_if_the_answer_has_begun(self) -> None:
        for begun in (False, True):
            connection = self.connect()
            connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            asked = self.app.asked[-1]
            if begun:
                asked.receiver.started(200, [], None)
            connection.send(b"nonsense\r\n")
            self.assertTrue(asked.cancelled)
            self.assertFalse(asked.finished)
            if begun:
                self.assertTrue(connection.transport.aborted)
            else:
                self.assertEqual(connection.answers()[0].status, 400)

    def test_a_visitor_who_takes_nothing_holds_the_application_back(self) -> None:
        connection = self.request("GET /")
        [asked] = self.app.asked
        connection.transport.stalled = True
        asked.receiver.started(200, [], None)
        asked.receiver.data(b"x" * 100_000)
        self.assertTrue(asked.paused)
        connection.transport.take(1 << 20)
        self.assertFalse(asked.paused)

    def test_a_visitor_who_takes_nothing_for_too_long_is_let_go_and_the_application_hears_of_it(self) -> None:
        connection = self.request("GET /", limits=ChannelLimits(write_seconds=5))
        connection.transport.stalled = True
        asked = self.app.asked[0]
        asked.receiver.started(200, [], None)
        asked.receiver.data(b"x" * 100_000)
        connection.pass_time(6)
        self.assertTrue(connection.transport.aborted)
        self.assertTrue(asked.cancelled)

    def test_a_visitor_who_goes_cancels(self) -> None:
        connection = self.request("GET /")
        connection.transport.loseConnection()
        [asked] = self.app.asked
        self.assertTrue(asked.cancelled)

    def test_each_failure_is_a_status_and_says_nothing_of_what_is_inside(self) -> None:
        for failure in Failure:
            connection = self.request("GET /")
            self.app.asked[-1].fail(failure)
            [answer] = connection.answers()
            self.assertEqual(answer.status, failure.status)
            self.assertEqual("retry-after" in answer.fields, failure.may_retry)
            self.assertNotIn(b"broken", answer.body)
            self.assertNotIn("connection", answer.fields)

    def test_an_answer_that_breaks_off_does_not_look_whole(self) -> None:
        for length in (None, 10):
            connection = self.request("GET /")
            asked = self.app.asked[-1]
            asked.receiver.started(200, [], length)
            asked.receiver.data(b"abc")
            asked.fail(Failure.CLOSED_EARLY)
            self.assertTrue(connection.transport.aborted)
            self.assertFalse(connection.transport.written.endswith(b"0\r\n\r\n"))

    def test_a_body_shorter_or_longer_than_its_length_never_spills_into_the_next_answer(self) -> None:
        connection = self.request("GET /")
        receiver = self.app.asked[-1].receiver
        receiver.started(200, [], 3)
        receiver.data(b"abcHTTP/1.1 200 OK\r\n\r\nevil")
        receiver.ended([])
        [answer] = connection.answers()
        self.assertEqual(answer.body, b"abc")
        connection = self.request("GET /")
        receiver = self.app.asked[-1].receiver
        receiver.started(200, [], 9)
        receiver.data(b"abc")
        receiver.ended([])
        self.assertTrue(connection.transport.aborted)

    def test_what_would_split_the_head_is_502(self) -> None:
        for status, fields, length in (
            (200, [(b"A", b"b\r\nSet-Cookie: evil")], 0),
            (200, [(b"A", b"b\nc")], 0),
            (200, [(b"A\r\nB", b"c")], 0),
            (200, [(b"A b", b"c")], 0),
            (200, [(b"", b"c")], 0),
            (200, [(b"A", b"\0")], 0),
            (200, [(b"Content-Length", b"5")], 0),
            (200, [(b"Transfer-Encoding", b"chunked")], 0),
            (200, [(b"CONNECTION", b"close")], 0),
            (200, [], -1),
            (99, [], 0),
            (101, [], 0),
            (600, [], 0),
        ):
            connection = self.request("GET /")
            asked = self.app.asked[-1]
            asked.receiver.started(status, fields, length)
            [answer] = connection.answers()
            self.assertEqual(answer.status, 502, fields)
            self.assertTrue(asked.cancelled)
            asked.receiver.data(b"late")
            asked.receiver.ended([])
            self.assertEqual(len(connection.answers()), 1)

    def test_a_trailer_that_would_split_is_never_sent(self) -> None:
        connection = self.request("GET /", "TE: trailers")
        receiver = self.app.asked[-1].receiver
        receiver.started(200, [], None)
        receiver.ended([(b"A", b"b\r\n\r\nHTTP/1.1 200 OK")])
        self.assertTrue(connection.transport.aborted)

    def test_hsts_is_the_nodes(self) -> None:
        connection = self.request("GET /", secure=True, hsts="max-age=9")
        self.app.asked[-1].answer(200, b"", [(b"Strict-Transport-Security", b"max-age=0")])
        [answer] = connection.answers()
        self.assertEqual(answer.fields["strict-transport-security"], "max-age=9")

    def test_who_asks_from_this_machine_is_told_what_it_took_and_nobody_else(self) -> None:
        for address, host, told in (
            ("127.0.0.1", "localhost", True),
            ("192.0.2.1", "localhost", False),
            ("127.0.0.1", "evil.example", False),
        ):
            connection = self.connect().another(address)
            connection.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nEdge-Timing: 1\r\n\r\n".encode())
            asked = self.app.asked[-1]
            self.assertEqual(asked.question.fields, [])
            asked.question.asked_at = connection.clock.seconds() + 0.25
            connection.clock.advance(1.0)
            asked.answer(200, b"", [(b"Server-Timing", b"db;dur=3")])
            said = connection.answers()[0].fields["server-timing"]
            expected = 'total;dur=1000.0, queue;dur=250.0, app;dur=750.0;desc="app"'
            self.assertEqual(said, f"db;dur=3, {expected}" if told else "db;dur=3")

    def test_a_draining_node_finishes_the_answer_and_closes(self) -> None:
        connection = self.request("GET /")
        connection.site.drain()
        self.app.asked[-1].answer(200, b"abc")
        [answer] = connection.answers()
        self.assertEqual((answer.body, answer.fields["connection"]), (b"abc", "close"))


class SwitchingTests(Case):
    """After 101."""

    def switched(self) -> tuple[Connection, Asked]:
        connection = self.request("GET /", "Connection: Upgrade", "Upgrade: websocket")
        [asked] = self.app.asked
        asked.receiver.switched([(b"Sec-WebSocket-Accept", b"x")])
        return connection, asked

    def test_bytes_pass_both_ways(self) -> None:
        connection, asked = self.switched()
        self.assertEqual(
            connection.transport.written,
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: x\r\n\r\n",
        )
        connection.transport.written = b""
        asked.receiver.data(b"hello")
        connection.send(b"world")
        self.assertEqual((connection.transport.written, asked.body), (b"hello", b"world"))

    def test_each_side_holds_the_other_back(self) -> None:
        connection, asked = self.switched()
        asked.receiver.pause_body()
        self.assertFalse(connection.transport.reading)
        asked.receiver.resume_body()
        self.assertTrue(connection.transport.reading)
        connection.transport.stalled = True
        asked.receiver.data(b"x" * 100_000)
        self.assertTrue(asked.paused)
        connection.transport.take(1 << 20)
        self.assertFalse(asked.paused)

    def test_the_end_of_either_side_is_the_end_of_both(self) -> None:
        connection, asked = self.switched()
        asked.receiver.ended([])
        self.assertTrue(connection.transport.half_closed)
        self.app.asked.clear()
        connection, asked = self.switched()
        connection.transport.loseConnection()
        self.assertTrue(asked.cancelled)
        self.app.asked.clear()
        connection, asked = self.switched()
        asked.fail(Failure.CLOSED_EARLY)
        self.assertTrue(connection.transport.half_closed)

    def test_a_drain_has_it_ended_by_who_knows_how(self) -> None:
        connection, asked = self.switched()
        connection.site.drain()
        self.assertTrue(asked.finished)
        self.assertFalse(connection.transport.half_closed)
        asked.receiver.data(b"goodbye")
        asked.receiver.ended([])
        self.assertTrue(connection.transport.written.endswith(b"goodbye"))
        self.assertTrue(connection.transport.half_closed)

    def test_an_application_that_does_not_switch_answers_as_always(self) -> None:
        connection = self.request("GET /", "Connection: Upgrade", "Upgrade: websocket")
        self.app.asked[-1].answer(426, b"no")
        connection.send(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual((connection.answers()[0].status, len(self.app.asked)), (426, 2))
