"""The reader of answers: any split of the stream gives the same result."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.wire.answers import HEAD_BYTES, AnswerError, AnswerReader
from loadgen.wire.interface import GARBAGE, TOO_LARGE

LIMIT = 1000

#: Bytes: status, body, closing, etag, max_age.
ANSWERS: dict[bytes, tuple[int, bytes, bool, bytes, int]] = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello": (200, b"hello", False, b"", -1),
    b'HTTP/1.1 304 \r\nETag: "x"\r\nCache-Control: max-age=60, public\r\n\r\n': (304, b"", False, b"x", 60),
    b"HTTP/1.1 404 Not Found\r\ncontent-length:\t0 \r\n\r\n": (404, b"", False, b"", -1),
    b"HTTP/1.1 204 No Content\r\nConnection: x, Close\r\n\r\n": (204, b"", True, b"", -1),
    b"HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\nHTTP/1.1 304 \r\nETag: W/\"w\"\r\n\r\n": (
        304, b"", False, b"w", -1,
    ),
    b"HTTP/1.1 200 \r\nTransfer-Encoding: Chunked\r\n\r\n4;a=b\r\nwiki\r\n003\r\n012\r\n0\r\nT: x\r\n\r\n": (
        200, b"wiki012", False, b"", -1,
    ),
    b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx": (200, b"x", True, b"", -1),
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx": (200, b"x", False, b"", -1),
    b"HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nCache-Control: no-cache\r\nContent-Length: 0\r\n\r\n": (
        200, b"", False, b"", -1,
    ),
    b'HTTP/1.1 304 \r\nCache-Control: max-age="99999999999999999999"\r\nETag: nothing\r\n\r\n': (
        304, b"", False, b"", (1 << 31) - 1,
    ),
}  # fmt: skip

GARBAGES = (
    b"SSH-2.0-x\r\n",
    b"HTTP/2.0 200 OK\r\n",
    b"HTTP/1.1 200\r\n",
    b"HTTP/1.1 2000 OK\r\n",
    b"HTTP/1.1 099 X\r\n",
    b"HTTP/1.1 200 OK\n",
    b"HTTP/1.1 200 OK\r\n\n",
    b"HTTP/1.1 200 OK\r\nA : b\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\x00\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
)

TOO_LARGES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001,
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (HEAD_BYTES // 6),
    b"HTTP/1.1 200 " + b"x" * HEAD_BYTES,
)


def read(reader: AnswerReader, stream: bytes, cuts: list[int]) -> int:
    """Feed *stream* in pieces; how many of its bytes are the answer's."""
    taken = 0
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        taken += reader.receive(stream[begin:end])
    return taken


class AnswerReaderTests(SynchronousTestCase):
    """What an answer is, and where it ends."""

    def check(self, stream: bytes, cuts: list[int]) -> None:
        """*stream*, with the beginning of another answer behind it, is read as the table says."""
        reader = AnswerReader(LIMIT)
        taken = read(reader, stream + b"HTTP", cuts)
        self.assertEqual(taken, len(stream))
        self.assertTrue(reader.done)
        found = (reader.status, bytes(reader.body), reader.closing, reader.etag, reader.max_age)
        self.assertEqual(found, ANSWERS[stream])

    def test_every_split_gives_the_same_answer(self) -> None:
        """In two, at every byte."""
        for stream in ANSWERS:
            for cut in range(len(stream) + 1):
                self.check(stream, [cut])

    @given(st.sampled_from(sorted(ANSWERS)), st.data())
    def test_many_pieces_give_the_same_answer(self, stream: bytes, data: st.DataObject) -> None:
        """Cut anywhere, often."""
        self.check(stream, sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20))))

    def test_a_body_without_length_ends_with_the_connection(self) -> None:
        """And the connection is of no use afterwards."""
        reader = AnswerReader(LIMIT)
        self.assertEqual(reader.receive(b"HTTP/1.1 200 OK\r\n\r\nab"), 21)
        self.assertFalse(reader.done)
        self.assertTrue(reader.ended())
        self.assertEqual((bytes(reader.body), reader.closing), (b"ab", True))

    def test_an_end_in_the_middle_completes_nothing(self) -> None:
        """Of a head, of a counted body."""
        for stream in (b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx"):
            reader = AnswerReader(LIMIT)
            reader.receive(stream)
            self.assertFalse(reader.ended())

    def test_the_answer_to_head_has_no_body(self) -> None:
        """Whatever its fields say."""
        for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"A: b"):
            reader = AnswerReader(LIMIT, head_only=True)
            reader.receive(b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n")
            self.assertTrue(reader.done)

    def test_what_is_no_answer_is_garbage_however_it_is_cut(self) -> None:
        """At the latest at the end of the line that is wrong."""
        for stream in GARBAGES:
            for cut in range(len(stream)):
                with self.assertRaises(AnswerError) as caught:
                    read(AnswerReader(LIMIT), stream, [cut])
                self.assertEqual(caught.exception.error, GARBAGE, stream)

    def test_too_large_heads_and_bodies_are_told(self) -> None:
        """As soon as that is known, and without keeping them."""
        for stream in TOO_LARGES:
            for cut in (0, 15, len(stream) // 2, len(stream) - 1):
                with self.assertRaises(AnswerError) as caught:
                    read(AnswerReader(LIMIT), stream, [cut])
                self.assertEqual(caught.exception.error, TOO_LARGE, stream[:60])

    def test_long_tags_are_cut(self) -> None:
        """63 bytes are kept."""
        reader = AnswerReader(LIMIT)
        reader.receive(b'HTTP/1.1 304 \r\nETag: "' + b"e" * 100 + b'"\r\n\r\n')
        self.assertEqual(reader.etag, b"e" * 63)
