"""Questions over the push socket, byte by byte, and what is none."""

from __future__ import annotations

from base64 import urlsafe_b64decode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.questions import answer

TAG, OTHER = b"AAAAAAAAAAAAAAAA", b"____------------"


class QuestionTests(SynchronousTestCase):
    """With a node that has /a, and has just come to the state k3Jx9aF."""

    def ask(self, question: bytes, state: bytes | None = b"k3Jx9aF") -> bytes:
        def since(asked: bytes) -> bytes | None:
            return None if asked == state else b"k3Jx9aF\n/a\n"

        def stale(copies: list[tuple[bytes, bytes]]) -> tuple[bytes | None, list[int]]:
            self.copies = copies
            return state, [n for n, (tag, path) in enumerate(copies) if (tag, path) != (TAG, b"/a")]

        def groups(asked: bytes) -> bytes | None:
            return None if asked == b"kJ3xa95" else b"kJ3xa95\n7m-zFnsC\n"

        return answer(question, since, stale, groups)

    def copy(self, tag: bytes, path: bytes) -> bytes:
        return urlsafe_b64decode(tag) + bytes((len(path),)) + path

    def test_the_example_is_as_it_is_drawn(self) -> None:
        question = bytes.fromhex("01006b334a78396146")
        self.assertEqual(self.ask(question), bytes.fromhex("8100"))

    def test_what_has_changed_is_told_as_by_http(self) -> None:
        self.assertEqual(self.ask(b"\x01\x07k3Jx95"), b"\x81\x07k3Jx9aF\n/a\n")

    def test_which_groups_have_changed_is_told_by_their_hashes(self) -> None:
        self.assertEqual(self.ask(b"\x03\x07kJ3xa95"), b"\x83\x07")
        self.assertEqual(self.ask(b"\x03\x08kJ3xa94"), b"\x83\x08kJ3xa95\n7m-zFnsC\n")

    def test_copies_are_named_by_tag_and_path(self) -> None:
        question = b"\x02\xff" + self.copy(TAG, b"/a") + self.copy(OTHER, b"/a") + self.copy(TAG, b"/" * 255)
        self.assertEqual(self.ask(question), b"\x82\xff\x00\x07k3Jx9aF\x00\x01\x00\x02")
        self.assertEqual(self.copies, [(TAG, b"/a"), (OTHER, b"/a"), (TAG, b"/" * 255)])
        self.assertEqual(self.ask(b"\x02\x00"), b"\x82\x00\x00\x07k3Jx9aF")

    def test_without_a_state_none_is_told(self) -> None:
        for state in (None, b"?"):
            self.assertEqual(self.ask(b"\x02\x00" + self.copy(TAG, b"/a"), state), b"\x82\x00\x00\x00")

    def test_what_is_none_is_refused_with_the_reason(self) -> None:
        whole = b"\x02\x00" + self.copy(TAG, b"/a")
        for question in (
            b"", b"\x01", b"\x00\x00", b"\x04\x00", b"\x81\x00", whole[:-1], whole[:10], whole + b"x",
            b"\x02\x00" + bytes(13), b"\x02\x00" + self.copy(TAG, b"a"),
        ):  # fmt: skip
            self.assertRaises(ValueError, self.ask, question)

    @given(st.binary(max_size=200))
    def test_random_bytes_are_answered_or_refused(self, question: bytes) -> None:
        try:
            told = self.ask(question)
        except ValueError as refusal:
            self.assertTrue(str(refusal))
        else:
            self.assertEqual(told[:2], bytes((question[0] + 128, question[1])))
