"""WebSocket, the server's side, against wsproto's client."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from edge.http.errors import ProtocolError
from edge.http.websocket import Limits, Phase, WebSocket, accept

HANDSHAKE = {
    b"upgrade": b"websocket",
    b"connection": b"keep-alive, Upgrade",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
}
OWN = (b"http://a.example",)


class HandshakeTests(SynchronousTestCase):
    """Who may connect."""

    def status(self, method: bytes = b"GET", allowed: tuple[bytes, ...] = (), **fields: bytes) -> int:
        given = {name.replace("_", "-").encode(): value for name, value in fields.items()}
        try:
            accept(method, {**HANDSHAKE, **given}, OWN, allowed)
        except ProtocolError as refusal:
            return refusal.status
        return 101

    def test_the_example_of_rfc_6455(self) -> None:
        head = accept(b"GET", HANDSHAKE, OWN, ())
        self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", head)
        self.assertTrue(head.startswith(b"HTTP/1.1 101 ") and head.endswith(b"\r\n\r\n"))

    def test_pages_of_other_origins_are_refused(self) -> None:
        self.assertEqual(self.status(origin=b"http://a.example"), 101)
        for origin in (b"https://a.example", b"http://a.example:81", b"http://evil", b"null", b""):
            self.assertEqual(self.status(origin=origin), 403, origin)
        self.assertEqual(self.status(origin=b"http://b", allowed=(b"http://b",)), 101)
        self.assertEqual(self.status(origin=b"http://b", allowed=(b"*",)), 101)

    def test_what_is_no_handshake_is_refused(self) -> None:
        self.assertEqual(self.status(b"POST"), 426)
        self.assertEqual(self.status(upgrade=b"h2c"), 426)
        self.assertEqual(self.status(connection=b"close"), 426)
        self.assertEqual(self.status(sec_websocket_version=b"8"), 426)
        for key in (b"", b"abc", b"!" * 24, b"AAAA"):
            self.assertEqual(self.status(sec_websocket_key=key), 400, key)


class SocketTests(SynchronousTestCase):
    """One connection."""

    def setUp(self) -> None:
        self.server = WebSocket(0.0, Limits(message_bytes=100))
        self.client = Connection(ConnectionType.CLIENT)

    def say(self, *events: Event, now: float = 0.0) -> list[str | bytes]:
        return list(self.server.receive(b"".join(self.client.send(one) for one in events), now))

    def hear(self) -> list[Event]:
        self.client.receive_data(self.server.output())
        return list(self.client.events())

    def test_messages_in_pieces_and_both_ways(self) -> None:
        parts = [TextMessage("hä", message_finished=False), Ping(b"x"), TextMessage("llo")]
        self.assertEqual(self.say(*parts, BytesMessage(b"\0")), ["hällo", b"\0"])
        self.server.send("für dich")
        self.server.send(b"\1")
        pong, text, data = self.hear()
        self.assertEqual(bytes(pong.payload) if isinstance(pong, Pong) else None, b"x")
        self.assertEqual(
            (getattr(text, "data", None), bytes(getattr(data, "data", b""))), ("für dich", b"\1")
        )

    def test_byte_by_byte(self) -> None:
        data = self.client.send(TextMessage("schön"))
        found = [one for byte in data for one in self.server.receive(bytes((byte,)), 0.0)]
        self.assertEqual(found, ["schön"])

    def test_frames_are_bounded_by_the_second_and_more_end_it(self) -> None:
        self.server = WebSocket(0.0, Limits(frames_per_second=10))
        for now in (0.0, 1.0, 2.5):
            self.say(*[Ping()] * 10, now=now)
            self.assertEqual(len(self.hear()), 10)
        self.assertEqual(self.server.phase, Phase.OPEN)
        self.say(*[Ping()] * 10_000, now=2.6)
        self.assertEqual((self.server.phase, self.server.close_code), (Phase.CLOSED, 1008))
        self.assertEqual([type(event) for event in self.hear()], [CloseConnection])
        self.assertEqual(list(self.server.receive(b"\x81\x81\0\0\0\0a", 5.0)), [])

    def test_a_message_that_is_too_large_ends_it(self) -> None:
        self.assertEqual(self.say(TextMessage("x" * 60, message_finished=False)), [])
        self.assertEqual(self.say(TextMessage("ä" * 30)), [])
        (close,) = self.hear()
        assert isinstance(close, CloseConnection)
        self.assertEqual((close.code, self.server.phase), (1009, Phase.CLOSING))
        self.assertEqual(list(self.server.receive(self.client.send(close.response()), 1.0)), [])
        self.assertEqual(self.server.phase, Phase.CLOSED)

    def test_a_message_in_pieces_costs_its_bytes_however_many_they_are(self) -> None:
        """Empty pieces nothing, so that one who sends them for hours fills no memory."""
        for piece, held in ((b"", 0), ("", 0), (b"x", 9_000), ("x", 9_000)):
            self.server = WebSocket(0.0, Limits(message_bytes=50_000))
            kind = TextMessage if isinstance(piece, str) else BytesMessage
            begin, more = self.client.send(kind(piece, message_finished=False)), b""
            for _ in range(99):
                more += self.client.send(kind(piece, message_finished=False))
            self.assertEqual(list(self.server.receive(begin, 0.0)), [])
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            for _ in range(60):
                self.assertEqual(list(self.server.receive(more, 0.0)), [])
            grown, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(grown, 24 * 1024 + held)
            self.assertEqual(self.server.held, held and len(piece) * (1 + 60 * 99))
            whole = list(self.server.receive(self.client.send(kind(piece)), 0.0))
            self.assertEqual(whole, [piece * (2 + 60 * 99)])
            self.assertEqual(self.server.held, 0)

    def test_the_peer_says_goodbye(self) -> None:
        self.say(CloseConnection(1000, "done"))
        (close,) = self.hear()
        assert isinstance(close, CloseConnection)
        self.assertEqual((close.code, self.server.phase, self.server.close_code), (1000, Phase.CLOSED, 1000))
        self.server.send("too late")
        self.assertEqual(self.server.output(), b"")

    def test_we_say_goodbye_and_do_not_wait_for_ever(self) -> None:
        self.server.close(1001, "stop", 10.0)
        self.server.close(1001, "again", 10.0)
        self.assertEqual([getattr(one, "code", None) for one in self.hear()], [1001])
        self.server.tick(14.0)
        self.assertEqual(self.server.phase, Phase.CLOSING)
        self.server.tick(15.0)
        self.assertEqual(self.server.phase, Phase.GONE)

    def test_a_silent_peer_is_pinged_then_given_up(self) -> None:
        self.server.tick(29.0)
        self.assertEqual(self.server.output(), b"")
        self.server.tick(30.0)
        (ping,) = self.hear()
        self.assertIsInstance(ping, Ping)
        self.say(Pong(b""), now=31.0)
        self.server.tick(61.0)
        self.assertEqual(len(self.hear()), 1)
        self.server.tick(62.0)
        self.assertEqual(self.hear(), [])  # one ping in 30 s
        self.server.tick(106.0)
        self.assertEqual(self.server.phase, Phase.GONE)

    def test_what_is_no_websocket_is_answered_with_its_code(self) -> None:
        for data, code in (
            (b"\x81\x01x", 1002),  # not masked
            (b"\xc1\x81\0\0\0\0x", 1002),  # a reserved bit
            (b"\x83\x80\0\0\0\0", 1002),  # an unknown opcode
            (b"\x09\x80\0\0\0\0", 1002),  # a ping in pieces
            (b"\x80\x80\0\0\0\0", 1002),  # goes on with nothing
            (b"\x81\x81\0\0\0\0\xff", 1007),  # no UTF-8
            (b"\x88\x82\0\0\0\0\x03\xed", 1002),  # code 1005 in a frame
        ):
            self.setUp()
            self.assertEqual(list(self.server.receive(data, 0.0)), [])
            out = self.server.output()
            self.assertEqual((out[0], int.from_bytes(out[2:4], "big")), (0x88, code), data)
            self.assertEqual(self.server.phase, Phase.CLOSED, data)

    @given(st.lists(st.binary(max_size=40), max_size=8))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        server = WebSocket(0.0, Limits(message_bytes=100))
        for now, piece in enumerate(pieces):
            list(server.receive(piece, float(now)))
            server.send("x")
            server.output()

    @given(st.data())
    def test_however_it_arrives_the_same_comes_of_it(self, data: st.DataObject) -> None:
        payload = st.binary(max_size=60)
        text = st.text(max_size=15).map(TextMessage)
        split = st.tuples(st.text(max_size=9), st.text(max_size=9)).map(
            lambda two: [TextMessage(two[0], message_finished=False), TextMessage(two[1])]
        )
        one = st.one_of(text, payload.map(BytesMessage), payload.map(Ping), payload.map(Pong))
        groups = data.draw(st.lists(st.one_of(one.map(lambda event: [event]), split), max_size=6))
        stream = b"".join(self.client.send(event) for group in groups for event in group)
        cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
        whole, parted = (WebSocket(0.0, Limits(message_bytes=100)) for _ in range(2))
        expected = list(whole.receive(stream, 0.0))
        came = [
            message
            for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
            for message in parted.receive(stream[begin:end], 0.0)
        ]
        self.assertEqual((came, parted.output()), (expected, whole.output()))
        self.assertEqual(parted.phase, Phase.OPEN)
