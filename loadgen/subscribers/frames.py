"""WebSocket frames (RFC 6455 section 5), the client's side.

Sans-IO: bytes in, events out; what is sent is masked.

Headers, masks and UTF-8 are wsproto's.  What it leaves open is here: how large a message may be, and whether
a reader is between two messages (:attr:`FrameReader.resting`), so that a connection that rests needs none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wsproto.frame_protocol import (
    LOCAL_ONLY_CLOSE_REASONS,
    CloseReason,
    Frame,
    FrameDecoder,
    FrameProtocol,
    MessageDecoder,
    Opcode,
    ParseFailed,
)

#: Bytes of one message: a load document has some 250 for each node.
MESSAGE_BYTES = 1 << 20


class Ping(NamedTuple):
    """A ping, to be answered with :func:`pong`."""

    payload: bytes


class Close(NamedTuple):
    """A close frame of the server; 1005: without a code."""

    code: int


#: A text message, a binary one, or one of the above.
Event = str | bytes | Ping | Close


class FrameError(Exception):
    """What came is no WebSocket; *code* is for the close frame."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class FrameReader:
    """The reader of what a server sends on one connection."""

    def __init__(self) -> None:
        self._frames = FrameDecoder(client=True)
        self._messages = MessageDecoder()
        self._parts: list[str | bytes] = []
        self._size = 0

    @property
    def resting(self) -> bool:
        """Whether it is between two messages: a new reader would read on as well as this one."""
        between = self._frames.header is None and not len(self._frames.buffer)
        return between and self._messages.opcode is None

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events that *data* completes; nothing comes after a :class:`Close`.

        :raises FrameError: after all that came before it.
        """
        self._frames.receive_bytes(data)
        try:
            while (frame := self._frames.process_buffer()) is not None:
                if not frame.opcode.iscontrol():
                    yield from self._message(frame)
                elif frame.opcode is Opcode.PING:
                    yield Ping(bytes(frame.payload))  # type: ignore[arg-type]
                elif frame.opcode is Opcode.CLOSE:
                    yield Close(_code(bytes(frame.payload)))  # type: ignore[arg-type]
                    return
        except ParseFailed as error:
            raise FrameError(str(error), error.code) from None

    def _message(self, frame: Frame) -> Iterator[str | bytes]:
        """The message, if *frame* is its end."""
        header = self._frames.header
        coming = header.payload_len if header is not None else 0
        self._size += len(frame.payload)
        if max(self._size, coming) > MESSAGE_BYTES:
            raise FrameError(f"more than {MESSAGE_BYTES} bytes", CloseReason.MESSAGE_TOO_BIG)
        part = self._messages.process_frame(frame)
        if part.payload:  # a stranger may send empty ones without end
            self._parts.append(part.payload)  # type: ignore[arg-type]
        if part.message_finished:
            parts, self._parts, self._size = self._parts, [], 0
            text = part.opcode is Opcode.TEXT
            yield "".join(parts) if text else b"".join(parts)  # type: ignore[arg-type]


#: Control frames have no state in it.
_CLIENT = FrameProtocol(client=True, extensions=[])


def pong(payload: bytes) -> bytes:
    """A pong frame: the answer to a ping."""
    return bytes(_CLIENT.pong(payload))


def close(code: int) -> bytes:
    """A close frame with *code*."""
    return bytes(_CLIENT.close(CloseReason.NORMAL_CLOSURE if code in LOCAL_ONLY_CLOSE_REASONS else code))


def _code(payload: bytes) -> int:
    """The code in a close frame; what follows it is for people."""
    if not payload:
        return CloseReason.NO_STATUS_RCVD
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not 1000 <= code < 5000 or code in LOCAL_ONLY_CLOSE_REASONS:
        raise FrameError("a close frame without a valid code", CloseReason.PROTOCOL_ERROR)
    return code
