"""Fields of queries and forms, as clients send them and as nobody should."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote_from_bytes, unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.test.requesthelper import DummyChannel

from edge.http.errors import BadRequest, ContentTooLarge, ProtocolError
from edge.http.forms import (
    FIELDS,
    URLENCODED_BYTES,
    is_form,
    parse_cookies,
    parse_form,
    parse_query,
    parse_segments,
)

URLENCODED = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=x"


def part(name: bytes, value: bytes) -> bytes:
    """One field of a multipart form whose boundary is x."""
    return b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name, value)


def work(do: Callable[[], Any]) -> int:
    """Calls of functions, C's among them, that *do* makes: a measure of work that no clock disturbs."""
    calls = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        do()
    except ProtocolError:
        pass
    finally:
        sys.setprofile(before)
    return calls


class QueryTests(SynchronousTestCase):
    """application/x-www-form-urlencoded."""

    def test_fields(self) -> None:
        for query, expected in (
            (b"", {}),
            (b"a", {}),
            (b"a=", {b"a": [b""]}),
            (b"a=1&b=2;a=3&&", {b"a": [b"1", b"3"], b"b": [b"2"]}),
            (b"a+b=%41%2b+%zz%&%3d==", {b"a b": [b"A+ %zz%"], b"=": [b"="]}),
            (b"a=\\x41\\%41\\", {b"a": [b"\\x41\\A\\"]}),
            (b"\xc3=%c3%A9\xff", {b"\xc3": [b"\xc3\xa9\xff"]}),
        ):
            self.assertEqual(parse_query(query), expected)

    @given(st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=20)), max_size=9))
    def test_what_a_browser_encodes_comes_out_again(self, pairs: list[tuple[bytes, bytes]]) -> None:
        query = b"&".join(
            b"%b=%b" % (quote_from_bytes(n).encode(), quote_from_bytes(v).encode()) for n, v in pairs
        )
        expected: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            expected.setdefault(name, []).append(value)
        self.assertEqual(parse_query(query), expected)

    @given(st.binary(max_size=60).map(lambda b: b.translate(bytes.maketrans(b"&;=+", b"%%%%"))))
    def test_any_octets_are_decoded_as_the_standard_library_does(self, value: bytes) -> None:
        self.assertEqual(parse_query(b"a=" + value), {b"a": [unquote_to_bytes(value)]})

    def test_too_many_or_too_much_is_refused(self) -> None:
        most = b"&".join([b"a=b"] * FIELDS)
        self.assertEqual(len(parse_query(most)[b"a"]), FIELDS)
        self.assertEqual(len(parse_qsl(most.decode())), FIELDS)
        self.assertRaises(BadRequest, parse_query, most + b"&")
        self.assertRaises(BadRequest, parse_query, b";" * FIELDS)
        self.assertEqual(len(parse_form(URLENCODED, b"a=".ljust(URLENCODED_BYTES, b"b"))), 1)
        self.assertRaises(ContentTooLarge, parse_form, URLENCODED, b"a" * (URLENCODED_BYTES + 1))


class MultipartTests(SynchronousTestCase):
    """multipart/form-data."""

    def test_fields_and_files(self) -> None:
        body = (
            b"preamble\r\n" + part(b"a", b"1") + b"--x \t\r\nContent-Type: text/plain\r\n"
            b'CONTENT-DISPOSITION:  form-data; filename="a;b\\".txt"; name=file\r\n\r\n\r\n--\r\n--y\r\n'
            + part(b'q\\"\xff', b"\x00\r\n") + part(b"a", b"")
            + b"--x\r\nX: y\r\n\r\nnameless\r\n--x--\r\nepilogue --x"
        )  # fmt: skip
        expected = {b"a": [b"1", b""], b"file": [b"\r\n--\r\n--y"], b'q"\xff': [b"\x00\r\n"]}
        self.assertEqual(parse_form(MULTIPART, body), expected)
        self.assertEqual(parse_form(b'Multipart/Form-Data ; charset=x;Boundary="x"', body), expected)
        self.assertEqual(parse_form(MULTIPART, b"--x--"), {})

    @given(st.lists(st.tuples(st.sampled_from([b"a", b"b c"]), st.binary(max_size=30)), max_size=5))
    def test_contents_are_the_bytes_that_were_sent(self, pairs: list[tuple[bytes, bytes]]) -> None:
        expected: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            expected.setdefault(name, []).append(value)
        boundary = b"----formboundary7MA4YWxkTrZu0gW"  # longer than any of the contents
        body = b"".join(part(*pair).replace(b"--x\r\n", b"--%b\r\n" % boundary, 1) for pair in pairs)
        form = parse_form(b"multipart/form-data; boundary=" + boundary, body + b"--%b--\r\n" % boundary)
        self.assertEqual(form, expected)

    def test_what_is_malformed_is_refused(self) -> None:
        whole = part(b"a", b"1") + b"--x--"
        for content_type in (
            b"multipart/form-data",
            b"multipart/form-data; boundary=",
            b'multipart/form-data; boundary="x',
            b"multipart/form-data; boundary=" + b"x" * 71,
            b'multipart/form-data; boundary="x "',
            b"multipart/form-data" + b";" * 17 + b"boundary=x",
            b'multipart/form-data; a="; boundary=x"',
        ):
            self.assertRaises(BadRequest, parse_form, content_type, whole)
        for body in (
            b"",
            b"x",
            whole[:-2],
            b"--x\r\nContent-Disposition: form-data; name=a\r\n--x--",
            b"--xy" + whole[3:],
            b"--x\r\nA: " + b"a" * 5000 + b"\r\n\r\n\r\n--x--",
        ):
            self.assertRaises(BadRequest, parse_form, MULTIPART, body)
        self.assertEqual(len(parse_form(MULTIPART, part(b"a", b"") * FIELDS + b"--x--")[b"a"]), FIELDS)
        self.assertRaises(BadRequest, parse_form, MULTIPART, part(b"a", b"") * (FIELDS + 1) + b"--x--")

    def test_other_types_are_no_forms(self) -> None:
        for content_type in (
            b"",
            b"text/plain",
            b"multipart/mixed; boundary=x",
            b";",
            b"a=multipart/form-data",
        ):
            self.assertFalse(is_form(content_type))
            self.assertEqual(parse_form(content_type, b"a=b"), {})
        self.assertTrue(is_form(b" Application/X-WWW-Form-Urlencoded;charset=utf-8"))


class WorkTests(SynchronousTestCase):
    """What a hostile form costs."""

    def test_no_form_costs_more_than_its_fields_however_many_bytes_it_has(self) -> None:
        def hostile(size: int) -> list[tuple[bytes, bytes]]:
            head = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n\r\n--x--'
            return [
                (URLENCODED, b"a=" + b"%41" * (size // 3)),
                (URLENCODED, b"a=" + b"%" * size),
                (URLENCODED, b"&" * size),
                (URLENCODED, b"a=1;" * (size // 4)),
                (MULTIPART, head % (b";" * size)),
                (MULTIPART, head % (b'";a="' * (size // 5))),
                (MULTIPART, head % (b"\\" * size)),
                (MULTIPART, b"--x\r\n" + b"A: b\r\n" * (size // 6)),
                (MULTIPART, part(b"a", b"\r\n--" * (size // 4)) + b"--x--"),
                (MULTIPART, part(b"a", b"") * (size // 50)),
                (MULTIPART + b";a=" * (size // 64), b"--x--"),
                (b"multipart/form-data" + b";" * (size // 64) + b"boundary=x", b"--x--"),
                (b'multipart/form-data; a="' + b'\\";' * (size // 192), b"--x--"),
            ]

        for (content_type, small), (longer_type, large) in zip(
            hostile(1 << 16), hostile(1 << 19), strict=True
        ):
            calls = work(lambda t=content_type, b=small: parse_form(t, b))  # type: ignore[misc]
            more = work(lambda t=longer_type, b=large: parse_form(t, b))  # type: ignore[misc]
            self.assertLess(calls, 20 * FIELDS, (content_type[:60], small[:60]))
            self.assertLess(more, 20 * FIELDS, (content_type[:60], large[:60]))


class CookieTests(SynchronousTestCase):
    """:func:`edge.http.forms.parse_cookies`."""

    @given(st.lists(st.text(alphabet='a=b; "\t%é').map(lambda text: text.encode("latin-1")), max_size=3))
    def test_it_reads_what_twisted_reads(self, lines: list[bytes]) -> None:
        request = Request(DummyChannel(), False)
        request.requestHeaders.setRawHeaders(b"Cookie", lines)
        request.parseCookies()
        self.assertEqual(parse_cookies(lines), request.received_cookies)


class SegmentTests(SynchronousTestCase):
    """:func:`edge.http.forms.parse_segments`."""

    @given(st.text(alphabet="/a\\éx", max_size=20), st.booleans())
    def test_it_reads_what_twisted_reads(self, text: str, encoded: bool) -> None:
        path = b"/" + quote_from_bytes(text.encode("latin-1"), "" if encoded else "/\\").encode()
        self.assertEqual(parse_segments(path), list(map(unquote_to_bytes, path[1:].split(b"/"))))

    @given(st.lists(st.sampled_from([*b"%%%2fF4/a\\"]), max_size=12).map(bytes))
    def test_a_percent_sign_without_digits_stands_for_itself(self, path: bytes) -> None:
        self.assertEqual(parse_segments(b"/" + path), list(map(unquote_to_bytes, path.split(b"/"))))
