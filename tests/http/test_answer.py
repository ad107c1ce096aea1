"""Heads of answers, byte for byte."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http import answer
from edge.http.errors import REASONS, BadRequest, ProtocolError, RequestTimeout
from edge.http.ranges import Span

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
ETAG = b"abcdefghijklmnop"
MODIFIED = 784111777 - 3600
LINES_200 = b"Content-Type: text/html; charset=utf-8\r\nCache-Control: no-cache\r\n"
LINES_304 = b"Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n"
CORS = b"Access-Control-Allow-Origin: *\r\n"
COMMON = b'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nETag: "abcdefghijklmnop"\r\n'
EXPOSE = b"Access-Control-Expose-Headers: *\r\n"
LAST_MODIFIED = b"Last-Modified: Sun, 06 Nov 1994 07:49:37 GMT\r\n"


class RepresentationTests(SynchronousTestCase):
    def test_200(self) -> None:
        start = b"HTTP/1.1 200 OK\r\n" + COMMON + LAST_MODIFIED + b"Content-Length: 12\r\n" + LINES_200
        self.assertEqual(answer.head_200(DATE, ETAG, MODIFIED, 12, LINES_200), start + b"\r\n")
        self.assertEqual(
            answer.head_200(DATE, ETAG, MODIFIED, 12, LINES_200, CORS, True),
            start + CORS + EXPOSE + b"Connection: close\r\n\r\n",
        )

    def test_304(self) -> None:
        start = b"HTTP/1.1 304 \r\n" + COMMON + LINES_304
        self.assertEqual(answer.head_304(DATE, ETAG, LINES_304), start + b"\r\n")
        self.assertEqual(
            answer.head_304(DATE, ETAG, LINES_304, CORS, True), start + CORS + b"Connection: close\r\n\r\n"
        )

    def test_the_largest_304_has_200_bytes_at_most(self) -> None:
        lines = b"Cache-Control: " + b"x" * 29 + b"\r\nVary: Accept-Encoding\r\n"
        self.assertTrue(len(answer.head_304(DATE, ETAG, lines, b"", True)) <= 200)

    def test_206(self) -> None:
        self.assertEqual(
            answer.head_206(DATE, ETAG, MODIFIED, Span(5, 9), 12, LINES_200, CORS, True),
            b"HTTP/1.1 206 Partial Content\r\n"
            + COMMON
            + LAST_MODIFIED
            + b"Content-Range: bytes 5-9/12\r\nContent-Length: 5\r\n"
            + LINES_200
            + CORS
            + EXPOSE
            + b"Connection: close\r\n\r\n",
        )

    def test_bodies_without_validators(self) -> None:
        self.assertEqual(
            answer.head_plain(404, DATE, 3, LINES_200),
            b"HTTP/1.1 404 Not Found\r\nDate: " + DATE + b"\r\nContent-Length: 3\r\n" + LINES_200 + b"\r\n",
        )


class ErrorTests(SynchronousTestCase):
    def test_the_form_of_all_errors(self) -> None:
        body = b"400 Bad Request: The request has no Host.\n"
        head = (
            b"HTTP/1.1 400 Bad Request\r\nDate: " + DATE + b"\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
        )
        self.assertEqual(answer.refusal(BadRequest("The request has no Host."), DATE), (head, body))
        self.assertEqual(answer.error_answer(400, "The request has no Host.", DATE), head + body)

    def test_further_lines_come_before_connection(self) -> None:
        head, _ = answer.refusal(ProtocolError("x", ((b"Allow", b"GET"), (b"A", b"b"))), DATE)
        self.assertTrue(head.endswith(b"\r\nAllow: GET\r\nA: b\r\nConnection: close\r\n\r\n"))

    def test_a_connection_may_stay(self) -> None:
        head, _ = answer.error(404, "", DATE, close=False)
        self.assertNotIn(b"Connection", head)
        self.assertTrue(head.endswith(b"\r\n\r\n"))

    def test_every_error_is_well_framed_and_says_something(self) -> None:
        for status in REASONS:
            if status >= 400:
                head, _, body = answer.error_answer(status, date=DATE).partition(b"\r\n\r\n")
                self.assertIn(b"\r\nContent-Length: %d\r\n" % len(body), head)
                self.assertTrue(body.startswith(b"%d %b" % (status, REASONS[status].encode())))
                self.assertTrue(body.endswith(b"\n"))

    def test_a_status_without_name_is_well_framed_too(self) -> None:
        self.assertTrue(answer.error_answer(499).startswith(b"HTTP/1.1 499 \r\nDate: "))

    def test_408_can_be_made_ready_before_its_date_is_known(self) -> None:
        whole = answer.error_answer(408)
        before, _, after = whole.partition(b"\r\nDate: ")
        self.assertEqual(before, b"HTTP/1.1 408 Request Timeout")
        dated = before + b"\r\nDate: " + DATE + after[29:]
        self.assertEqual(dated, b"".join(answer.refusal(RequestTimeout(), DATE)))

    def test_416_tells_the_length(self) -> None:
        head, body = answer.head_416(12, DATE, CORS)
        self.assertTrue(head.startswith(b"HTTP/1.1 416 Range Not Satisfiable\r\n"))
        self.assertTrue(head.endswith(b"\r\nContent-Range: bytes */12\r\n" + CORS + b"\r\n"))
        self.assertTrue(body.startswith(b"416 Range Not Satisfiable: "))

    def test_405_tells_the_methods(self) -> None:
        head, _ = answer.not_allowed({b"HEAD", b"GET", b"OPTIONS"}, DATE)
        self.assertIn(b"\r\nAllow: GET, HEAD, OPTIONS\r\n", head)

    def test_options(self) -> None:
        self.assertEqual(
            answer.head_options([b"HEAD", b"GET"], DATE, b"", True),
            b"HTTP/1.1 204 No Content\r\nDate: "
            + DATE
            + b"\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n",
        )


class RedirectTests(SynchronousTestCase):
    def test_location_is_a_path_of_this_host(self) -> None:
        for path, query, location in (
            (b"/dir/", None, b"/dir/"),
            (b"/dir/", b"", b"/dir/?"),
            (b"/d%20r/", b"a=//evil.org", b"/d%20r/?a=//evil.org"),
        ):
            head, body = answer.redirect(path, query, DATE)
            self.assertTrue(head.startswith(b"HTTP/1.1 301 Moved Permanently\r\n"))
            self.assertIn(b"\r\nLocation: " + location + b"\r\n", head)
            self.assertIn(b"\r\nContent-Length: %d\r\n" % len(body), head)

    def test_nothing_else_becomes_a_location(self) -> None:
        for path in (
            *(
                b"//evil.org/",
                b"/\\evil.org/",
                b"\\\\evil.org",
                b"http://evil.org/",
                b"evil.org/",
                b"",
                b"/a\r\nX: y/",
            ),
            *(
                b"/%2fevil.org/",
                b"/%5cevil.org/",
                b"/../",
                b"/./evil.org/",
                b"/\t/evil.org/",
                b"/a b/",
                b"/\xff/",
                b"///",
            ),
        ):
            self.assertRaises(ValueError, answer.redirect, path, None, DATE)
        for query in (b"\r\nX: y", b"a b", b"\x00", b"\xff"):
            self.assertRaises(ValueError, answer.redirect, b"/a/", query, DATE)


class CorsTests(SynchronousTestCase):
    def test_only_an_allowed_origin_gets_the_line(self) -> None:
        allowed = (b"https://a.org", b"http://localhost:8001")
        for origin, line in (
            (None, b""),
            (b"https://a.org", CORS),
            (b"http://localhost:8001", CORS),
            (b"https://A.org", b""),
            (b"https://a.org:443", b""),
            (b"null", b""),
            (b"", b""),
        ):
            self.assertEqual(answer.cors_line(b"/a", origin, allowed), line, origin)

    def test_a_star_allows_every_origin(self) -> None:
        self.assertEqual(answer.cors_line(b"/a", b"null", (b"*",)), CORS)
        self.assertEqual(answer.cors_line(b"/a", None, (b"*",)), b"")

    def test_our_own_paths_bring_the_line_themselves(self) -> None:
        self.assertEqual(answer.cors_line(b"/.edge/load", b"https://a.org", (b"*",)), b"")
        self.assertEqual(answer.cors_line(b"/.edgeless", b"https://a.org", (b"*",)), CORS)
