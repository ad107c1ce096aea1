"""What the loop does with WebSockets of the push service; both builds, plain and over TLS."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from edge.fastpath.interface import Limits, SocketState
from edge.fastpath.sockets import TOPICS
from edge.http.websocket import unmasked
from tests.fastpath.site import get, put_state

if TYPE_CHECKING:
    from edge.fastpath.interface import FastPath, Handoff

STATE = b"k3Jx9aF"
HISTORY = STATE + b"\nk3Jx98\nk3Jx9aF /index.html\nk3Jx9a4 /app.js\n"
BINARY, TEXT, CLOSE, PING, PONG = 0x82, 0x81, 0x88, 0x89, 0x8A
#: Of messages: topics 0 and 1.
BOTH = 0b11


def frame(kind: int, payload: bytes = b"", key: bytes = b"\x01\x80\x00\xff") -> bytes:
    """A frame of a client."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((kind,)) + length + key + unmasked(key, payload)


def ours(kind: int, payload: bytes = b"") -> bytes:
    """A short frame of the node."""
    return bytes((kind, len(payload))) + payload


QUESTION = frame(BINARY, b"\x01\x07" + STATE)
UNCHANGED = ours(BINARY, b"\x81\x07")


class SocketSuite:
    """Of a case that is a :class:`~tests.fastpath.loop_suite.ServingSuite`."""

    if TYPE_CHECKING:
        fastpath: FastPath
        segment: Any
        start: Any
        client: Any
        settle: Any
        received: Any
        at_end: Any
        counted: Any
        advance: Any
        assertEqual: Any
        assertIn: Any
        assertTrue: Any
        assertRaises: Any

    def upgraded(self, topics: int = BOTH, seen: int = 0, frames: int = 0, **of_client: Any) -> Any:
        """A connection that Twisted has taken over, and given back as a WebSocket."""
        connection = self.client(b"POST /x HTTP/1.1\r\n", **of_client)
        (handoff,) = self.settle()
        state = SocketState(0, topics, 0b111, (seen,) * TOPICS, frames)
        self.fastpath.adopt(handoff.fd, handoff.layer, state)
        return connection

    def socket(self, *, limits: Limits | None = None, **of_socket: Any) -> Any:
        """The same of a new fast path, which knows a state of the site."""
        self.start(limits)
        put_state(self.segment, HISTORY)
        return self.upgraded(**of_socket)

    def said(self, connection: Any, *data: bytes) -> bytes:
        """What comes in answer to *data*."""
        for each in data:
            connection.sendall(each)
            self.settle()
        return bytes(self.received(connection))

    def let_go(self, connection: Any, data: bytes) -> Handoff:
        """What becomes of *data*, which is not for the fast path; the connection is Twisted's then."""
        connection.sendall(data)
        (handoff,) = self.settle()
        taken: Handoff = handoff
        return taken

    def end(self, handoff: Handoff) -> None:
        """As Twisted ends it."""
        if handoff.layer is not None:
            handoff.layer.discard()
        self.fastpath.release(handoff.fd)
        socket.socket(fileno=handoff.fd).close()

    def test_the_question_is_answered_without_twisted(self) -> None:
        """Nothing has changed; what has; nobody can say.  However it is cut, and many at once."""
        connection = self.socket()
        self.assertEqual(self.said(connection, QUESTION), UNCHANGED)
        older = frame(BINARY, b"\x01\x08k3Jx9a3")
        told = ours(BINARY, b"\x81\x08" + STATE + b"\n/index.html\n/app.js\n")
        self.assertEqual(self.said(connection, older), told)
        self.assertEqual(self.said(connection, frame(BINARY, b"\x01\x09??")), ours(BINARY, b"\x81\x09?\n"))
        self.assertEqual(
            self.said(connection, *(QUESTION[i : i + 1] for i in range(len(QUESTION)))), UNCHANGED
        )
        self.assertEqual(self.said(connection, QUESTION * 20 + older), UNCHANGED * 20 + told)
        self.assertEqual((self.counted("handoffs"), self.counted("sockets")), (1, 1))

    def test_it_answers_what_is_true_now(self) -> None:
        """A change of the site is told to who asks next."""
        connection = self.socket()
        self.assertEqual(self.said(connection, QUESTION), UNCHANGED)
        put_state(self.segment, b"k3Jx9aG\nk3Jx98\nk3Jx9aG /new\n")
        self.assertEqual(self.said(connection, QUESTION), ours(BINARY, b"\x81\x07k3Jx9aG\n/new\n"))

    def test_control_frames_are_answered(self) -> None:
        connection = self.socket()
        said = self.said(connection, frame(PING, b"hello") + frame(PONG, b"x" * 125) + frame(PING))
        self.assertEqual(said, ours(PONG, b"hello") + ours(PONG))
        self.assertEqual(self.said(connection, frame(CLOSE, b"\x03\xe9")), ours(CLOSE, b"\x03\xe9"))
        self.assertTrue(self.at_end(connection))
        connection.close()
        self.settle()
        self.assertEqual((self.fastpath.connections(), self.counted("sockets")), (0, 0))

    def test_a_goodbye_ends_it_whatever_follows(self) -> None:
        connection = self.socket()
        self.assertEqual(self.said(connection, frame(CLOSE) + QUESTION), ours(CLOSE))
        self.assertTrue(self.at_end(connection))
        self.assertEqual(self.fastpath.sockets(), 0)

    def test_all_else_goes_to_twisted_with_the_bytes_that_were_read(self) -> None:
        """After the answers to what came before; and what it was goes along."""
        odd = (
            frame(TEXT, b'{"type":"subscribe","topics":[]}'),
            frame(0x02, b"\x01\x07"),  # the first of several
            frame(0x80, b"x"),  # a continuation
            frame(0xC2, b"\x01\x07" + STATE),  # a reserved bit
            frame(BINARY, b"\x02\x07"),  # another question
            frame(BINARY, b"\x01"),
            frame(BINARY, b"\x01\x07" + b"k" * 124),  # a longer one
            frame(CLOSE, b"\x03\xe8bye"),
            frame(CLOSE, b"\x03"),
            frame(CLOSE, b"\x03\xed"),  # 1005
            ours(BINARY, b"\x01\x07"),  # not masked
            b"\x82\xff" + b"\xff" * 8,  # 2^64 bytes
            b"GET / HTTP/1.1\r\n",
        )
        self.socket()
        for number, each in enumerate(odd):
            connection = self.upgraded(topics=0b10, seen=5)
            handoff = self.let_go(connection, QUESTION + each)
            self.assertEqual(self.received(connection), UNCHANGED, number)
            self.assertEqual(handoff.data, each, number)
            self.assertEqual(handoff.socket, SocketState(0, 0b10, 0b111, (5,) * TOPICS, 1), number)
            self.assertEqual(self.fastpath.sockets(), 1)
            self.end(handoff)

    def test_one_that_moves_to_and_fro_goes_on(self) -> None:
        connection = self.socket()
        for _ in range(3):
            handoff = self.let_go(connection, frame(TEXT, b"x"))
            self.fastpath.adopt(handoff.fd, handoff.layer, handoff.socket)
            self.assertEqual(self.said(connection, QUESTION), UNCHANGED)
        self.assertEqual(self.counted("sockets"), 1)

    def test_too_many_frames_are_twisteds_affair(self) -> None:
        """A hundred in a second; those count that came before it was here."""
        connection = self.socket(frames=98)
        handoff = self.let_go(connection, frame(PING) * 5)
        self.assertEqual(self.received(connection), ours(PONG) * 2)
        self.assertEqual((len(handoff.data), handoff.socket.frames if handoff.socket else None), (18, 100))
        self.end(handoff)

    def test_a_silent_one_is_pinged_and_given_up(self) -> None:
        connection = self.socket()
        self.advance(31)
        self.assertEqual(self.received(connection), ours(PING))
        self.assertEqual(self.said(connection, frame(PONG)), b"")
        self.advance(31)
        self.advance(31)
        self.assertEqual(self.received(connection), ours(PING) * 2)
        self.advance(15)
        self.assertTrue(self.at_end(connection))
        self.assertEqual((self.fastpath.connections(), self.counted("timeouts_idle")), (0, 1))

    def test_part_of_a_frame_waits_and_what_is_pushed_goes_between(self) -> None:
        connection = self.socket()
        self.assertEqual(self.said(connection, QUESTION[:5]), b"")
        self.fastpath.publish(0, b"<load>", 1)
        self.fastpath.push_round(1, BOTH, 0, 1)
        self.assertEqual(self.received(connection), b"<load>")
        self.assertEqual(self.said(connection, QUESTION[5:]), UNCHANGED)

    def test_each_gets_what_is_new_for_it_once(self) -> None:
        """Of its topics; the rare one in one of three rounds."""
        one = self.socket(topics=0b01)
        both, knows = self.upgraded(), self.upgraded(seen=1)
        self.fastpath.publish(0, b"<a1>", 1)
        self.fastpath.publish(1, b"<b1>", 1)
        for _ in range(2):
            self.fastpath.push_round(3, BOTH, 0, 1)
        self.assertEqual([self.received(each) for each in (one, both, knows)], [b"<a1>", b"<a1><b1>", b""])
        for edition in range(2, 8):
            self.fastpath.publish(0, b"<a>", edition)
            self.fastpath.publish(1, b"<b>", edition)
            self.fastpath.push_round(3, BOTH, 0b01, 3)
        got = [self.received(each) for each in (one, both, knows)]
        self.assertEqual([(each.count(b"<a>"), each.count(b"<b>")) for each in got], [(2, 0), (2, 6), (2, 6)])

    def test_all_are_told_in_slices(self) -> None:
        """Also when some go meanwhile, and others come, who know it already."""
        self.socket()
        others = [self.upgraded() for _ in range(9)]
        self.fastpath.publish(1, b"<now>", 1)
        self.assertEqual(self.fastpath.push_all(0b10, 4), 6)
        others[0].close()
        others[8].close()
        self.settle()
        late = self.upgraded(seen=1)
        for _ in range(4):
            left = self.fastpath.push_all(0, 2)
        self.assertEqual(left, 0)
        self.assertEqual([self.received(each) for each in others[1:8]], [b"<now>"] * 7)
        self.assertEqual(self.received(late), b"")

    def test_a_publish_that_makes_no_sense_is_refused(self) -> None:
        self.socket()
        self.assertRaises(OSError, self.fastpath.publish, TOPICS, b"x", 1)
        self.assertRaises(OSError, self.fastpath.publish, 0, b"x", 1, 1)
        self.fastpath.publish(0, b"<site>", 1, 0)

    def test_who_takes_nothing_gets_nothing_on_top_and_is_cut(self) -> None:
        """After the time that answers have; the others go on."""
        slow = self.socket(receive_buffer=4096)
        quick = self.upgraded()
        got = b""
        for edition in range(1, 201):
            self.fastpath.publish(0, b"%06d" % edition + b"x" * 64_000, edition)
            self.fastpath.push_all(0b01, 2)
            self.settle()
            got = self.received(quick) or got
        self.assertIn(b"000200", got)
        for _ in range(3):
            self.said(quick, frame(PONG))
            self.advance(31)
        self.assertEqual((self.fastpath.sockets(), self.counted("timeouts_write")), (1, 1))
        self.assertEqual(self.said(quick, QUESTION)[-4:], UNCHANGED)
        self.received(slow)

    def test_draining_says_goodbye_and_waits_for_the_peers(self) -> None:
        """Five seconds; it hears nothing else."""
        polite = self.socket()
        silent = self.upgraded()
        self.fastpath.drain()
        goodbye = ours(CLOSE, b"\x03\xe9the node stops")
        self.assertEqual([self.received(polite), self.received(silent)], [goodbye, goodbye])
        self.assertEqual(self.said(polite, QUESTION + frame(CLOSE, b"\x03\xe9")), b"")
        self.assertTrue(self.at_end(polite))
        self.advance(6)
        self.assertTrue(self.at_end(silent))
        self.advance(3)
        self.assertEqual((self.fastpath.connections(), self.fastpath.sockets()), (0, 0))

    def test_others_are_answered_as_before(self) -> None:
        """Requests on connections beside it."""
        connection = self.socket()
        other = self.client(get(b"/a.html"))
        self.settle()
        self.assertIn(b"200 OK", self.received(other))
        self.assertEqual(self.said(connection, QUESTION), UNCHANGED)
