"""Chunks that are read many at a time: exactly what one by one would have been read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.framing import SMALL, small_chunks
from edge.http.grammar import PLAIN_CHUNK_LINE

#: Much that looks like a chunk, and nearly so.
_DATA = st.text(alphabet="\r\n1aF0", max_size=40).map(str.encode)
_SIZES = st.sampled_from(("%x", "%X", "%02x", "%03X", "%04x", "%05x"))


@st.composite
def chunk(draw: st.DrawFn) -> bytes:
    """One, mostly right."""
    data = draw(_DATA)
    size = max(0, len(data) + draw(st.sampled_from((0, 0, 0, 0, 0, 0, 1, -1))))
    end = draw(st.sampled_from((b"\r\n",) * 8 + (b"\n", b"", b"\r")))
    return (draw(_SIZES) % size).encode() + b"\r\n" + data + end


def one_by_one(buffer: bytes, at: int, room: int) -> tuple[list[bytes], int]:
    """What :func:`edge.http.framing.small_chunks` says, in the plainest way."""
    pieces: list[bytes] = []
    begin = at
    while (line := PLAIN_CHUNK_LINE.match(buffer, at)) is not None:
        size = int(line[1], 16)
        end = line.end() + size
        room -= size
        if size > SMALL or room < 0 or buffer[end : end + 2] != b"\r\n":
            break
        pieces.append(buffer[line.end() : end])
        at = end + 2
    return pieces, at - begin


class SmallChunkTests(SynchronousTestCase):
    """:func:`edge.http.framing.small_chunks`."""

    @given(st.lists(chunk(), max_size=8), st.integers(0, 3), st.integers(0, 100), st.integers(0, 30))
    def test_it_finds_what_one_by_one_would_be_found(
        self, chunks: list[bytes], before: int, room: int, cut: int
    ) -> None:
        stream = b"".join(chunks)
        buffer = bytearray(b"1" * before + stream[: len(stream) - cut])
        self.assertEqual(small_chunks(buffer, before, room), one_by_one(bytes(buffer), before, room))

    def test_every_small_size(self) -> None:
        for size in range(1, SMALL + 1):
            for form in ("%x", "%X", "%02x", "%03x", "%04X"):
                buffer = ((form % size).encode() + b"\r\n" + b"1" * size + b"\r\n") * 3
                self.assertEqual(small_chunks(buffer, 0, 1000), ([b"1" * size] * 3, len(buffer)))
