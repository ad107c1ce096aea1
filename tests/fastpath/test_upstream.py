"""HTTP/1.1 with upstreams in C beside Python: what one asks, accepts and refuses, the other does."""

from __future__ import annotations

import os
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from edge.node.applications.http_origin import HTTPOrigin
from edge.node.applications.origin import Question
from edge.upstream.answer import AnswerError, AnswerReader, End, Event, Limits
from edge.upstream.fields import of_visitor
from edge.upstream.reuse import rest_of
from tests.upstream.test_answer import OK, REFUSED

try:
    from tests.fastpath.native_upstream import NativeAnswerReader, ask
except ImportError:  # pragma: no cover
    NativeAnswerReader = None  # type: ignore[assignment,misc]

EXAMPLES = int(os.environ.get("EDGE_UPSTREAM_ANSWERS", "500"))
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

#: What is none, beside those of :mod:`tests.upstream.test_answer`.
WRONG = [
    OK + b"Content-Length:\r\n\r\n", OK + b"Transfer-Encoding:\r\n\r\n",
    OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    OK + b"Content-Length: 18446744073709551616\r\n\r\n",
    OK + b"Content-Length: 18446744073709551615\r\n\r\n",
    OK + b"Content-Length: 9223372036854775808\r\n\r\n", b"HTTP/1.1 200 OK\r\r\n\r\n",
    b"HTTP/1.1 200OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n", b"HTTP/1.1\t200 OK\r\n\r\n", b"HTTP/1.\r\n\r\n", b"HTTP/1.1 2\r\n\r\n",
    b"HTTP/1.12 200\r\n\r\n",
    OK + b"A:\r\n b\r\n\r\n", OK + b"A\x80: b\r\n\r\n", OK + b"A: b" * 9000 + b"\r\n\r\n",
    OK + b"A: b\r\n" * 129 + b"\r\n",
    b"HTTP/1.1 103 x\r\n\r\n" * 17, CHUNKED + b"3;\r\nabc\r\n", CHUNKED + b"3; a\r\nabc\r\n",
    CHUNKED + b'3;a="b\r\nabc\r\n',
    CHUNKED + b'3;a="b"c\r\nabc\r\n', CHUNKED + b'3;a="\\\x01"\r\nabc\r\n',
    CHUNKED + b"3\r\nabc\r\r\n", CHUNKED + b"\r\n",
    CHUNKED + b"0\r\nContent-Length: 0\r\n\r\n", CHUNKED + b"0\r\nTransfer-Encoding:\r\n\r\n",
    CHUNKED + b"0\r\n a: b\r\n\r\n",
    CHUNKED + b"0\r\na: b\r\n c\r\n\r\n", CHUNKED + b"0\r\na : b\r\n\r\n",
    CHUNKED + b"0\r\n" + b"a: b\r\n" * 129 + b"\r\n",
    CHUNKED + b"0;" + b"a" * 9000, CHUNKED + b"0\r\na: " + b"b" * 9000, CHUNKED + b"0\r\n\rx",
]  # fmt: skip
#: What is one, though it looks like none.
RIGHT = [
    b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", b"HTTP/1.1 200 \0\x7f\xff\r\nContent-Length: 1\r\n\r\nx",
    OK + b"A:\r\nB: \t \r\nC: d \t\r\nContent-Length: \t1 \t\r\n\r\nx",
    OK + b"A: \xff\tb\r\nContent-Length: 001\r\n\r\nx",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", OK + b"\r\nuntil it closes",
    OK + b"Connection: a, \"close, b\"\r\nContent-Length: 1\r\n\r\nx",
    OK + b"Connection: A, CLOSE\r\nContent-Length: 1\r\n\r\nx",
    OK + b"Content-Length: 9223372036854775807\r\n\r\nx", b"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n",
    CHUNKED + b'3;a;b=;=c;d="e\\"\xff f"\r\nabc\r\n00\r\nA: b\r\nB:\r\n\r\n',
    CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n",
    CHUNKED + b"0\r\nTransfer-Encoding: x\r\nUpgrade: y\r\n\r\n", CHUNKED + b"ffffffffffffffff\r\nabc",
    b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 \r\nLink: a\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx",
    *(OK + b"Keep-Alive: %b\r\nContent-Length: 1\r\n\r\nx" % value for value in
      (b"timeout=5", b"max=1, Timeout = \"7", b"xtimeout=5", b"timeout", b"timeout=1", b"timeout=0",
       b"a;timeout=99999999999",
       b"timeout=x timeout=9")),
]  # fmt: skip

_PIECES = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 204 No\r\n", b"HTTP/1.1 103 Hint\r\n\r\n",
     b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 304\r\n",
     b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"A: b\r\n",
     b"content-length:\t3 \r\n",
     b"Connection: close\r\n", b"Connection: a, b\r\n", b"Keep-Alive: timeout=3\r\n", b"\r\n", b"abc",
     b"3\r\nabc\r\n", b"0\r\n\r\n",
     b"0\r\nT: u\r\n\r\n", b"\n", b" ", b":", b"Transfer-Encoding: gzip\r\n",
     b"Content-Length: 3, 3\r\n", b"3;x=y;z\r\nabc\r\n",
     b"a\r\n", b"\0", b"\r", b'"', b";", b"=", b"\x80", b"3;x=\"", b"\\", b"Transfer-Encoding:\r\n",
     b"HTTP/1.1 101 x\r\n\r\n"]
)  # fmt: skip
_CHUNKS = st.sampled_from(
    [b"3", b"0", b"f", b"\r\n", b"\r", b"\n", b";", b"a", b"=", b'"', b"\\", b" ", b"\t", b"abc",
     b"A: b\r\n", b"0\r\n\r\n",
     b"1\r\nx\r\n", b"Content-Length", b":", b"Transfer-Encoding", b"\xff", b"\x7f"]
)  # fmt: skip


class Case(SynchronousTestCase):
    """Both readers beside one another."""

    def setUp(self) -> None:
        if NativeAnswerReader is None:
            raise SkipTest("there is no native build")

    def compare(self, pieces: list[bytes], method: bytes = b"GET", closes: bool = True) -> bool:
        """Whether both refuse *pieces*; what they make of each is the same."""
        ours, native = AnswerReader(method), NativeAnswerReader(method)
        all_pieces = [*pieces, *([None] if closes else [])]
        keep_alive = None
        for number, piece in enumerate(all_pieces, 1):
            events, told = (self.outcome(reader, piece) for reader in (ours, native))
            if events is None or told is None:  # a trailer section may be refused some bytes earlier by one
                self.is_refused(native if events is None else ours, all_pieces[number - 1 :], pieces)
                return True
            for one in events:
                if isinstance(one, End):
                    keep_alive, one.keep_alive, one.trailers = one.keep_alive, None, []
                    if one.reusable:
                        self.assertEqual(rest_of(keep_alive), native.rest, pieces)
            for one, other in zip(events, told, strict=False):
                if isinstance(one, End) and isinstance(other, End) and not other.reusable:
                    one.reusable = False  # llhttp passes over empty lines behind the end; the relay does not
            self.assertEqual(events, told, (pieces, piece))
            self.assertEqual((ours.begun, ours.over), (native.begun, native.over))
        return False

    def is_refused(
        self, reader: AnswerReader | NativeAnswerReader, left: list[bytes | None], pieces: list[bytes]
    ) -> None:
        """The other one, *reader*, does not take what is *left* for the end of an answer."""
        for piece in left:
            if reader.over:
                return
            self.assertEqual(self.outcome(reader, piece) or [], [], pieces)
        self.assertTrue(reader.over, pieces)

    def outcome(self, reader: AnswerReader | NativeAnswerReader, piece: bytes | None) -> list[Event] | None:
        try:
            return reader.close() if piece is None else reader.receive(piece)
        except AnswerError as error:
            self.assertTrue(str(error).isprintable())
            return None


class AnswerTests(Case):
    """Answers, right and wrong, however they are cut."""

    def test_both_refuse_the_same_however_it_is_cut(self) -> None:
        for data in [*REFUSED, *WRONG]:
            self.assertTrue(self.compare([data], closes=False), data[:200])
            for cut in range(1, min(len(data), 300)):
                self.assertTrue(self.compare([data[:cut], data[cut:]], closes=False), (data[:200], cut))
            if len(data) < 300:
                self.assertTrue(
                    self.compare([data[at : at + 1] for at in range(len(data))], closes=False), data
                )

    def test_both_accept_the_same_however_it_is_cut(self) -> None:
        for data in RIGHT:
            for method in (b"GET", b"HEAD"):
                for cut in range(len(data)):
                    self.compare([data[:cut], data[cut:]], method)
                self.compare([data[at : at + 1] for at in range(len(data))], method)
            self.assertFalse(self.compare([data], closes=False), data)

    def test_what_comes_behind_the_end_makes_the_connection_useless(self) -> None:
        for whole in (OK + b"Content-Length: 1\r\n\r\na", CHUNKED + b"0\r\n\r\n", b"HTTP/1.1 204 \r\n\r\n"):
            self.assertTrue(NativeAnswerReader(b"GET").receive(whole)[-1].reusable)  # type: ignore[union-attr]
            for more in (b"HTTP/1.1 200 OK\r\n", b"x", b"\r\n"):
                self.compare([whole + more], closes=False)
                end = NativeAnswerReader(b"GET").receive(whole + more)[-1]
                self.assertFalse(end.reusable, (whole, more))  # type: ignore[union-attr]

    def test_a_head_may_have_as_many_bytes_and_fields_in_both(self) -> None:
        limit = Limits()
        for more in (0, 1):
            room = limit.head - len(OK) - len(b"A: \r\n\r\n") + more
            self.assertEqual(self.compare([OK + b"A: " + b"b" * room + b"\r\n\r\n"]), bool(more))
            self.assertEqual(self.compare([OK + b"A: b\r\n" * (limit.fields + more) + b"\r\n"]), bool(more))
            self.assertEqual(
                self.compare([b"HTTP/1.1 103 \r\n\r\n" * (limit.interim + more)], closes=False), bool(more)
            )
            room = limit.framing - len(b"1;\r\n\r\n") + 8 + more
            self.assertEqual(
                self.compare([CHUNKED, b"1;" + b"a" * room + b"\r\nx\r\n"], closes=False), bool(more)
            )

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(_PIECES, max_size=12), st.sampled_from([b"GET", b"HEAD"]), st.integers(1, 40))
    def test_answers_of_any_parts(self, parts: list[bytes], method: bytes, step: int) -> None:
        data = b"".join(parts)
        self.compare([data[at : at + step] for at in range(0, len(data), step)], method)
        self.compare([data], method)

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(_CHUNKS, max_size=16), st.integers(1, 40))
    def test_chunks_of_any_parts(self, parts: list[bytes], step: int) -> None:
        data = CHUNKED + b"".join(parts)
        self.compare([data[at : at + step] for at in range(0, len(data), step)])
        self.compare([data])

    def test_damaged_answers(self) -> None:
        dice = random.Random(19)
        for _ in range(EXAMPLES * 10):
            data = bytearray(dice.choice(RIGHT))
            for _ in range(dice.randrange(1, 4)):
                data[dice.randrange(len(data))] = dice.choice((dice.randrange(256), *b'\r\n\0:; \t"0'))
            self.compare([bytes(data)])


class QuestionTests(Case):
    """Questions, as the Twisted side writes them."""

    def test_questions(self) -> None:
        lines = [
            (b"User-Agent", b"a browser"), (b"Cookie", b"a=1"), (b"cookie", b"b=2"), (b"X-Forwarded-For",
            b"6.6.6.6"),
            (b"Forwarded", b"for=6.6.6.6"), (b"X_Real_IP", b"6.6.6.6"), (b"X-Original-URL", b"/admin"),
            (b"X-Anything-Override", b"DELETE"), (b"Accept", b"*/*"), (b"Authorization", b"Basic x"),
            (b"Keep-Alive", b"5"),
            (b"Proxy", b"http://6.6.6.6"), (b"X-Accel-Redirect", b"/x"), (b"Empty", b""),
            (b"If-None-Match", b'"x"'),
            (b"X-%b" % (b"a" * 80), b"long"), (b"x-rewrite-%b" % (b"a" * 80), b"long"),
            (b"!#$%&'*+-.^`|~", b"strange"),
        ]  # fmt: skip
        origin = HTTPOrigin("app", lambda protocol: self.fail("nobody is asked"), None)
        for method in (b"GET", b"HEAD"):
            for peer in (b"", b"192.0.2.1", b"2001:db8::1"):
                for secure in (False, True):
                    question = Question(
                        method, b"/a?b=c", of_visitor(lines), b"example.org:81", secure, peer.decode("ascii")
                    )
                    self.assertEqual(
                        ask(method, b"/a?b=c", b"example.org:81", peer, secure, lines),
                        origin.head_of(question),
                    )

    def test_what_is_said_to_the_node_itself_is_not_asked(self) -> None:
        for name in (b"Via", b"Edge-Timing"):
            self.assertEqual(ask(b"GET", b"/", b"a", b"", False, [(name, b"1")]), b"")
