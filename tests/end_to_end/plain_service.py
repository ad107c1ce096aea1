"""A program that speaks edge-app/1 with sockets alone, written from docs/reference/edge-app.md.

It imports nothing of this project.  ``python plain_service.py SOCKET``; it ends when its standard input does.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import sys
from typing import Any

WINDOW = 65_536


def pack(value: Any) -> bytes:
    """*value* in MessagePack: nil, flags, positive integers, bytes, arrays."""
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value]) if value < 128 else b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))


def unpack(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value at *at*, and where it ends."""
    code = data[at]
    at += 1
    if code < 128:
        return code, at
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], at
    if 0x90 <= code < 0xA0:
        return items(data, at, code & 15)
    size = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xDC: 2, 0xDD: 4}[code]
    number = int.from_bytes(data[at : at + size], "big")
    at += size
    if code in (0xDC, 0xDD):
        return items(data, at, number)
    return (data[at : at + number], at + number) if code <= 0xC6 else (number, at)


def items(data: bytes, at: int, count: int) -> tuple[list[Any], int]:
    """So many values from *at* on."""
    found = []
    for _ in range(count):
        value, at = unpack(data, at)
        found.append(value)
    return found, at


class Connection:
    """One connection of a worker."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.rest = b""
        #: Number -> (method, target, body so far).
        self.asked: dict[int, tuple[bytes, bytes, bytes]] = {}
        #: Number -> bytes that wait for credit; and how many may be sent.
        self.waiting: dict[int, bytes] = {}
        self.credit: dict[int, int] = {}
        #: Number of a change -> the exchange that waits for it.
        self.changes: dict[int, int] = {}
        self.say(8, 1, 50)

    def say(self, *message: Any) -> None:
        array = pack(list(message))
        self.socket.sendall(struct.pack(">I", len(array)) + array)

    def readable(self) -> bool:
        """Take what has come; false: it is closed."""
        data = self.socket.recv(100_000)
        self.rest += data
        while len(self.rest) >= 4:
            (length,) = struct.unpack(">I", self.rest[:4])
            if len(self.rest) < 4 + length:
                break
            message, _ = unpack(self.rest[4 : 4 + length])
            self.rest = self.rest[4 + length :]
            self.take(*message)
        return bool(data)

    def take(self, kind: int, *told: Any) -> None:
        if kind == 1:
            number, method, target = told[0], told[1], told[2]
            self.asked[number] = method, target, told[8]
            self.credit[number] = WINDOW
            if not told[9]:
                self.answer(number)
        elif kind == 3 and told[0] in self.asked:
            number, piece, more = told[:3]
            method, target, body = self.asked[number]
            self.asked[number] = method, target, body + piece
            if more:
                self.say(4, number, len(piece))
            else:
                self.answer(number)
        elif kind == 4 and told[0] in self.waiting:
            self.credit[told[0]] += told[1]
            self.send(told[0])
        elif kind == 5:
            self.waiting.pop(told[0], None)
        elif kind == 7:
            self.say(2, self.changes.pop(told[0]), 200, [], None, b"settled by all but %d" % told[1], False)
        elif kind == 10:
            self.say(10, told[0], [[b"x-opened", b"yes"]], told[7][0] if told[7] else b"")
        elif kind == 11:
            self.say(4, told[0], len(told[1]))
            self.say(11, told[0], told[1][::-1], told[2], told[3])
            if told[1] == b"bye":
                self.say(12, told[0], 1000, b"bye")

    def answer(self, number: int) -> None:
        method, target, body = self.asked.pop(number)
        if target.endswith(b"/changed"):
            self.changes[1] = number
            self.say(6, 1, [b"everything"])
        elif target.endswith(b"/drain"):
            self.say(9)
            self.say(2, number, 200, [], None, b"draining", False)
        elif target.endswith(b"/big"):
            self.say(2, number, 200, [], 3 * WINDOW, b"", True)
            self.waiting[number] = b"0123456789abcdef" * (3 * WINDOW // 16)
            self.send(number)
        elif target.endswith(b"/lies"):
            self.say(2, number, 200, [], 10, b"more than ten bytes", False)
        elif target.endswith(b"/garbage"):
            self.socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        elif target.endswith(b"/gone"):
            os._exit(1)
        else:
            said = b"%s %s %d bytes" % (method, target, len(body))
            self.say(2, number, 200, [[b"content-type", b"text/plain"]], len(said), said, False)

    def send(self, number: int) -> None:
        """Send of what waits as much as there is credit for."""
        piece = self.waiting[number][: self.credit[number]]
        if piece:
            rest = self.waiting[number] = self.waiting[number][len(piece) :]
            self.credit[number] -= len(piece)
            self.say(3, number, piece, bool(rest), [] if rest else [[b"x-trailer", b"t"]])
            if not rest:
                del self.waiting[number]


def main(path: str) -> None:
    """Serve at *path*."""
    listener = socket.socket(socket.AF_UNIX)
    os.umask(0o177)
    listener.bind(path)
    listener.listen()
    print("listening", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(0, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fd == 0:
                return
            if key.fileobj is listener:
                connected, _ = listener.accept()
                selector.register(connected, selectors.EVENT_READ, Connection(connected))
            elif not key.data.readable():
                selector.unregister(key.fileobj)
                key.data.socket.close()


if __name__ == "__main__":
    main(sys.argv[1])
