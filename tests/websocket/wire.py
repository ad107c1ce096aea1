"""A WebSocket client of bytes and nothing else: it sends what no library would, and reads strictly."""

from __future__ import annotations

import os
import select
import socket
import ssl
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
PATIENCE = 20.0
#: Bytes sent or read at a time.
_PIECE = 1 << 17

_HANDSHAKE = (
    b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
#: Of the key above: the example in RFC 6455, section 1.3.
_ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Frame(NamedTuple):
    """One frame that came; control frames and unfragmented messages look the same here."""

    opcode: int
    payload: bytes


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A masked frame (section 5.2); *rsv*: the three reserved bits, 0 to 7."""
    head = bytearray([fin << 7 | rsv << 4 | opcode])
    size = len(payload)
    if size < 126:
        head.append(0x80 | size)
    elif size < 65_536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    stream = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")
    return bytes(head) + mask + masked


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """A close frame; without *code* it is empty."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


class Peer:
    """The client's end of one connection to *path*.

    It reads whenever it waits, or both ends might wait for the other's reading.
    """

    def __init__(self, connection: socket.socket, path: bytes) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._ended = False
        connection.setblocking(False)
        self.send(_HANDSHAKE % path)
        while b"\r\n\r\n" not in self._buffer:
            assert self._more(), f"no handshake: {bytes(self._buffer)!r}"
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert _ACCEPT in head, head

    def send(self, data: bytes) -> None:
        """Send, unless the server does not listen any more."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._connection.send(rest[:_PIECE]) :]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._wait(writing=True)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return
            self._read()

    def next(self) -> Frame | None:
        """The next frame; None at the end of the connection, which may not be within a frame."""
        head = self._take(2, may_end=True)
        if head is None:
            return None
        first, second = head
        assert first & 0x80, "our server does not fragment"
        assert not first & 0x70, "reserved bits are set"
        assert not second & 0x80, "a server's frame is masked"
        size = second
        if size > 125:
            assert first & 0x0F < CLOSE, "a control frame with more than 125 bytes"
            size = int.from_bytes(self._take(2 if size == 126 else 8) or b"", "big")
        return Frame(first & 0x0F, self._take(size) or b"")

    def _take(self, size: int, may_end: bool = False) -> bytes | None:
        while len(self._buffer) < size:
            if not self._more():
                assert may_end and not self._buffer, "the connection ends within a frame"
                return None
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _more(self) -> bool:
        """Wait for more; False at the end."""
        while not self._read():
            if self._ended:
                return False
            self._wait()
        return True

    def _read(self) -> bool:
        """Take what has come; whether that is something."""
        try:
            data = b"" if self._ended else self._connection.recv(_PIECE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        self._ended = not data
        self._buffer += data
        return bool(data)

    def _wait(self, writing: bool = False) -> None:
        one = [self._connection]
        ready = select.select(one, one if writing else [], [], PATIENCE)
        assert ready[0] or ready[1], f"nothing came in {PATIENCE:.0f} s"
