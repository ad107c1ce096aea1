"""The reader of answers: any split of the stream gives the same statuses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.answers import AnswerError, AnswerReader

ANSWERS = {
    200: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    304: b'HTTP/1.1 304 \r\nETag: "x"\r\n\r\n',
    404: b"HTTP/1.1 404 Not Found\r\ncontent-length:\t0 \r\n\r\n",
    204: b"HTTP/1.1 204 No Content\r\n\r\n",
}


class AnswerReaderTests(SynchronousTestCase):
    """Where one answer ends and the next begins."""

    @given(st.lists(st.sampled_from(sorted(ANSWERS)), max_size=6), st.data())
    def test_any_split_gives_the_same_statuses(self, statuses: list[int], data: st.DataObject) -> None:
        """The stream may be cut anywhere."""
        stream = b"".join(ANSWERS[status] for status in statuses)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
        reader = AnswerReader()
        seen: list[int] = []
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            seen += reader.receive(stream[begin:end])
        self.assertEqual(seen, statuses)
        self.assertFalse(reader.closing)

    def test_a_closing_answer_is_noticed(self) -> None:
        """Connection: close means that the server closes next."""
        reader = AnswerReader()
        self.assertEqual(reader.receive(b"HTTP/1.1 304 \r\nConnection: close\r\n\r\n"), [304])
        self.assertTrue(reader.closing)

    def test_what_cannot_be_framed_is_an_error(self) -> None:
        """Garbage, endless heads and unframed bodies do not hang the reader."""
        for garbage in (b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 70_000):
            with self.assertRaises(AnswerError):
                AnswerReader().receive(garbage)
