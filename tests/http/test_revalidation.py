"""The bodies of POST /.edge/revalidate."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.errors import BadRequest, ContentTooLarge, ProtocolError, UnsupportedMediaType
from edge.http.revalidation import MAX_BODY, MAX_LINES, check_content_type, parse_validators, render_stale


class ParseTests(SynchronousTestCase):
    def test_lines(self) -> None:
        for body, expected in (
            (b"", []),
            (b"a /b", [(b"a", b"/b")]),
            (b"a /b\n", [(b"a", b"/b")]),
            (b"a /b\r\n", [(b"a", b"/b")]),
            (b'"a" /b\r\nW/"c" /d\ne /', [(b"a", b"/b"), (b"c", b"/d"), (b"e", b"/")]),
            (b"a /b?c=d?e", [(b"a", b"/b?c=d?e")]),
            (b"a /?", [(b"a", b"/?")]),
            (b'"" /b', [(b"", b"/b")]),
            (b"abcdefghijklmnop /%C3%A9//..#", [(b"abcdefghijklmnop", b"/%C3%A9//..#")]),
        ):
            self.assertEqual(parse_validators(body), expected)

    def test_a_malformed_line_spoils_the_whole(self) -> None:
        for line in (
            *(
                b"\n",
                b"\r\n",
                b"a",
                b"a ",
                b" /b",
                b"a  /b",
                b"a\t/b",
                b"a b",
                b"a b/",
                b"a /b c",
                b" a /b",
                b"a /b ",
            ),
            *(
                b'"a /b',
                b'a" /b',
                b'"a"/b',
                b"W/a /b",
                b'w/"a" /b',
                b"a /b\r",
                b"a /b\x00",
                b"a /\xff",
                b"\xe9 /b",
            ),
            *(b"a /b\r\r\n", b"a http://c/b", b'"a b" /b', b"a /b\n\n", b"a /b?\x7f", b"a\r /b"),
        ):
            self.assertRaises(BadRequest, parse_validators, line)
            self.assertRaises(BadRequest, parse_validators, b"a /b\n" + line)

    def test_the_error_names_the_line(self) -> None:
        problem = self.assertRaises(BadRequest, parse_validators, b"a /b\nnonsense\n")
        self.assertIn("Line 1 ", problem.explanation)

    def test_limits(self) -> None:
        self.assertEqual(len(parse_validators(b"a /b\n" * 1000)), 1000)
        self.assertRaises(ContentTooLarge, parse_validators, b"a /b\n" * 1001)
        self.assertRaises(ContentTooLarge, parse_validators, b"a /b\n" * 1000 + b"a /b")
        longest = b"a /" + b"b" * (MAX_BODY - 3)
        self.assertEqual(parse_validators(longest), [(b"a", longest[2:])])
        self.assertRaises(ContentTooLarge, parse_validators, longest + b"b")

    @given(
        st.lists(st.sampled_from([b"a", b" ", b"/", b"\r", b"\n", b'"', b"W/", b"?", b"\xff", b" /"])).map(
            b"".join
        )
    )
    def test_any_body_is_read_or_refused(self, body: bytes) -> None:
        try:
            validators = parse_validators(body)
        except ProtocolError:
            return
        self.assertEqual(len(validators), len(body.splitlines()))

    def test_content_type(self) -> None:
        for value in (None, b"text/plain", b"Text/Plain", b"text/plain;charset=utf-8", b"text/plain ; a=b"):
            check_content_type(value)
        for value in (
            b"",
            b"text/html",
            b"application/json",
            b"text/plain2",
            b"text",
            b";text/plain",
            b"text/plain, x",
        ):
            self.assertRaises(UnsupportedMediaType, check_content_type, value)


class AgreementTests(SynchronousTestCase):
    """Nodes and clients agree on how long a batch may be."""

    def test_c_and_javascript_have_the_same_most_lines(self) -> None:
        """A client that sent more would get 413; a fast path that took fewer would let batches go."""
        root = Path(__file__).parents[2]
        for file, line in (
            ("edge/fastpath/src/edge_answer.h", r"#define EDGE_VALIDATORS (\d+)"),
            ("webroot/edge/worker/revalidator.js", r"const MAX_VALIDATORS = (\d+);"),
        ):
            found = re.search(line, (root / file).read_text())
            assert found is not None, file
            self.assertEqual(int(found[1]), MAX_LINES, file)


class RenderTests(SynchronousTestCase):
    def test_the_answer_has_no_spaces(self) -> None:
        self.assertEqual(render_stale(1234, [0, 17, 999]), b'{"v":1,"seq":1234,"stale":[0,17,999]}')
        self.assertEqual(render_stale(0, []), b'{"v":1,"seq":0,"stale":[]}')

    @given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 999)))
    def test_it_is_json(self, sequence: int, indexes: list[int]) -> None:
        self.assertEqual(
            json.loads(render_stale(sequence, indexes)), {"v": 1, "seq": sequence, "stale": indexes}
        )
