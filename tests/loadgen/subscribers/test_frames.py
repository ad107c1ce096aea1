"""Frames from a server: any split of the stream gives the same events; what is none is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Pong, TextMessage
from wsproto.events import Event as ServerEvent
from wsproto.events import Ping as ServerPing

from loadgen.subscribers.frames import (
    MESSAGE_BYTES,
    Close,
    Event,
    FrameError,
    FrameReader,
    Ping,
    close,
    pong,
)


def stream(*events: ServerEvent) -> bytes:
    """What a server sends."""
    server = Connection(ConnectionType.SERVER)
    return b"".join(server.send(event) for event in events)


def whole(*data: bytes) -> list[Event]:
    """What a new reader makes of these pieces."""
    reader = FrameReader()
    return [event for piece in data for event in reader.receive(piece)]


SENT = st.one_of(
    st.text(max_size=200).map(lambda text: (stream(TextMessage(text)), text)),
    st.binary(max_size=200).map(lambda data: (stream(BytesMessage(data)), data)),
    st.binary(max_size=125).map(lambda data: (stream(ServerPing(data)), Ping(data))),
    st.tuples(st.text(max_size=50), st.binary(max_size=9), st.text(max_size=50)).map(
        lambda parts: (
            # A ping may come between two fragments.
            stream(
                TextMessage(parts[0], message_finished=False), ServerPing(parts[1]), TextMessage(parts[2])
            ),
            [Ping(parts[1]), parts[0] + parts[2]],
        )
    ),
)


class FrameReaderTests(SynchronousTestCase):
    """What it makes of bytes."""

    @given(st.lists(SENT, max_size=6), st.data())
    def test_any_split_gives_the_same_events(
        self, sent: list[tuple[bytes, Event | list[Event]]], data: st.DataObject
    ) -> None:
        """And at the end of a message a reader rests."""
        everything = b"".join(one for one, _ in sent)
        expected: list[Event] = []
        for _, event in sent:
            expected += event if isinstance(event, list) else [event]
        cuts = sorted(data.draw(st.lists(st.integers(0, len(everything)), max_size=8)))
        pieces = [everything[a:b] for a, b in zip([0, *cuts], [*cuts, len(everything)], strict=True)]
        self.assertEqual(whole(*pieces), expected)
        self.assertEqual(whole(*(bytes([byte]) for byte in everything)), expected)

    @given(st.lists(SENT, min_size=1, max_size=4), st.data())
    def test_a_reader_that_rests_can_be_forgotten(
        self, sent: list[tuple[bytes, object]], data: st.DataObject
    ) -> None:
        """It rests exactly between two messages."""
        ends = {0}
        for one, _ in sent:
            ends.add(max(ends) + len(one))
        everything = b"".join(one for one, _ in sent)
        cut = data.draw(st.integers(0, len(everything)))
        reader = FrameReader()
        list(reader.receive(everything[:cut]))
        self.assertEqual(reader.resting, cut in ends)

    def test_parts_of_a_message_with_nothing_in_them_cost_no_memory(self) -> None:
        """A stranger may send them without end: two bytes each."""
        reader = FrameReader()
        for opening in (b"\1\0", b"\2\0"):
            self.assertEqual(list(reader.receive(opening + b"\0\0" * 10_000)), [])
            self.assertEqual(len(reader._parts), 0)
            self.assertEqual(list(reader.receive(b"\x80\1a")), ["a" if opening == b"\1\0" else b"a"])

    def test_nothing_comes_after_a_goodbye(self) -> None:
        end = stream(CloseConnection(1001, "the node stops"))
        self.assertEqual(whole(end + stream(TextMessage("x"))), [Close(1001)])
        self.assertEqual(whole(b"\x88\x00"), [Close(1005)])

    def test_what_is_no_server_s_frame_is_refused(self) -> None:
        client = Connection(ConnectionType.CLIENT)
        for data, code in (
            (client.send(TextMessage("masked")), 1002),
            (b"\xc1\x01x", 1002),  # a reserved bit
            (b"\x83\x00", 1002),  # an opcode that nobody knows
            (b"\x80\x01x", 1002),  # the continuation of nothing
            (b"\x01\x01x\x81\x01x", 1002),  # a message within a message
            (b"\x09\x00", 1002),  # a fragmented ping
            (b"\x89\x7e\x00\x7e" + b"x" * 126, 1002),  # a ping too large
            (b"\x81\x7e\x00\x01x", 1002),  # a length that could be shorter
            (b"\x88\x01x", 1002),  # half a code
            (b"\x88\x02\x03\xee", 1002),  # 1006 is never sent
            (b"\x81\x01\xff", 1007),  # no UTF-8
            (b"\x81\x7f" + (MESSAGE_BYTES + 1).to_bytes(8, "big") + b"x", 1009),
            (b"\x81\x7f\x7f" + b"\xff" * 7 + b"x", 1009),
            ((b"\x01\x7f" + MESSAGE_BYTES.to_bytes(8, "big") + b"x" * MESSAGE_BYTES) + b"\x80\x01x", 1009),
        ):
            with self.assertRaises(FrameError) as raised:
                whole(data)
            self.assertEqual(raised.exception.code, code, data[:20])

    @given(st.binary(max_size=60))
    def test_garbage_never_does_anything_else(self, data: bytes) -> None:
        """Events, or a refusal."""
        try:
            whole(data)
        except FrameError as error:
            self.assertIn(error.code, (1002, 1007, 1009))


class SentTests(SynchronousTestCase):
    """What a client says is masked, and a server reads it."""

    def test_a_server_reads_pongs_and_goodbyes(self) -> None:
        server = Connection(ConnectionType.SERVER)
        server.receive_data(pong(b"ping") + close(1000))
        self.assertEqual([type(event) for event in server.events()], [Pong, CloseConnection])
        self.assertTrue(pong(b"")[1] & 0x80)

    def test_codes_that_are_never_sent_become_a_normal_end(self) -> None:
        for code, sent in ((1001, 1001), (4000, 4000), (1005, 1000)):
            server = Connection(ConnectionType.SERVER)
            server.receive_data(close(code))
            (event,) = server.events()
            assert isinstance(event, CloseConnection)
            self.assertEqual(event.code, sent)
