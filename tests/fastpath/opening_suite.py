"""What the loop does with opening handshakes of the push service; both builds, plain and over TLS."""

from __future__ import annotations

from typing import Any

from edge.fastpath.interface import Limits, SocketState
from edge.fastpath.opening import Audience
from edge.fastpath.sockets import TOPICS
from edge.http.websocket import switching
from tests.fastpath.site import PAGE, get, put_state
from tests.fastpath.socket_suite import HISTORY, PING, QUESTION, TEXT, UNCHANGED, SocketSuite, frame, ours

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
#: RFC 6455 section 1.3.
ACCEPTED = switching(KEY)
assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in ACCEPTED
#: Messages of the topics, each of the edition 7.
MESSAGES = (b"<load>", b"<changed>", b"<status>", b"<nodes>", b"<word>")
GREETED = b"<load><changed>"


def opening(query: bytes = b"", *lines: bytes, key: bytes = KEY) -> bytes:
    """An opening handshake; *lines*: more of its field lines."""
    asked = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    return get(b"/.edge/socket" + query, *asked, b"Sec-WebSocket-Key: " + key, *lines)


class OpeningSuite(SocketSuite):
    """Of a case that is a :class:`~tests.fastpath.loop_suite.ServingSuite`."""

    def welcoming(
        self, most: int = 100, audience: Audience = Audience.PUBLIC, limits: Limits | None = None
    ) -> Any:
        """A new fast path that opens WebSockets, and has something to say to them."""
        self.start(limits)
        put_state(self.segment, HISTORY)
        for topic, message in enumerate(MESSAGES):
            self.fastpath.publish(topic, message, 7)
        self.fastpath.welcome(most, audience)
        return self.fastpath

    def opened(self, *data: bytes, **of_client: Any) -> tuple[Any, bytes]:
        """A connection that has sent *data*, and what came of it; nothing is handed off."""
        connection = self.client(*data, **of_client)
        self.assertEqual(self.settle(), [])
        return connection, bytes(self.received(connection))

    def test_it_is_opened_without_twisted_and_told_what_is_true(self) -> None:
        """What is new for it comes later, once; and it answers as any other."""
        self.welcoming()
        connection, said = self.opened(opening())
        self.assertEqual(said, ACCEPTED + GREETED)
        self.assertEqual(self.said(connection, QUESTION + frame(PING, b"x")), UNCHANGED + ours(0x8A, b"x"))
        self.fastpath.push_round(1, 0xFF, 0, 1)
        self.assertEqual(self.received(connection), b"")
        self.fastpath.publish(1, b"<new>", 8)
        self.fastpath.push_round(1, 0xFF, 0, 1)
        self.assertEqual(self.received(connection), b"<new>")
        counted = [self.counted(name) for name in ("handoffs", "sockets", "requests", "connections")]
        self.assertEqual(counted, [0, 1, 1, 1])

    def test_the_query_chooses_topics_and_their_version(self) -> None:
        self.welcoming()
        for query, told in (
            (b"?topics=load", b"<load>"),
            (b"?topics=status,load", b"<load><status>"),
            (b"?topics=changed,changed", b"<changed>"),
            (b"?v=2", b"<changed><nodes><word>"),
            (b"?v=2&topics=load", b"<nodes><word>"),
            (b"?topics=status,changed&v=2", b"<changed><status>"),
        ):
            self.assertEqual(self.opened(opening(query))[1], ACCEPTED + told, query)

    def test_it_may_come_in_any_pieces_and_behind_other_requests(self) -> None:
        """And with frames behind it; after it there are no requests any more."""
        self.welcoming()
        whole = opening()
        connection = self.client()
        for cut in range(len(whole) - 1):
            connection.sendall(whole[cut : cut + 1])
            self.assertEqual(self.settle(), [])
        self.assertEqual(self.said(connection, whole[-1:]), ACCEPTED + GREETED)
        _, page = self.opened(get(PAGE))
        _, said = self.opened(get(PAGE) * 63 + whole + QUESTION * 3 + QUESTION[:7])
        self.assertEqual(len(said), 63 * len(page) + len(ACCEPTED + GREETED + UNCHANGED * 3))
        self.assertTrue(said.endswith(ACCEPTED + GREETED + UNCHANGED * 3))
        handoff = self.let_go(self.client(), whole + get(PAGE))
        self.assertEqual(handoff.data, get(PAGE))
        self.assertIsNotNone(handoff.socket)
        self.end(handoff)

    def test_it_goes_to_twisted_and_back_with_what_it_is(self) -> None:
        self.welcoming()
        connection, _ = self.opened(opening(b"?v=2"))
        handoff = self.let_go(connection, frame(TEXT, b"x"))
        seen = (0, 7, 0, 7, 7, *[0] * (TOPICS - 5))
        self.assertEqual(handoff.socket, SocketState(0, 0b11010, 0b11110, seen))
        self.fastpath.adopt(handoff.fd, handoff.layer, handoff.socket)
        self.assertEqual(self.said(connection, QUESTION), UNCHANGED)

    def test_what_is_unusual_or_to_be_refused_is_twisteds(self) -> None:
        """With all of its bytes."""
        self.welcoming()
        whole = opening()
        odd = (
            whole.replace(b"GET", b"HEAD"),
            whole.replace(b"HTTP/1.1", b"HTTP/1.0"),
            whole.replace(b"Upgrade: websocket\r\n", b""),
            whole.replace(b"Upgrade: websocket", b"Upgrade: websocket, x"),
            whole.replace(b"Connection: Upgrade\r\n", b""),
            whole.replace(b"Connection: Upgrade", b"Connection: close, Upgrade"),
            whole.replace(b"Connection: Upgrade", b"Connection: keep-alive"),
            whole.replace(b"13", b"8"),
            whole.replace(b"13", b"13, 8"),
            whole.replace(b"Sec-WebSocket-Version: 13\r\n", b""),
            whole.replace(b"Sec-WebSocket-Key: " + KEY + b"\r\n", b""),
            opening(key=KEY[:-1]),
            opening(key=b"dGhlIHNhbXBsZSBub25jZQ!="),
            opening(key=b"dGhlIHNhbXBsZSBub25jZTE="),  # 17 bytes
            opening(b"", b"Sec-WebSocket-Key: " + KEY),
            opening(b"", b"Origin: http://evil.example"),
            opening(b"", b"Origin: null"),
            opening(b"", b"Content-Length: 0"),
            opening(b"", b"Transfer-Encoding: chunked"),
            opening(b"", b"Expect: 100-continue"),
            opening(b"", b"If-None-Match: *"),
            opening(b"", b"X: " + b"y" * 8192),
            opening(b"?"),
            opening(b"?v=2&v=2"),
            opening(b"?v=02"),
            opening(b"?v=3"),
            opening(b"?topics="),
            opening(b"?topics=load,"),
            opening(b"?topics=load&topics=load"),
            opening(b"?topics=all"),
            opening(b"?topics=nodes"),
            opening(b"?topics=lo%61d"),
            opening(b"?x=1"),
            opening().replace(b"/.edge/socket", b"/.edge/socket/"),
            opening().replace(b"/.edge/socket", b"/.edge/sockets"),
        )
        for number, each in enumerate(odd):
            handoff = self.let_go(self.client(), each)
            self.assertEqual((handoff.data, handoff.socket), (each, None), number)
            self.end(handoff)
        self.assertEqual(self.counted("sockets"), 0)

    def test_there_is_room_for_so_many(self) -> None:
        """Who goes makes room; and nobody is let in who has not been welcomed."""
        self.welcoming(most=2)
        first, _ = self.opened(opening())
        self.opened(opening())
        handoff = self.let_go(self.client(), opening())
        self.end(handoff)
        first.close()
        self.settle()
        self.assertEqual(self.opened(opening())[1], ACCEPTED + GREETED)
        self.fastpath.welcome(0, Audience.PUBLIC)
        for _ in range(2):
            self.end(self.let_go(self.client(), opening()))
        self.assertEqual(self.fastpath.sockets(), 2)

    def test_the_status_is_for_whom_the_option_says(self) -> None:
        """Of this machine is who comes from here, and from no page of another origin."""
        ours_, theirs = b"Host: localhost:8080", b"Host: www.example"
        for audience, host, asked, choice in (
            (Audience.PUBLIC, theirs, b"?topics=status", 0b111),
            (Audience.LOCAL, ours_, b"?topics=load", 0b111),
            (Audience.LOCAL, ours_, b"?topics=load&v=2", 0b11110),
            (Audience.LOCAL, ours_, b"?topics=status", None),
            (Audience.OFF, ours_, b"?topics=load", 0b011),
            (Audience.OFF, ours_, b"?topics=status", None),
        ):
            self.welcoming(audience=audience)
            asking = opening(asked).replace(b"Host: example.org", host)
            handoff = self.let_go(self.client(), asking + frame(TEXT, b"x"))
            state = handoff.socket
            self.assertEqual(None if state is None else state.choice, choice, (audience, asked))
            self.end(handoff)

    def test_one_that_takes_nothing_waits_and_is_cut(self) -> None:
        """What it is greeted with is kept for it as long as answers are."""
        self.welcoming(limits=Limits(write_seconds=30))
        self.fastpath.publish(0, b"x" * 4_000_000, 8)
        slow, _ = self.client(opening(), receive_buffer=4096), self.settle()
        self.assertEqual(self.fastpath.sockets(), 1)
        self.advance(31)
        self.advance(31)
        self.assertEqual((self.fastpath.sockets(), self.counted("timeouts_write")), (0, 1))
        slow.close()

    def test_one_that_takes_it_late_is_a_websocket_then(self) -> None:
        self.welcoming()
        self.fastpath.publish(0, b"x" * 3_000_000, 8)
        connection = self.client(opening() + QUESTION, receive_buffer=1 << 16)
        said = b""
        for _ in range(2000):
            self.settle()
            said += self.received(connection)
            if said.endswith(UNCHANGED):
                break
        self.assertEqual(len(said), len(ACCEPTED) + 3_000_000 + len(b"<changed>" + UNCHANGED))

    def test_draining_opens_none_and_ends_those_that_are(self) -> None:
        self.welcoming()
        connection, _ = self.opened(opening())
        waiting = self.client()
        self.settle()
        waiting.sendall(opening())
        self.fastpath.drain()
        self.assertTrue(self.received(connection).startswith(ours(0x88, b"\x03\xe9the node stops")))
        for handoff in self.settle():
            self.assertEqual((handoff.data, handoff.socket), (opening(), None))
            self.end(handoff)

    def test_many_come_and_go(self) -> None:
        """Each gets what is true when it comes."""
        self.welcoming()
        held = []
        for number in range(40):
            self.fastpath.publish(0, b"<%03d>" % number, 8 + number)
            connection, said = self.opened(opening(b"?topics=load"))
            self.assertEqual(said, ACCEPTED + b"<%03d>" % number)
            held.append(connection)
            if number % 3 == 0:
                held.pop(number % len(held)).close()
        self.settle()
        self.assertEqual(self.fastpath.sockets(), len(held))
        self.fastpath.publish(0, b"<end>", 100)
        self.assertEqual(self.fastpath.push_all(0b1, 100), 0)
        self.assertEqual({bytes(self.received(each))[-5:] for each in held}, {b"<end>"})
