"""A server's side of WebSocket for tests, by wsproto: it says what a test wants it to say."""

from __future__ import annotations

import re
import socket
import time

from wsproto.frame_protocol import FrameProtocol
from wsproto.utilities import generate_accept_token

from loadgen.subscribers import Pushes, Subscribers, Timeouts
from loadgen.targets import Target
from loadgen.trust import Trust

PATIENCE = 60.0


def text(message: str) -> bytes:
    """A text frame."""
    return bytes(FrameProtocol(client=False, extensions=[]).send_data(message))


def changed(number: int) -> bytes:
    """What a node pushes when its site is new."""
    return text(f'{{"type": "changed", "seq": {number}}}')


def load(at: int) -> bytes:
    """What a node pushes all the time."""
    return text(f'{{"type": "load", "document": {{"v": 1, "at": {at}, "nodes": []}}}}')


def word(at: int) -> bytes:
    """The same in a word: version 2 of the feed."""
    message = b"\4\0\0\5" + at.to_bytes(6, "big") + b"kJ3xZt"
    return bytes(FrameProtocol(client=False, extensions=[]).send_data(message))


def accepted(request: bytes) -> bytes:
    """The answer that opens the connection that *request* asks for."""
    found = re.search(rb"Sec-WebSocket-Key: (\S+)\r\n", request)
    assert found is not None, request
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + generate_accept_token(found[1]) + b"\r\n\r\n"
    )


class Server:
    """Listens on loopback; both sides of all connections are run by the test."""

    def __init__(self, name: str = "") -> None:
        """*name*: it speaks TLS, and this is in its certificate."""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        address = self.socket.getsockname()
        self.target = Target(address, socket.AF_INET, f"localhost:{address[1]}", "/", name)

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()


class Crowd:
    """Some subscribers, and what they have received."""

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        topics: tuple[str, ...] = ("changed",),
        wire: str = "auto",
        trust: Trust | None = None,
    ) -> None:
        self.subscribers = Subscribers(topics, timeouts, 1, wire, trust)
        self.pushes: list[Pushes] = []

    def run(self) -> None:
        """Let them do what they have to do just now."""
        self.pushes.append(self.subscribers.run(time.monotonic_ns() + 2_000_000))

    def until(self, condition: object, what: str) -> None:
        """Run until *condition* returns something true."""
        assert callable(condition)
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"waited in vain until {what}: {self.subscribers.errors}"
            self.run()

    def accepted(self, server: Server) -> socket.socket:
        """The next connection to *server*."""
        server.socket.setblocking(False)
        found: list[socket.socket] = []

        def come() -> bool:
            try:
                found.append(server.socket.accept()[0])
            except BlockingIOError:
                return False
            return True

        self.until(come, "one is connected")
        found[0].setblocking(False)
        return found[0]

    def taken(self, server: Server) -> tuple[socket.socket, bytes]:
        """The next connection to *server*, and the request on it."""
        connection = self.accepted(server)
        return connection, self.heard(connection, b"\r\n\r\n")

    def heard(self, connection: socket.socket, end: bytes = b"", size: int = 0) -> bytes:
        """What comes on *connection*: until *end* has come and *size* bytes; all, if neither is given."""
        data = bytearray()

        def whole() -> bool:
            try:
                piece = connection.recv(65536)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                piece = b""
            data.extend(piece)
            return not piece or (bool(end or size) and end in data and len(data) >= size)

        self.until(whole, f"{end!r} has come")
        return bytes(data)

    def opened(self, server: Server, greeting: bytes = b"") -> socket.socket:
        """A connection to *server* with the handshake done."""
        connection, request = self.taken(server)
        before = self.subscribers.opened
        connection.sendall(accepted(request) + greeting)
        self.until(lambda: self.subscribers.opened > before, "the handshake is done")
        return connection

    def count(self) -> int:
        """Pushes so far."""
        return sum(len(pushes.kind) for pushes in self.pushes)
