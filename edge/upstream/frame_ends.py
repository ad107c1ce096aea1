"""Where the frames of a WebSocket end, in one direction whose bytes pass: RFC 6455 section 5.2.

Nothing is read of frames but how long they are.  A close frame may stand between any two of them, between the
fragments of one message, too (section 5.4), but not within one.
"""

from __future__ import annotations

import os

#: Bytes of a head without a long length and a key; of such lengths, by what stands in their place; of a key.
_HEAD, _LONG, _KEY = 2, {126: 2, 127: 8}, 4


class FrameEnds:
    """How far the frame is that is passing."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        #: The head of the frame, as long as that is not whole; bytes of its payload that are still to come.
        self._head = b""
        self._left = 0

    @property
    def is_between(self) -> bool:
        """Whether no frame has begun."""
        return not self._left and not self._head

    def first_end(self, data: bytes) -> int:
        """How many bytes of *data*, which passes next, belong to the frame that has begun."""
        return self._pass(data, 0) if not self.is_between else 0

    def passes(self, data: bytes) -> None:
        """All of *data* passes."""
        at = 0
        while at < len(data):
            at = self._pass(data, at)

    def _pass(self, data: bytes, at: int) -> int:
        """Pass the rest of one frame, as far as *data* has it from *at* on; where that ends."""
        while not self._left and at < len(data):
            taken = data[at : at + _bytes_of(self._head) - len(self._head)]
            self._head += taken
            at += len(taken)
            if len(self._head) == _bytes_of(self._head):
                self._left, self._head = _length_in(self._head), b""
                break
        size = min(self._left, len(data) - at)
        self._left -= size
        return at + size


def _bytes_of(head: bytes) -> int:
    """Of the head that begins like that, as far as it is known."""
    if len(head) < _HEAD:
        return _HEAD
    return _HEAD + _LONG.get(head[1] & 0x7F, 0) + (_KEY if head[1] & 0x80 else 0)


def _length_in(head: bytes) -> int:
    """Of the payload behind a *head*."""
    short = head[1] & 0x7F
    return int.from_bytes(head[_HEAD : _HEAD + _LONG[short]], "big") if short in _LONG else short


def closing(code: int, masked: bool) -> bytes:
    """A close frame with *code*; *masked*: as clients send it."""
    payload = code.to_bytes(2, "big")
    if not masked:
        return b"\x88\x02" + payload
    key = os.urandom(_KEY)
    return b"\x88\x82" + key + bytes(byte ^ key[at] for at, byte in enumerate(payload))
