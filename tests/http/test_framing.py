"""How long a body is; what is refused stands in refused_bodies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http.errors import BadRequest, ContentTooLarge
from edge.http.fields import Fields, combine
from edge.http.framing import CHUNKED, body_length, chunk_size


def length(*fields: tuple[bytes, bytes]) -> int:
    listed: Fields = list(fields)
    return body_length(listed, combine(listed), False, 100)


class LengthTests(SynchronousTestCase):
    def test_lengths(self) -> None:
        self.assertEqual(length(), 0)
        self.assertEqual(length((b"Content-Length", b"0")), 0)
        self.assertEqual(length((b"Content-Length", b"0000000000000000100")), 100)
        self.assertEqual(length((b"Content-Length", b"7"), (b"content-length", b"7")), 7)
        self.assertEqual(length((b"Transfer-Encoding", b"Chunked")), CHUNKED)

    def test_the_limit_is_inclusive(self) -> None:
        self.assertEqual(length((b"Content-Length", b"100")), 100)
        self.assertRaises(ContentTooLarge, length, (b"Content-Length", b"101"))


class ChunkTests(SynchronousTestCase):
    def test_sizes_and_extensions(self) -> None:
        for line, expected in (
            (b"0", (0, 0)),
            (b"fF", (255, 0)),
            (b"0000000000000010", (16, 0)),
            (b"1;a", (1, 2)),
            (b"1 ; a = b ;c", (1, 11)),
            (b'1;a="b;\\" c\xe9"', (1, 12)),
        ):
            self.assertEqual(chunk_size(line), expected, line)

    def test_what_is_none(self) -> None:
        for line in (b"", b"g", b"1;", b"1;a=", b'1;a="', b"1 ", b"1" * 17, b"1;a\n"):
            self.assertRaises(BadRequest, chunk_size, line)
