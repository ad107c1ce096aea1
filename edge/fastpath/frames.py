"""The frames of the push service's WebSockets that are answered here, or let go; twin of ``edge_frames.c``.

A strict subset is recognised, as of requests: whole messages of at most 125 bytes, masked, without extensions
(RFC 6455 section 5.2).  Of these answered are pings, pongs, goodbyes without a reason, and the question what
has changed since a state (:mod:`edge.http.questions`).  Everything else is let go with the bytes that were
read, to :class:`edge.http.websocket.WebSocket`.  Sans-IO.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.fastpath.interface import Next
from edge.http.changes import HISTORY_BYTES
from edge.http.questions import CHANGED
from edge.http.websocket import MASK, SHORT, length_of, unmasked

#: Frames of the peer in a second.
FRAMES_PER_SECOND = 100
_BINARY, _CLOSE, _PING, _PONG = 0x82, 0x88, 0x89, 0x8A
_HEAD = 6
#: Bytes of the output after which no further frame is begun, and of the longest answer.
_OUTPUT_BYTES = 128 * 1024
_MOST_ANSWER = 4 + 2 + HISTORY_BYTES + 2

#: (number of the site, state) -> the lines that tell what has changed, b"": nothing; None: not said here.
Since = Callable[[int, bytes], bytes | None]


class Counted:
    """What is known of the frames of one WebSocket."""

    __slots__ = ("closing", "count", "second", "site")

    def __init__(self, site: int = 0, second: int = 0, count: int = 0, closing: bool = False) -> None:
        self.site = site
        #: The second in which so many frames have come.
        self.second, self.count = second, count
        #: We have said goodbye: the peer's is waited for, and nothing else heard.
        self.closing = closing

    def in_time(self, now: int) -> bool:
        """Whether one more frame is not too many for this second."""
        if self.second != now:
            self.second, self.count = now, 0
        if self.count == FRAMES_PER_SECOND:
            return False
        self.count += 1
        return True


def answer(since: Since, frames: Counted, now: int, data: bytes) -> tuple[bytes, int, Next]:
    """Answer as many frames at the front of *data* as are recognised, at *now* in seconds.

    (bytes to send, bytes consumed, what is next); CLOSE: both sides have said goodbye.
    """
    out = bytearray()
    at, after = 0, Next.RECEIVE
    let_go = Next.CLOSE if frames.closing else Next.HAND_OFF
    while after is Next.RECEIVE and len(data) - at >= 2:
        kind, size = data[at], data[at + 1] & ~MASK
        if len(out) + _MOST_ANSWER > _OUTPUT_BYTES:
            return bytes(out), at, Next.ANSWER
        if kind not in (_BINARY, _CLOSE, _PING, _PONG) or not data[at + 1] & MASK or size > SHORT:
            return bytes(out), at, let_go
        if len(data) - at < _HEAD + size:
            break
        payload = unmasked(data[at + 2 : at + _HEAD], data[at + _HEAD : at + _HEAD + size])
        if not frames.in_time(now):
            return bytes(out), at, let_go
        said, after = _answer_one(since, frames, kind, payload)
        if after is Next.HAND_OFF:
            frames.count -= 1  # who gets it counts it
            break
        out += said
        at += _HEAD + size
    return bytes(out), at, after


def _answer_one(since: Since, frames: Counted, kind: int, payload: bytes) -> tuple[bytes, Next]:
    """The answer to one whole frame; RECEIVE: and the next may follow."""
    if frames.closing:
        return b"", Next.CLOSE if kind == _CLOSE else Next.RECEIVE
    if kind == _PING:
        return _framed(_PONG, payload), Next.RECEIVE
    if kind == _CLOSE:
        return (_framed(_CLOSE, payload), Next.CLOSE) if _is_plain_goodbye(payload) else (b"", Next.HAND_OFF)
    if kind == _BINARY:
        told = since(frames.site, payload[2:]) if len(payload) >= 2 and payload[0] == CHANGED else None
        if told is None:
            return b"", Next.HAND_OFF
        return _framed(_BINARY, bytes((CHANGED + 128, payload[1])) + told), Next.RECEIVE
    return b"", Next.RECEIVE


def _is_plain_goodbye(payload: bytes) -> bool:
    """Whether it is given back as it came: none, or a common code without a reason."""
    code = int.from_bytes(payload, "big") if len(payload) == 2 else 0
    return not payload or code in (1000, 1001) or 3000 <= code <= 4999


def _framed(kind: int, payload: bytes) -> bytes:
    return bytes((kind,)) + length_of(len(payload)) + payload


#: An empty ping; goodbye, because the node stops (1001).
PING = _framed(_PING, b"")
GOODBYE = _framed(_CLOSE, b"\x03\xe9the node stops")
