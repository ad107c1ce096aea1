"""The two readers of answers: whatever comes, in whatever pieces, both see the same."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from loadgen.wire._native import ffi, lib
from twisted.trial.unittest import SynchronousTestCase

from loadgen.wire.answers import AnswerError, AnswerReader
from loadgen.wire.interface import GARBAGE, OK, TOO_LARGE

LIMIT = 64

_STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 304 \r\n", b"HTTP/1.1 204 \r\n", b"HTTP/1.1 100 \r\n",
     b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 101 \r\n", b"HTTP/1.1 599 \xff\r\n", b"HTTP/1.1 200\r\n",
     b"HTTP/1.1 200 OK\n", b"HTTP/1.2 200 OK\r\n", b"http/1.1 200 OK\r\n", b"HTTP/1.1 600 \r\n"]
)  # fmt: skip
_NAMES = st.sampled_from(
    [b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"ETag", b"eTaG",
     b"Cache-Control", b"Age", b"Last-Modified", b"Content-Encoding", b"Retry-After", b"X", b"A b", b"",
     b"Content-Lengths"]
)  # fmt: skip
_VALUES = st.one_of(
    st.sampled_from(
        [b"0", b"5", b"64", b"65", b"1" * 18, b"1" * 19, b"5, 5", b"-1", b"", b"chunked", b"Chunked",
         b"gzip, chunked", b"close", b"keep-alive", b"x , CLOSE", b'"abc"', b'W/"abc"', b'w/"abc"', b'""',
         b'"a"b"', b"abc", b"W/", b'"' + b"e" * 70 + b'"', b"max-age=5", b'max-age="7", no-cache',
         b"no-store", b"MAX-AGE=5,max-age=6", b"max-age=99999999999", b"max-age=" + b"0" * 30, b"max-age",
         b'max-age="', b"max-age =5", b"\xe9", b"gzip", b"BR", b"deflate", b"zstd", b"identity", b"gzip, br"]
    ),
    st.binary(max_size=6),
)  # fmt: skip
_FIELDS = st.builds(
    lambda name, colon, value, end: name + colon + value + end,
    _NAMES, st.sampled_from([b": "] * 9 + [b":", b":\t ", b" :"]),
    _VALUES, st.sampled_from([b"\r\n"] * 9 + [b" \r\n", b"\n"]),
)  # fmt: skip
_BODIES = st.sampled_from(
    [b"hello", b"", b"5\r\nhello\r\n0\r\n\r\n", b"5 ;a=\"b\"\r\nhello\r\n0\r\nT: x\r\n\r\n",
     b"A\r\n0123456789\r\n0\r\n\r\n", b"5\r\nhelloo\r\n", b"41\r\n", b"0000000000000005\r\n", b"5 \r\n",
     b"0\r\nbad\r\n\r\n", b"x" * 65, b"5\nhello"]
)  # fmt: skip
_LIKE_ANSWERS = st.builds(
    lambda interim, status, fields, end, body, rest: b"".join([interim, status, *fields, end, body, rest]),
    st.sampled_from([b"", b"", b"HTTP/1.1 103 \r\nCache-Control: no-store\r\nContent-Length: 9\r\n\r\n"]),
    _STATUS_LINES, st.lists(_FIELDS, max_size=5), st.sampled_from([b"\r\n"] * 9 + [b"\n"]), _BODIES,
    st.binary(max_size=3),
)  # fmt: skip
#: Streams: answers nearly as they should be, with a byte put somewhere in a fifth of the cases; or anything.
STREAMS = st.one_of(
    _LIKE_ANSWERS, _LIKE_ANSWERS, _LIKE_ANSWERS,
    st.builds(lambda text, at, byte: text[: at % (len(text) + 1)] + byte + text[at % (len(text) + 1) :],
              _LIKE_ANSWERS, st.integers(0, 500), st.binary(min_size=1, max_size=1)),
    st.binary(max_size=40),
)  # fmt: skip


class Seen(NamedTuple):
    """What a reader makes of a stream that then ends."""

    error: int
    status: int
    body: bytes
    etag: bytes
    weak: int
    coding: int
    later: int
    max_age: int
    age: int
    modified: bytes
    closing: bool
    counted: bool
    done: bool
    #: Bytes of the stream that are the answer's, and whether the end of the stream completes it.
    taken: int
    ended: bool


def seen_by_python(pieces: list[bytes], head_only: bool) -> Seen:
    """By :class:`AnswerReader`."""
    reader = AnswerReader(LIMIT, head_only)
    taken = 0
    try:
        for piece in pieces:
            taken += reader.receive(piece)
    except AnswerError as error:
        return Seen(error.error, 0, b"", b"", 0, 0, 0, 0, 0, b"", False, False, False, 0, False)
    done = reader.done
    return Seen(
        OK, reader.status, bytes(reader.body), reader.etag, reader.weak, reader.coding, reader.later,
        reader.max_age, reader.age, reader.modified, reader.closing, reader.counted, done, taken,
        reader.ended(),
    )  # fmt: skip


def seen_by_c(pieces: list[bytes], head_only: bool) -> Seen:
    """By ``wire_reply_read``, with what it leaves of a piece given again before the next."""
    reply, span, body = ffi.new("wire_reply *"), ffi.new("edge_span *"), ffi.new("edge_span *")
    lib.wire_reply_begin(reply, LIMIT, head_only)
    text, rest, taken, verdict = b"", b"", 0, lib.WIRE_REPLY_MORE
    for piece in pieces:
        if verdict == lib.WIRE_REPLY_DONE:
            break
        given_ = rest + piece
        span.bytes, span.length = ffi.from_buffer(given_), len(given_)
        while (verdict := lib.wire_reply_read(reply, span, body)) == lib.WIRE_REPLY_BODY:
            text += ffi.buffer(body.bytes, body.length)[:]
        if verdict in (lib.WIRE_REPLY_GARBAGE, lib.WIRE_REPLY_TOO_LARGE):
            error = GARBAGE if verdict == lib.WIRE_REPLY_GARBAGE else TOO_LARGE
            return Seen(error, 0, b"", b"", 0, 0, 0, 0, 0, b"", False, False, False, 0, False)
        rest = given_[len(given_) - span.length :]
        taken += len(piece) - (span.length if verdict == lib.WIRE_REPLY_DONE else 0)
    etag, modified = bytes(reply.etag)[: reply.etag_length], bytes(reply.modified)[: reply.modified_length]
    return Seen(
        OK, reply.status, text, etag, reply.weak, reply.coding, reply.later, lib.wire_reply_max_age(reply),
        reply.age, modified, bool(reply.closing), bool(reply.counted), verdict == lib.WIRE_REPLY_DONE, taken,
        bool(lib.wire_reply_ended(reply)),
    )  # fmt: skip


class ReaderTests(SynchronousTestCase):
    """The C reader beside the Python one."""

    @settings(max_examples=1500)
    @given(STREAMS, st.lists(st.integers(0, 300), max_size=6), st.booleans())
    @example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", [], False)
    @example(
        b"HTTP/1.1 304 \r\nAge: 7\r\nAge: 8\r\n"
        b'Last-Modified: Thu, 26 Nov 2026 11:20:10 GMT\r\nETag: W/"x"\r\n\r\n', [], False,
    )  # fmt: skip
    def test_both_see_the_same(self, stream: bytes, cuts: list[int], head_only: bool) -> None:
        """Of any stream; and no split changes what they see."""
        places = sorted(min(cut, len(stream)) for cut in cuts)
        pieces = [stream[begin:end] for begin, end in zip([0, *places], [*places, len(stream)], strict=True)]
        whole = seen_by_python([stream], head_only)
        self.assertEqual(seen_by_python(pieces, head_only), whole)
        self.assertEqual(seen_by_c(pieces, head_only), whole)
        self.assertEqual(seen_by_c([stream], head_only), whole)
