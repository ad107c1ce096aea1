"""Answers of servers, read strictly: what is one, however it is cut, and what is none."""

from __future__ import annotations

import os

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.upstream.answer import (
    FRAMING_OF_BYTE,
    AnswerError,
    AnswerReader,
    ClosedEarlyError,
    End,
    Event,
    Head,
    Interim,
    Limits,
    Switched,
)

OK = b"HTTP/1.1 200 OK\r\n"


def joined(events: list[Event]) -> list[Event]:
    """*events* with neighbouring pieces of the body made one."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += event
        else:
            found.append(event)
    return found


class ReadingTests(SynchronousTestCase):
    """What is an answer."""

    def read(
        self, data: bytes, method: bytes = b"GET", close: bool = False, upgrade: bytes = b""
    ) -> list[Event]:
        """The events of *data*: the same whole, cut in two anywhere, and byte by byte."""
        whole = self.read_pieces([data], method, close, upgrade)
        for cut in range(1, len(data)):
            events = self.read_pieces([data[:cut], data[cut:]], method, close, upgrade)
            self.assertEqual(events, whole, f"cut at {cut}")
        pieces = [data[i : i + 1] for i in range(len(data))]
        self.assertEqual(self.read_pieces(pieces, method, close, upgrade), whole)
        return whole

    def read_pieces(self, pieces: list[bytes], method: bytes, close: bool, upgrade: bytes) -> list[Event]:
        reader = AnswerReader(method, upgrade)
        events: list[Event] = []
        for piece in pieces:
            events += reader.receive(piece)
        if close:
            events += reader.close()
        return joined(events)

    def test_a_body_of_known_length_ends_there_and_the_connection_goes_on(self) -> None:
        events = self.read(OK + b"A: b \r\nContent-Length: 3\r\n\r\nabc")
        self.assertEqual(events, [Head(200, [(b"A", b"b")], 3), b"abc", End()])

    def test_chunks_are_taken_apart_and_trailers_told(self) -> None:
        data = OK + b"Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nDigest: z\r\n\r\n"
        self.assertEqual(self.read(data), [Head(200, [], None), b"abcde", End([(b"Digest", b"z")])])

    def test_without_a_length_the_body_ends_with_the_connection(self) -> None:
        events = self.read(OK + b"\r\nabc", close=True)
        self.assertEqual(events, [Head(200, [], None), b"abc", End(reusable=False)])

    def test_answers_without_a_body_have_none_whatever_their_heads_say(self) -> None:
        head = b"Content-Length: 10\r\n\r\n"
        self.assertEqual(self.read(OK + head, b"HEAD"), [Head(200, [], 10), End()])
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        self.assertEqual(self.read(chunked, b"HEAD"), [Head(200, [], None), End()])
        self.assertEqual(self.read(b"HTTP/1.1 304 \r\n" + head), [Head(304, [], 10), End()])
        self.assertEqual(self.read(b"HTTP/1.1 204 No\r\n\r\n"), [Head(204, [], None), End()])
        self.assertEqual(self.read(OK + b"Content-Length: 0\r\n\r\n"), [Head(200, [], 0), End()])

    def test_interim_answers_come_before_the_final_one(self) -> None:
        data = b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK
        events = self.read(data + b"Content-Length: 0\r\n\r\n")
        hints = Interim(103, [(b"Link", b"</a>")])
        self.assertEqual(events, [Interim(100, []), hints, Head(200, [], 0), End()])

    def test_the_other_protocol_begins_right_after_the_head(self) -> None:
        data = (
            b"HTTP/1.1 101 \r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        )
        reader = AnswerReader(b"GET", b"websocket")
        events = reader.receive(data + b"\x81\x00")
        self.assertEqual(events, [Switched([(b"Sec-WebSocket-Accept", b"x")], b"\x81\x00")])

    def test_fields_of_the_connection_are_not_passed_on(self) -> None:
        data = (
            OK
            + b"Connection: X-Mine, close, Set-Cookie\r\nX-Mine: 1\r\nSet-Cookie: a=b\r\n"
            + b"Keep-Alive: timeout=5\r\n"
        )
        events = self.read(
            data + b"Proxy-Connection: x\r\nTE: y\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"
        )
        end = End(reusable=False, keep_alive=b"timeout=5")
        self.assertEqual(events, [Head(200, [(b"Set-Cookie", b"a=b")], 0), end])

    def test_http_1_0_is_not_asked_again_on_the_same_connection(self) -> None:
        events = self.read(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na")
        self.assertEqual(events, [Head(200, [], 1), b"a", End(reusable=False)])

    def test_what_nobody_asked_for_counts_against_the_connection_and_not_against_the_answer(self) -> None:
        for whole in (
            OK + b"Content-Length: 1\r\n\r\na",
            OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            b"HTTP/1.1 204 \r\n\r\n",
        ):
            for more in (b"HTTP/1.1 200 OK\r\n", b"x", b"\0"):
                events = AnswerReader(b"GET").receive(whole + more)
                self.assertIsInstance(events[-1], End)
                self.assertFalse(events[-1].reusable, (whole, more))  # type: ignore[union-attr]
            self.assertTrue(AnswerReader(b"GET").receive(whole)[-1].reusable)  # type: ignore[union-attr]

    def test_after_the_end_nothing_is_reported(self) -> None:
        reader = AnswerReader(b"GET")
        reader.receive(b"HTTP/1.1 204 \r\n\r\n")
        self.assertEqual((reader.receive(b"HTTP/1.1 200 OK\r\n"), reader.close()), ([], []))


#: Each with why; to GET.
REFUSED = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n": "two lengths",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n": "two lengths",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n": "a length twice",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n": "a list",
    b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n": "no number",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\n": "no number",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3 3\r\n\r\n": "no number",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n": "beyond 64 bits",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n": "a coding that nobody asked for",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n": "none",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n": "none",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n": "twice",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n": "hidden",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n": "HTTP/1.0 has none",
    b"HTTP/2.0 200 OK\r\n\r\n": "a version",
    b"HTTP/1.2 200 OK\r\n\r\n": "a version",
    b"HTTP/0.9 200 OK\r\n\r\n": "a version",
    b"ICY 200 OK\r\n\r\n": "another protocol",
    b"RTSP/1.0 200 OK\r\n\r\n": "another protocol",
    b"SSH-2.0-x\r\n\r\n": "another protocol",
    b"HTTP/1.1 99 x\r\n\r\n": "a status",
    b"HTTP/1.1 600 x\r\n\r\n": "a status",
    b"HTTP/1.1 0200 x\r\n\r\n": "a status",
    b"HTTP/1.1 200 OK\nA: b\n\n\r\n\r\n": "bare LF",
    b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n": "bare LF",
    b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n": "bare CR",
    b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n": "folded",
    b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n": "space before the colon",
    b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n": "space before the name",
    b"HTTP/1.1 200 OK\r\nA\x00: b\r\n\r\n": "NUL",
    b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n": "NUL",
    b"HTTP/1.1 200 OK\r\nA: b\x7fc\r\n\r\n": "a control character",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n": "no field",
    b"HTTP/1.1 200 OK\r\n: b\r\n\r\n": "no name",
    b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n": "nobody asked",
    b"HTTP/1.1 103 x\r\nContent-Length: 3\r\n\r\nabc": "a body where there is none",
    b"HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\nabc": "a body where there is none",
    b"HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "a body where there is none",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n": "no size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n": "no size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n": "no size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n": "no size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n": "bare LF",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n": "longer than it says",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n": "an extension with a line end",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n": "beyond 64 bits",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\nC: d\r\n\r\n": "bare LF in a trailer",
}


class RefusingTests(SynchronousTestCase):
    """What is none."""

    def refuse(self, pieces: list[bytes], reader: AnswerReader | None = None) -> str:
        """The sentence that *pieces* are refused with; nothing is reported after it."""
        reader = reader or AnswerReader(b"GET")
        with self.assertRaises(AnswerError) as caught:
            for piece in pieces:
                reader.receive(piece)
        self.assertEqual((reader.receive(b"HTTP/1.1 200 OK\r\n\r\n"), reader.close()), ([], []))
        return str(caught.exception)

    def test_what_two_readers_could_read_in_two_ways_is_refused_however_it_is_cut(self) -> None:
        for data, why in REFUSED.items():
            self.assertTrue(self.refuse([data]), why)
            self.refuse([data[i : i + 1] for i in range(len(data))])

    def test_what_is_no_http_is_said_at_its_first_bytes(self) -> None:
        self.assertIn("not HTTP/1.x", self.refuse([b"SSH-2.0-OpenSSH_9.2\r\n"]))
        self.assertEqual(AnswerReader(b"GET").receive(b"HTTP/1"), [])

    def test_101_to_another_protocol_than_the_one_asked_for_is_none(self) -> None:
        data = b"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
        self.assertIn("101", self.refuse([data], AnswerReader(b"GET", b"websocket")))

    def test_heads_fields_framing_and_interim_answers_are_bounded(self) -> None:
        limits = Limits(head=100, fields=3, framing=50, interim=2)

        def said(*pieces: bytes) -> str:
            return self.refuse(list(pieces), AnswerReader(b"GET", limits=limits))

        self.assertIn("longer than 100 bytes", said(OK + b"A: " + b"b" * 100))
        self.assertIn("longer than 100 bytes", said(OK, *[b"A: b\r\n"] * 20))
        self.assertIn("more than 3 header fields", said(OK + b"A: b\r\n" * 4 + b"\r\n"))
        self.assertIn("interim", said(b"HTTP/1.1 103 \r\n\r\n" * 3))
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        self.assertIn("too long", said(chunked, b"1;a=" + b"b" * 200))
        self.assertIn("too long", said(chunked, b"1;a=", *[b"b"] * 200))
        self.assertIn("too long", said(chunked, b"0\r\nA: ", *[b"b"] * 200))
        self.assertIn("trailer", said(chunked, b"0\r\n" + b"A: b\r\n" * 4 + b"\r\n"))

    def test_many_small_chunks_are_no_framing_without_end(self) -> None:
        self.assertGreaterEqual(FRAMING_OF_BYTE, len(b"1\r\nx\r\n") - 1)
        reader = AnswerReader(b"GET", limits=Limits(framing=50))
        reader.receive(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(1000):
            self.assertEqual(reader.receive(b"1\r\nx\r\n"), [b"x"])

    def test_an_answer_that_ends_too_early_is_not_whole(self) -> None:
        whole = OK + b"Content-Length: 3\r\n\r\nabc"
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        for data in (whole, chunked):
            for cut in range(len(data)):
                reader = AnswerReader(b"GET")
                reader.receive(data[:cut])
                self.assertEqual(reader.begun, cut > 0)
                with self.assertRaises(ClosedEarlyError):
                    reader.close()
                self.assertEqual(reader.close(), [])


#: Pieces of answers, right and wrong; a draw of them is one, or nearly.
_PIECES = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 204 No\r\n", b"HTTP/1.1 103 Hint\r\n\r\n", b"HTTP/1.0 200 OK\r\n",
     b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"A: b\r\n",
     b"Connection: close\r\n", b"\r\n", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nT: u\r\n\r\n", b"\n",
     b" ", b"Transfer-Encoding: gzip\r\n", b"Content-Length: 3, 3\r\n", b"3;x\r\nabc\r\n", b"a\r\n", b"\0"]
)  # fmt: skip


class DifferentialTests(SynchronousTestCase):
    """Beside h11, which was written by others."""

    @settings(max_examples=int(os.environ.get("EDGE_ANSWERS", "400")), deadline=None)
    @given(st.lists(_PIECES, max_size=10), st.sampled_from([b"GET", b"HEAD"]))
    def test_what_both_take_for_an_answer_is_the_same_one(self, pieces: list[bytes], method: bytes) -> None:
        """Where one of them refuses, nobody was misled."""
        data = b"".join(pieces)
        ours, theirs = self.ours(data, method), self.theirs(data, method)
        if ours is not None and theirs is not None:
            self.assertEqual(ours, theirs, data)

    def ours(self, data: bytes, method: bytes) -> tuple[int, bytes] | None:
        reader = AnswerReader(method)
        try:
            events = reader.receive(data) + reader.close()
        except AnswerError:
            return None
        [head] = [event for event in events if isinstance(event, Head)]
        return head.status, b"".join(event for event in events if isinstance(event, bytes))

    def theirs(self, data: bytes, method: bytes) -> tuple[int, bytes] | None:
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        connection.send(h11.EndOfMessage())
        status, body = 0, b""
        try:
            connection.receive_data(data)
            connection.receive_data(b"")
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return status, body
                elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                    return None
        except h11.RemoteProtocolError:
            return None
