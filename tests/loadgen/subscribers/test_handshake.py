"""The opening handshake: nothing but 101 with the right proof opens a connection."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.websocket import accept
from loadgen.subscribers.handshake import HEAD_BYTES, Handshake, HandshakeError
from tests.loadgen.subscribers.helpers import accepted


class HandshakeTests(SynchronousTestCase):
    """The client's side."""

    def setUp(self) -> None:
        self.shake = Handshake()
        self.request = self.shake.request("localhost:8001", "/.edge/socket?topics=load")
        self.answer = accepted(self.request)

    def refusal(self, answer: bytes) -> str:
        with self.assertRaises(HandshakeError) as raised:
            copy.copy(self.shake).receive(answer)
        return str(raised.exception)

    def test_our_own_server_accepts_it(self) -> None:
        first, *lines = self.request.decode().removesuffix("\r\n\r\n").split("\r\n")
        self.assertEqual(first, "GET /.edge/socket?topics=load HTTP/1.1")
        fields = {
            name.lower().encode(): value.encode() for name, value in (line.split(": ") for line in lines)
        }
        self.assertEqual(fields[b"host"], b"localhost:8001")
        self.assertEqual(self.shake.receive(accept(b"GET", fields, (), ())), b"")

    def test_no_two_keys_are_equal(self) -> None:
        requests = {Handshake().request("a", "/") for _ in range(100)}
        self.assertEqual(len(requests), 100)

    @given(st.data())
    def test_any_split_gives_the_same(self, data: st.DataObject) -> None:
        shake = Handshake()
        answer = accepted(shake.request("localhost", "/")) + b"frames"
        cuts = sorted(data.draw(st.lists(st.integers(0, len(answer) - len(b"frames") - 1), max_size=5)))
        for begin, end in zip([0, *cuts], cuts, strict=False):
            self.assertIsNone(shake.receive(answer[begin:end]))
        self.assertEqual(shake.receive(answer[cuts[-1] if cuts else 0 :]), b"frames")

    def test_names_and_tokens_have_no_case(self) -> None:
        answer = self.answer.replace(b"Upgrade: websocket", b"uPGRADE:\tWebSocket \r\nX: y")
        answer = answer.replace(b"Connection: Upgrade", b"CONNECTION: keep-alive\r\nConnection: upGrade")
        self.assertEqual(self.shake.receive(answer), b"")

    def test_what_opens_no_connection_is_told(self) -> None:
        proof = self.answer.partition(b"Sec-WebSocket-Accept: ")[2]
        for answer, reason in (
            (b"SSH-2.0-x\r\n", "not an HTTP answer"),
            (b"HTTP/1.1 999 \r\n\r\n", "not an HTTP answer"),
            (b"HTTP/1.1 101 \r\n folded: x\r\n\r\n", "not an HTTP answer"),
            (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull", "refused with 503"),
            (b"HTTP/1.1 200 \r\n\r\n", "refused with 200"),
            (self.answer.replace(b"Upgrade: websocket", b"Upgrade: h2c"), "no upgrade to WebSocket"),
            (self.answer.replace(b"Connection: Upgrade", b"Connection: close"), "no upgrade to WebSocket"),
            (
                self.answer.replace(proof, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
                "wrong Sec-WebSocket-Accept",
            ),
            (self.answer.replace(b"Sec-WebSocket-Accept", b"X"), "wrong Sec-WebSocket-Accept"),
            (
                self.answer.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
                "an extension that was not offered",
            ),
            (b"HTTP/1.1 101 \r\nX: " + b"x" * HEAD_BYTES, "a head without an end"),
        ):
            self.assertEqual(self.refusal(answer), reason, answer)
