"""Canonical paths, names of files as paths, the validator in the query, the forms of a target."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.errors import BadRequest
from edge.http.target import canonical_path, parse_target, path_of_name, split_target


class CanonicalPathTests(SynchronousTestCase):
    def test_what_needs_no_encoding_stays(self) -> None:
        for path in (
            b"/",
            b"/a",
            b"/a/b.c",
            b"/a/",
            b"/-._~!$&'()*+,;=:@",
            b"/.well-known/x",
            b"/...",
            b"/a./.b/..c",
        ):
            self.assertEqual(canonical_path(path), path)

    def test_each_octet_is_decoded_once_and_written_again(self) -> None:
        for raw, canonical in (
            (b"/%61%62", b"/ab"),
            (b"/%7e%7E", b"/~~"),
            (b"/%2b%2B+", b"/+++"),
            (b"/%20", b"/%20"),
            (b"/%e4%B8%ad", b"/%E4%B8%AD"),
            (b"/[a]", b"/%5Ba%5D"),
            (b"/%3f%23", b"/%3F%23"),
            (b"/%25%32%35", b"/%2525"),
            (b"/%252e%252e/a", b"/%252e%252e/a"),
            (b"/%ff%0a%7f", b"/%FF%0A%7F"),
            (b"/a%3ab%40", b"/a:b@"),
        ):
            self.assertEqual(canonical_path(raw), canonical, raw)

    def test_a_percent_sign_without_digits_stands_for_itself(self) -> None:
        """And makes no triplet with what another one is decoded to."""
        for raw, canonical in (
            (b"/%", b"/%25"),
            (b"/100%", b"/100%25"),
            (b"/%4", b"/%254"),
            (b"/%zz", b"/%25zz"),
            (b"/%%41", b"/%25A"),
            (b"/%%32e", b"/%252e"),
            (b"/%2%65", b"/%252e"),
            (b"/%u0041", b"/%25u0041"),
            (b"/a%2/..%", b"/a%252/..%25"),
        ):
            self.assertEqual(canonical_path(raw), canonical, raw)

    def test_what_could_be_taken_for_another_path_has_no_canonical_form(self) -> None:
        for raw in (
            *(
                b"//",
                b"//a",
                b"/a//b",
                b"/a//",
                b"//evil.org",
                b"/.",
                b"/..",
                b"/../a",
                b"/a/..",
                b"/a/./b",
                b"/a/.",
            ),
            *(
                b"/%2e",
                b"/%2e%2E/a",
                b"/.%2e",
                b"/a/%2e./b",
                b"/a%2fb",
                b"/a%2Fb",
                b"/%2f",
                b"/a%5cb",
                b"/%5C",
                b"/\\",
            ),
            *(b"/%00", b"/a%00.html", b"/..%2fa", b"/..%5ca", b"/%2e%2e%2fetc%2fpasswd", b"/a/%2f"),
        ):
            self.assertIsNone(canonical_path(raw), raw)

    def test_what_no_request_could_have_has_none_either(self) -> None:
        for raw in (
            b"",
            b"a",
            b"*",
            b"/a b",
            b"/a?b",
            b"/a#b",
            b"/\x00",
            b"/\xff",
            b"/\r\n",
            b'/"',
        ):
            self.assertIsNone(canonical_path(raw), raw)

    @settings(max_examples=300)
    @given(
        st.lists(st.sampled_from([*b"/.%2efF5cC0a~+ []\\?"]), max_size=14).map(
            lambda octets: b"/" + bytes(octets)
        )
    )
    def test_canonical_is_canonical(self, raw: bytes) -> None:
        path = canonical_path(raw)
        if path is not None:
            self.assertEqual(canonical_path(path), path)
            self.assertNotIn(b"//", path)
            self.assertTrue({b".", b".."}.isdisjoint(path.split(b"/")))

    def test_each_octet_has_one_spelling(self) -> None:
        for octet in range(256):
            canonical = canonical_path(b"/x%%%02x" % octet)
            if octet in b"/\\\0":
                self.assertIsNone(canonical)
                continue
            self.assertEqual(canonical, canonical_path(b"/x%%%02X" % octet))
            self.assertEqual(canonical, path_of_name([b"x%c" % octet]))


class PathOfNameTests(SynchronousTestCase):
    def test_names_become_paths(self) -> None:
        for parts, path in (
            ([], b"/"),
            ([""], b"/"),
            (["a"], b"/a"),
            (["a", ""], b"/a/"),
            (["a b", "c%d.html"], b"/a%20b/c%25d.html"),
            (["é"], b"/%C3%A9"),
            ([os.fsdecode(b"\xff")], b"/%FF"),
            ([b"\xff\n"], b"/%FF%0A"),
            (["..."], b"/..."),
            (["a?b#c"], b"/a%3Fb%23c"),
        ):
            self.assertEqual(path_of_name(parts), path)

    def test_names_that_no_path_can_hold(self) -> None:
        for parts in (
            ["."],
            [".."],
            ["a", "..", "b"],
            ["", "a"],
            ["a", "", "b"],
            ["a/b"],
            ["a\\b"],
            ["\0"],
            ["", ""],
        ):
            self.assertRaises(ValueError, path_of_name, parts)

    @settings(max_examples=200)
    @given(st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=3))
    def test_what_comes_out_is_canonical(self, parts: list[bytes]) -> None:
        try:
            path = path_of_name(parts)
        except ValueError:
            return
        self.assertEqual(canonical_path(path), path)


class SplitTargetTests(SynchronousTestCase):
    def test_path_query_and_validator(self) -> None:
        longest = b"a" * 64
        for raw, expected in (
            (b"/a", (b"/a", None, None)),
            (b"/a?", (b"/a", b"", None)),
            (b"/a?b?c", (b"/a", b"b?c", None)),
            (b"/a?~etag=abc", (b"/a", b"~etag=abc", b"abc")),
            (b"/a?b=c&~etag=a-_9", (b"/a", b"b=c&~etag=a-_9", b"a-_9")),
            (b"/a?~etag=a&~etag=b", (b"/a", b"~etag=a&~etag=b", b"b")),
            (b"/a?~etag=" + longest, (b"/a", b"~etag=" + longest, longest)),
        ):
            self.assertEqual(split_target(raw), expected)

    def test_an_ill_formed_validator_is_query_text(self) -> None:
        for query in (
            *(
                b"~etag=",
                b"~etag=a&",
                b"~etag=a&b",
                b"x~etag=a",
                b"~etag",
                b"~ETAG=a",
                b"~etag=a=",
                b"~etag=a.b",
            ),
            *(b"~etag=%61", b"~etag=" + b"a" * 65, b"a?~etag=b", b";~etag=a", b"%7eetag=a", b'~etag="a"'),
        ):
            self.assertEqual(split_target(b"/p?" + query), (b"/p", query, None))


class ParseTargetTests(SynchronousTestCase):
    def test_forms(self) -> None:
        for method, raw, expected in (
            (b"GET", b"/", (b"/", None, None, None)),
            (b"GET", b"//a", (b"//a", None, None, None)),
            (b"OPTIONS", b"*", (b"*", None, None, None)),
            (b"GET", b"http://a", (b"/", None, None, b"a")),
            (b"GET", b"https://a:1?b", (b"/", b"b", None, b"a:1")),
            (b"GET", b"HTTP://a//b", (b"//b", None, None, b"a")),
            (b"OPTIONS", b"http://a", (b"*", None, None, b"a")),
            (b"OPTIONS", b"http://a/", (b"/", None, None, b"a")),
            (b"GET", b"/?%", (b"/", b"%", None, None)),
            (b"GET", b"/%x", (b"/%x", None, None, None)),
            (b"GET", b"http://a/?~etag=x", (b"/", b"~etag=x", b"x", b"a")),
        ):
            self.assertEqual(tuple(parse_target(method, raw)), expected)

    def test_forms_that_are_refused(self) -> None:
        for method, raw in (
            (b"GET", b"*"),
            (b"CONNECT", b"a:1"),
            (b"GET", b"/#"),
            (b"GET", b"a"),
        ):
            self.assertRaises(BadRequest, parse_target, method, raw)

    def test_what_browsers_send_as_it_is_is_taken(self) -> None:
        """All visible ASCII outside of the percent-encode sets, now and in older browsers (URL Standard)."""
        visible = bytes(range(0x21, 0x7F))
        query = bytes(octet for octet in visible if octet not in b'"#<>')
        for octet in query:
            self.assertEqual(parse_target(b"GET", b"/a?%c" % octet).query, b"%c" % octet)
        for octet in query.translate(None, b"?\\"):
            self.assertEqual(parse_target(b"GET", b"/%c" % octet).path, b"/%c" % octet)
        for target in (b'/a?"', b"/a?<", b"/a?>", b'/"', b"/<", b"/>", b"/a\\b"):
            self.assertRaises(BadRequest, parse_target, b"GET", target)
