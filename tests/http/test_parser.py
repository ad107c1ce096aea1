"""What the parser accepts, and how a connection goes on from one request to the next."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http.errors import BadRequest, ContentTooLarge, ProtocolError
from edge.http.events import NEED_DATA, Data, EndOfMessage, Limits, RequestHead
from edge.http.parser import RequestParser
from tests.http.helpers import HOST, cuts, only_head, parse, run, status_of

GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


def get(line: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n"


def body_of(data: bytes) -> bytes:
    return b"".join(event.data for event in parse(data) if isinstance(event, Data))


class HeadTests(SynchronousTestCase):
    def test_a_plain_request(self) -> None:
        head, end = parse(
            b"GET /a/b?c=d HTTP/1.1\r\nHost: a:80\r\nX-Y:\t one two\t \r\nx-y:three\r\nE:\r\n\r\n"
        )
        self.assertEqual(
            head,
            RequestHead(
                method=b"GET",
                target=b"/a/b?c=d",
                version=b"HTTP/1.1",
                headers=[(b"Host", b"a:80"), (b"X-Y", b"one two"), (b"x-y", b"three"), (b"E", b"")],
                fields={b"host": b"a:80", b"x-y": b"one two, three", b"e": b""},
                path=b"/a/b",
                query=b"c=d",
                tag=None,
                host=b"a:80",
                keep_alive=True,
                expect_continue=False,
                content_length=0,
            ),
        )
        self.assertEqual(end, EndOfMessage([]))

    def test_a_name_of_any_length_is_a_name(self) -> None:
        self.assertIn((b"x" * 200, b"1"), only_head(get(b"x" * 200 + b": 1")).headers)

    def test_values_may_hold_tabs_and_bytes_beyond_ascii(self) -> None:
        self.assertEqual(only_head(get(b"X: caf\xc3\xa9\tau lait")).fields[b"x"], b"caf\xc3\xa9\tau lait")

    def test_every_known_method(self) -> None:
        for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE"):
            self.assertEqual(only_head(method + b" / HTTP/1.1\r\n" + HOST + b"\r\n").method, method)

    def test_hosts_of_every_kind(self) -> None:
        for host in (
            *(
                b"a",
                b"example.org",
                b"example.org:8080",
                b"a:",
                b"127.0.0.1:1",
                b"[::1]",
                b"[::1]:443",
                b"a_b",
                b"a%20",
            ),
            *(b"[v1.x:y]", b"xn--caf-dma.example", b"A.B", b"a,b"),
        ):
            self.assertEqual(only_head(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").host, host)

    def test_the_authority_of_an_absolute_target_overrides_host(self) -> None:
        head = only_head(b"GET hTTp://real.org:81/a?b HTTP/1.1\r\nHost: other.org\r\n\r\n")
        self.assertEqual((head.host, head.path, head.query), (b"real.org:81", b"/a", b"b"))
        self.assertEqual(head.fields[b"host"], b"other.org")

    def test_http_1_0_may_lack_host_and_is_kept_alive_for_who_asks(self) -> None:
        for options, kept in ((b"keep-alive", True), (b"Keep-Alive, x", True), (b"x", False)):
            self.assertEqual(
                only_head(b"GET / HTTP/1.0\r\nConnection: %b\r\n\r\n" % options).keep_alive, kept
            )
        self.assertFalse(only_head(b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive)
        head = only_head(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual((head.host, head.keep_alive), (None, False))

    def test_a_later_minor_version_counts_as_1_1(self) -> None:
        head = only_head(b"GET / HTTP/1.9\r\n" + HOST + b"\r\n")
        self.assertEqual((head.version, head.keep_alive), (b"HTTP/1.9", True))

    def test_options_of_the_server(self) -> None:
        for target in (b"*", b"http://example.org"):
            head = only_head(b"OPTIONS " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual((head.path, head.query, head.host), (b"*", None, b"example.org"))

    def test_one_empty_line_before_a_request_is_skipped(self) -> None:
        self.assertEqual(only_head(b"\r\n" + GET), only_head(GET))
        self.assertEqual(len(parse(b"\r\n" + GET + b"\r\n" + GET)), 4)

    def test_connection_close_in_any_list(self) -> None:
        for line, keep_alive in (
            (b"Connection: close", False),
            (b"Connection: CLOSE", False),
            (b"Connection: keep-alive, , Close", False),
            (b"Connection: a\r\nConnection: close", False),
            (b"Connection: keep-alive", True),
            (b"Connection: closed", True),
            (b"Connection:", True),
        ):
            self.assertIs(only_head(get(line)).keep_alive, keep_alive, line)

    def test_expecting_to_continue(self) -> None:
        post = b"POST / HTTP/1.%d\r\n" + HOST + b"Expect: 100-Continue\r\nContent-Length: %d\r\n\r\n"
        self.assertTrue(only_head(post % (1, 1)).expect_continue)
        self.assertFalse(only_head(post % (1, 0)).expect_continue, "nothing to wait with")
        self.assertFalse(only_head(post % (0, 1)).expect_continue, "HTTP/1.0 ignores it")
        self.assertFalse(only_head(get(b"Expect:")).expect_continue)


class BodyTests(SynchronousTestCase):
    def test_a_body_of_known_length(self) -> None:
        events = parse(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 005\r\n\r\nhello")
        self.assertEqual(events[1:], [Data(b"hello"), EndOfMessage([])])
        assert isinstance(events[0], RequestHead)
        self.assertEqual((events[0].content_length, events[0].has_body), (5, True))

    def test_equal_lines_of_content_length_are_one(self) -> None:
        data = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"
        self.assertEqual(body_of(data), b"abc")

    def test_get_may_have_a_body(self) -> None:
        self.assertEqual(body_of(get(b"Content-Length: 3") + b"abc"), b"abc")

    def test_chunks(self) -> None:
        data = CHUNKED + b'5\r\nhello\r\n00A;x;y = "z,\\"";q=1\r\n0123456789\r\n0;last\r\nA: b\r\nC:d\r\n\r\n'
        head, *rest = parse(data)
        assert isinstance(head, RequestHead)
        self.assertEqual((head.content_length, head.has_body), (None, True))
        self.assertEqual(rest, [Data(b"hello0123456789"), EndOfMessage([(b"A", b"b"), (b"C", b"d")])])

    def test_however_many_chunks_have_come_whole_their_data_is_one_event(self) -> None:
        parser = RequestParser(Limits(body=40_000))
        parser.receive(CHUNKED + b"1\r\na\r\n" * 10_000 + b"0a\r\n0123456789\r\n" * 3000 + b"1\r\nb\r")
        self.assertIsInstance(parser.next_event(), RequestHead)
        self.assertEqual(parser.next_event(), Data(b"a" * 10_000 + b"0123456789" * 3000))
        self.assertRaises(ContentTooLarge, parser.next_event)

    def test_trailers_change_nothing_of_the_head(self) -> None:
        head, _ = parse(CHUNKED + b"0\r\nHost: evil.org\r\nContent-Length: 9\r\nConnection: close\r\n\r\n")
        assert isinstance(head, RequestHead)
        self.assertEqual((head.host, head.keep_alive), (b"example.org", True))
        self.assertEqual(parse(CHUNKED + b"0\r\nConnection: close\r\n\r\n" + GET)[-2], only_head(GET))

    def test_the_coding_has_no_case(self) -> None:
        data = b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: \tChUnKeD \r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        self.assertEqual(body_of(data), b"abc")

    def test_everything_is_the_same_wherever_it_is_cut(self) -> None:
        data = (
            b"\r\n" + GET + CHUNKED + b"3;a=b\r\nabc\r\n11\r\n0123456789abcdef\n\r\n0\r\nT: x\r\n\r\n"
            b"PUT /p?~etag=ab_c HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 2\r\n\r\nxy" + GET
        )
        whole = run([data])
        self.assertEqual(len(whole[0]), 10)
        for pieces in cuts(data):
            self.assertEqual(run(pieces), whole, pieces)


class CycleTests(SynchronousTestCase):
    def test_the_next_request_waits_for_its_turn(self) -> None:
        parser = RequestParser()
        parser.receive(GET + b"GET /b HTTP/1.1\r\n")
        self.assertIsInstance(parser.next_event(), RequestHead)
        self.assertIsInstance(parser.next_event(), EndOfMessage)
        self.assertIs(parser.next_event(), NEED_DATA)
        self.assertEqual(parser.trailing, b"GET /b HTTP/1.1\r\n")
        self.assertEqual(parser.buffered, 17)
        parser.start_next_cycle()
        self.assertIs(parser.next_event(), NEED_DATA)
        parser.receive(HOST + b"\r\n")
        head = parser.next_event()
        assert isinstance(head, RequestHead)
        self.assertEqual(head.path, b"/b")

    def test_an_error_in_the_next_request_waits_too(self) -> None:
        parser = RequestParser()
        parser.receive(GET + b"nonsense\r\n\r\n")
        parser.next_event()
        parser.next_event()
        self.assertIs(parser.next_event(), NEED_DATA)
        parser.start_next_cycle()
        self.assertRaises(BadRequest, parser.next_event)

    def test_a_refusal_is_raised_once_and_is_the_end(self) -> None:
        parser = RequestParser()
        parser.receive(b"nonsense\r\n\r\n" + GET)
        self.assertRaises(ProtocolError, parser.next_event)
        self.assertTrue(parser.closed)
        parser.receive(GET)
        self.assertIs(parser.next_event(), NEED_DATA)
        parser.start_next_cycle()
        self.assertIs(parser.next_event(), NEED_DATA)
        self.assertEqual(parser.trailing, b"")

    def test_nothing_is_read_after_a_request_that_closes(self) -> None:
        for data in (get(b"Connection: close"), b"GET / HTTP/1.0\r\n\r\n"):
            events, left = run([data + GET, GET])
            self.assertEqual((len(events), left), (2, b""))

    def test_the_next_cycle_does_not_begin_inside_a_message(self) -> None:
        parser = RequestParser()
        self.assertRaises(RuntimeError, parser.start_next_cycle)
        parser.receive(GET)
        parser.next_event()
        self.assertRaises(RuntimeError, parser.start_next_cycle)

    def test_idle_means_that_no_byte_of_a_request_is_here(self) -> None:
        parser = RequestParser()
        self.assertTrue(parser.idle)
        parser.receive(GET[:1])
        parser.next_event()
        self.assertFalse(parser.idle)
        parser.receive(GET[1:])
        parser.next_event()
        parser.next_event()
        self.assertFalse(parser.idle)
        parser.start_next_cycle()
        self.assertTrue(parser.idle)
        parser.receive(b"\r\n")
        parser.next_event()
        self.assertFalse(parser.idle)

    def test_an_incomplete_request_is_not_refused(self) -> None:
        for at in range(len(GET)):
            self.assertEqual(run([GET[:at]])[0], [])
            self.assertIsNone(status_of(GET[:at]))
