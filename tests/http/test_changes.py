"""The text of states of the site, and the answers to what has changed since one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.digits import DIGITS
from edge.http.changes import answer, asked_since, is_greater, number, parse, render, since, tag_of

HISTORY = b"aaaaaa5.bbbbbb1\naaaaaa1.bbbbbb\naaaaaa5 /x\nbbbbbb1 /y\naaaaaa3 /z\n"
_digits = st.sampled_from([one.encode() for one in DIGITS])
_ids = st.lists(_digits, min_size=6, max_size=6).map(b"".join)
_numbers = st.integers(0, (1 << 63) - 1)


class TextTests(SynchronousTestCase):
    """Numbers and vectors."""

    @given(_numbers, _numbers)
    def test_numbers_as_text_are_ordered_as_they_are(self, one: int, other: int) -> None:
        self.assertEqual(is_greater(number(one), number(other)), one > other)

    def test_numbers_are_short(self) -> None:
        self.assertEqual([number(value) for value in (0, 1, 63, 64, 4096)], [b"", b"0", b"z", b"0-", b"0--"])
        self.assertEqual(len(number((1 << 63) - 1)), 11)

    @given(st.dictionaries(_ids, _numbers.map(number), min_size=1, max_size=64))
    def test_what_is_rendered_is_parsed(self, vector: dict[bytes, bytes]) -> None:
        self.assertEqual(parse(render(vector)), vector)

    def test_anything_else_is_no_state(self) -> None:
        for text in (
            b"", b".", b"?", b"aaaaa", b"aaaaaa1.", b".aaaaaa1", b"aaaaaa-1", b"aaaaaa" + b"1" * 12,
            b"bbbbbb1.aaaaaa1", b"aaaaaa1.aaaaaa1", b"aaaaaa 1", b"aaaaaa+", b"aaaaa\xe9", b"aaaaaa1\n",
            b".".join(b"%06d" % n for n in range(65)),
        ):  # fmt: skip
            self.assertIsNone(parse(text), text)

    def test_the_tag_is_that_of_the_state_alone(self) -> None:
        self.assertEqual(tag_of(b"aaaaaa1"), tag_of(b"aaaaaa1"))
        self.assertNotEqual(tag_of(b"aaaaaa1"), tag_of(b"aaaaaa2"))
        self.assertRegex(tag_of(b"?").decode(), r"^[\w-]{16}\Z")


class SinceTests(SynchronousTestCase):
    """By a history of two publishers."""

    def test_nothing_has_changed(self) -> None:
        self.assertIsNone(since(HISTORY, b"aaaaaa5.bbbbbb1"))

    def test_the_paths_that_have_changed_are_told(self) -> None:
        for then, paths in {
            b"aaaaaa4.bbbbbb1": b"/x\n",
            b"aaaaaa5.bbbbbb": b"/y\n",
            b"aaaaaa5": b"/y\n",
            b"aaaaaa1": b"/x\n/y\n/z\n",
        }.items():
            self.assertEqual(since(HISTORY, then), b"aaaaaa5.bbbbbb1\n" + paths, then)

    def test_of_what_it_does_not_know_it_says_nothing(self) -> None:
        for then in (
            b"aaaaaa6.bbbbbb1",  # ahead of this node
            b"aaaaaa5.bbbbbb1.cccccc1",  # another publisher
            b"aaaaaa0.bbbbbb1",  # older than what is remembered
            b"bbbbbb1",
            b"",
            b"?",
            b"aaaaaa5.bbbbbb1.",
            b"aaaaaa5 bbbbbb1",
            b"aaaaaazzzzzzzzzzz",
        ):
            self.assertEqual(since(HISTORY, then), b"?\n", then)

    def test_a_damaged_history_says_nothing(self) -> None:
        for history in (b"", b"\n\n", b"?\n", b"aaaaaa5", b"aaaaaa5\n", b"x\naaaaaa1\n", b"aaaaaa5\nx\n"):
            self.assertEqual(since(history, b"aaaaaa4"), b"?\n", history)

    def test_what_a_request_gets(self) -> None:
        state = b"aaaaaa5.bbbbbb1"
        self.assertEqual(answer(HISTORY, True, True, b"since=x"), (None, True))
        self.assertEqual(answer(HISTORY, True, False, None), (state + b"\n", True))
        self.assertEqual(answer(HISTORY, True, False, b"since=" + state), (None, False))
        self.assertEqual(answer(HISTORY, False, False, b"since=" + state), (b"?\n", False))
        self.assertEqual(answer(HISTORY, False, False, None), (b"?\n", False))

    def test_the_query_names_a_state(self) -> None:
        for query, asked in {
            b"since=a.b": b"a.b", b"since=": b"", b"since=a&~etag=b": b"a", b"x&since=a": None,
            b"": None, b"Since=a": None, b"sinc": None,
        }.items():  # fmt: skip
            self.assertEqual(asked_since(query), asked, query)
