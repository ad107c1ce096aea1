"""Whole conversations over record layers: whatever both ends say, and however the bytes are cut and moved."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from edge.tls.interface import Alert, Opened, RecordLayer
from edge.tls.suites import SUITES
from tests.tls.builds import BUILDS
from tests.tls.peer import ALERT, DATA, HANDSHAKE, KEY_UPDATE, Peer, server_state

TEXTS = st.binary(min_size=1, max_size=100) | st.builds(
    lambda length: bytes(length), st.sampled_from([16383, 16384, 16385, 40000])
)


class Conversation(RuleBasedStateMachine):
    """An honest peer and a layer, two pipes between them, and owners that change.

    What either end gets is a beginning of what the other one said; when the pipes are empty it is all of it.
    """

    build: Any

    def __init__(self) -> None:
        super().__init__()
        self.peer = Peer()
        self.layer: RecordLayer = self.build(server_state())
        self.upwards = self.downwards = b""
        self.asked = self.heard = b""  # by the peer, by the layer
        self.answered = self.told = b""  # by the layer, by the peer
        self.ended = self.heard_end = self.closed = self.told_end = False
        self.useless = 0

    def say(self, record: bytes, useless: bool = True) -> None:
        """The peer sends."""
        self.useless = self.useless + 1 if useless else 0
        self.upwards += record

    @precondition(lambda self: not self.ended)
    @rule(text=TEXTS)
    def peer_asks(self, text: bytes) -> None:
        self.say(self.peer.data(text), useless=False)
        self.asked += text

    @precondition(lambda self: not self.ended and self.useless < 32)
    @rule(padding=st.integers(0, 300))
    def peer_says_nothing(self, padding: int) -> None:
        self.say(self.peer.record(b"", padding=padding))

    @precondition(lambda self: not self.ended and self.useless < 28)
    @rule(requested=st.booleans(), pieces=st.sets(st.integers(1, 4)))
    def peer_updates(self, requested: bool, pieces: set[int]) -> None:
        self.say(self.peer.key_update(requested, tuple(sorted(pieces))))
        self.useless += len(pieces)

    @precondition(lambda self: not self.ended)
    @rule()
    def peer_closes(self) -> None:
        self.say(self.peer.alert(0), useless=False)
        self.ended = True

    @rule(share=st.floats(0, 1))
    def up(self, share: float) -> None:
        """Some of what the peer sent arrives."""
        count = round(len(self.upwards) * share)
        opened = self.layer.open(self.upwards[:count])
        self.upwards = self.upwards[count:]
        self.heard += opened.plaintext
        self.heard_end = opened.closed
        self.downwards += opened.answer

    @rule(text=TEXTS)
    def layer_answers(self, text: bytes) -> None:
        sealed = self.layer.seal(text)
        self.downwards += sealed
        assert bool(sealed) is not self.closed
        if not self.closed:
            self.answered += text

    @rule()
    def layer_closes(self) -> None:
        self.downwards += self.layer.close()
        self.closed = True

    @rule()
    def layer_moves(self) -> None:
        self.layer = self.build(*self.layer.export())

    @rule(share=st.floats(0, 1))
    def down(self, share: float) -> None:
        """Some of what the layer sent arrives."""
        count = round(len(self.downwards) * share)
        opened = self.peer.open(self.downwards[:count])
        self.downwards = self.downwards[count:]
        self.told += opened.plaintext
        self.told_end = opened.closed

    @invariant()
    def each_hears_what_the_other_said(self) -> None:
        assert self.asked.startswith(self.heard)
        assert self.answered.startswith(self.told)

    def teardown(self) -> None:
        self.up(1)
        self.down(1)
        assert (self.heard, self.told) == (self.asked, self.answered)
        assert (self.heard_end, self.told_end) == (self.ended, self.closed)


def records(draw: Any, peer: Peer) -> bytes:
    """What some peer sends: mostly sound, now and then wrong."""
    kind = draw(st.sampled_from([DATA, DATA, DATA, HANDSHAKE, HANDSHAKE, ALERT, 20, 0]))
    if kind == HANDSHAKE and draw(st.booleans()):
        return peer.key_update(draw(st.booleans()), draw(st.sampled_from([(), (1,), (2, 3)])))
    content = draw(
        st.sampled_from([b"", b"GET / HTTP/1.1\r\n\r\n", bytes(16384), KEY_UPDATE, b"\x01\x00", b"\x02\x14"])
        | st.binary(max_size=40)
    )
    padding = draw(st.sampled_from([0, 0, 0, 1, 100, 16384]))
    return peer.record(content, kind, padding=padding)


@st.composite
def streams(draw: Any) -> tuple[int, bytes]:
    """A suite, and bytes from a peer with up to three changed ones, a piece left out or repeated."""
    number = draw(st.sampled_from(sorted(SUITES)))
    peer = Peer(SUITES[number])
    stream = bytearray(b"".join(records(draw, peer) for _ in range(draw(st.integers(1, 6)))))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        stream[draw(st.integers(0, len(stream) - 1))] ^= draw(st.integers(1, 255))
    if draw(st.integers(0, 5)) == 0:
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(stream))] * 2)))
        stream[start:end] = stream[start:end] * draw(st.sampled_from([0, 2]))
    return number, bytes(stream)


def listen(layer: RecordLayer, pieces: list[bytes]) -> list[Opened | tuple[int, bool, bytes]]:
    """What comes of *pieces*, one after the other; then what is sealed, and how it moves."""
    heard: list[Opened | tuple[int, bool, bytes]] = []
    for piece in pieces:
        try:
            heard.append(layer.open(piece))
        except Alert as alert:
            heard.append((alert.description, alert.sent, alert.answer))
        heard.append(Opened(layer.seal(b"answer")))
    heard.append(Opened(*layer.export()))
    return heard


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    """*stream* in pieces that end at *cuts*."""
    ends = sorted(min(one, len(stream)) for one in cuts)
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


class ConversationTests(SynchronousTestCase):
    """All builds that are here."""

    def test_both_ends_hear_what_was_said(self) -> None:
        for build in BUILDS.values():
            machine = type("Machine", (Conversation,), {"build": staticmethod(build)})
            run_state_machine_as_test(
                machine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
            )

    @settings(max_examples=300, deadline=None)
    @given(streams(), st.lists(st.integers(0, 60_000), max_size=4))
    def test_all_builds_say_the_same_to_any_peer(self, stream: tuple[int, bytes], cuts: list[int]) -> None:
        """Differential: native against twin, whatever comes, and however it is cut."""
        pieces = cut(stream[1], cuts)
        heard = [listen(build(server_state(SUITES[stream[0]])), pieces) for build in BUILDS.values()]
        for other in heard[1:]:
            self.assertEqual(other, heard[0])

    @settings(max_examples=200, deadline=None)
    @given(streams(), st.lists(st.integers(0, 60_000), max_size=4))
    def test_cuts_make_no_difference(self, stream: tuple[int, bytes], cuts: list[int]) -> None:
        """But that a refusal may drop what came in the same call."""
        for build in BUILDS.values():
            told = [
                self.outcome(build(server_state(SUITES[stream[0]])), cut(stream[1], one))
                for one in ([], cuts)
            ]
            (whole, whole_end), (pieces, pieces_end) = told
            self.assertEqual(pieces_end, whole_end)
            if whole_end in ("open", "closed"):
                self.assertEqual(pieces, whole)

    def outcome(self, layer: RecordLayer, pieces: list[bytes]) -> tuple[bytes, object]:
        """Plaintext, and how it ended: "open", "closed" or an alert."""
        told, closed = b"", False
        for piece in pieces:
            try:
                opened = layer.open(piece)
            except Alert as alert:
                return told, alert.name
            told += opened.plaintext
            closed = opened.closed
        return told, "closed" if closed else "open"
