"""Frames of WebSockets: C and the twin answer the same, and what a WebSocket on the Twisted side answers."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath.answerer import PythonAnswerer
from edge.fastpath.frames import Counted
from edge.fastpath.interface import Next, Settings
from edge.fastpath.native import NativeAnswerer
from edge.http import questions
from edge.http.websocket import Limits, Phase, WebSocket
from tests.fastpath import site
from tests.fastpath.socket_suite import BINARY, CLOSE, HISTORY, PING, PONG, STATE, frame

EXAMPLES = int(os.environ.get("FRAMES", "150"))

_KEYS = st.binary(min_size=4, max_size=4)
_STATES = st.sampled_from(
    (STATE, b"k3Jx9a3", b"k3Jx9a4", b"k3Jx97", b"k3Jx9aZ", b"?", b"", b"a.b\n", b"k3Jx9a_")
)
_PAYLOADS = st.one_of(
    st.builds(lambda number, state: bytes((1, number)) + state, st.integers(0, 255), _STATES),
    st.binary(max_size=140),
    st.sampled_from(
        (b"\x03\xe8", b"\x03\xe9", b"\x03\xed", b"\x0f\xa0", b"\x03\xe8bye", b"\x03", b"\xff\xff")
    ),
)
_KINDS = st.one_of(st.sampled_from((BINARY, BINARY, BINARY, CLOSE, PING, PONG)), st.integers(0, 255))
_FRAMES = st.one_of(st.builds(frame, _KINDS, _PAYLOADS, _KEYS), st.binary(max_size=20))


class FrameTests(SynchronousTestCase):
    """One connection's bytes, in any pieces."""

    def setUp(self) -> None:
        self.segment = site.published()
        self.addCleanup(self.segment.close)
        site.put_state(self.segment, HISTORY)
        self.native = NativeAnswerer(self.segment, 0, Settings())
        self.twin = PythonAnswerer(self.segment, 1, Settings())

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(
        st.lists(_FRAMES, max_size=12),
        st.lists(st.integers(1, 60), min_size=1, max_size=8),
        st.integers(0, 100),
        st.booleans(),
        st.lists(st.integers(0, 1), min_size=1, max_size=6),
    )
    def test_c_does_what_the_twin_does(
        self, frames: list[bytes], cuts: list[int], count: int, closing: bool, steps: list[int]
    ) -> None:
        """Byte for byte, and in what is counted: any frames, cut anywhere, while time passes."""
        data, turn, now = b"".join(frames), 0, 7
        ours, theirs = (Counted(0, now, count, closing) for _ in range(2))
        waiting = b""
        while data:
            size = cuts[turn % len(cuts)]
            now += steps[turn % len(steps)]
            turn += 1
            waiting, data = waiting + data[:size], data[size:]
            said = self.native.answer_frames(ours, now, waiting)
            self.assertEqual(said, self.twin.answer_frames(theirs, now, waiting))
            self.assertEqual((ours.second, ours.count), (theirs.second, theirs.count))
            waiting = waiting[said[1] :]
            if said[2] in (Next.CLOSE, Next.HAND_OFF):
                return

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(_FRAMES, max_size=12))
    def test_what_is_answered_is_answered_alike_by_twisted(self, frames: list[bytes]) -> None:
        """Whether a stream is let go in its middle, or was Twisted's from its beginning."""
        data = b"".join(frames)
        output, consumed, after = self.twin.answer_frames(Counted(0, 7), 7, data)
        self.assertEqual(self.websocket(WebSocket(7.0, Limits()), data[:consumed]), output)
        one, rest = WebSocket(7.0, Limits()), WebSocket(7.0, Limits())
        if after is Next.HAND_OFF:
            self.assertEqual(self.websocket(one, data), output + self.websocket(rest, data[consumed:]))
            self.assertIs(one.phase, rest.phase)
        elif after is Next.CLOSE:
            self.websocket(one, data)
            self.assertIs(one.phase, Phase.CLOSED)

    def since(self, state: bytes) -> bytes | None:
        """What has changed since *state*."""
        return self.twin.since(0, state)

    def websocket(self, socket: WebSocket, data: bytes) -> bytes:
        """What a WebSocket of the Twisted side answers to *data*."""
        for message in socket.receive(data, 7.0):
            try:
                if isinstance(message, str):
                    raise ValueError("no question")
                told = questions.answer(
                    message, lambda state: self.twin.since(0, state), nothing, lambda _: None
                )
                socket.send(told)
            except ValueError as error:
                socket.close(1008, str(error), 7.0)
        return socket.output()

    def test_a_state_that_may_not_be_confirmed_is_none(self) -> None:
        site.put_state(self.segment, b"?\n")
        for answerer in (self.native, self.twin):
            told, _, _ = answerer.answer_frames(Counted(), 7, frame(BINARY, b"\x01\x07" + STATE))
            self.assertEqual(told, b"\x82\x04\x81\x07?\n")

    def test_who_knows_no_state_lets_go(self) -> None:
        other = site.published()
        self.addCleanup(other.close)
        question = frame(BINARY, b"\x01\x07" + STATE)
        for answerer in (NativeAnswerer(other, 0, Settings()), PythonAnswerer(other, 1, Settings())):
            self.assertEqual(answerer.answer_frames(Counted(), 7, question), (b"", 0, Next.HAND_OFF))


def nothing(copies: list[tuple[bytes, bytes]]) -> tuple[None, list[int]]:
    """No copy is stale."""
    return None, []
