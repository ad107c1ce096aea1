"""A server that answers as no server should, over TCP, in threads of this process."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

#: Path -> what is said to whoever asks for it; then the connection is closed.
SAID: dict[str, bytes] = {
    "/nonsense": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "/empty": b"",
    "/half-a-head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "/two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "/both": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "/split": b"HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
    "/switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "/http2": b"HTTP/2.0 200 OK\r\n\r\n",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    "/short-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "/bad-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdefg\r\n",
    "/two-answers": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "/fine": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
}


class HostileServer:
    """It listens from :meth:`start` to :meth:`stop`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        #: Paths that were asked for.
        self.asked: list[str] = []
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """End; connections that are open end soon."""
        self._stopped.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            asked = b""
            while b"\r\n\r\n" not in asked:
                piece = connection.recv(65536)
                if not piece:
                    return
                asked += piece
            path = asked.split(b" ")[1].decode()
            self.asked.append(path)
            special = self._specials().get(path)
            if special is not None:
                special(connection)
            else:
                connection.sendall(SAID[path])

    def _specials(self) -> dict[str, Callable[[socket.socket], None]]:
        return {"/endless-head": self._endless, "/reset": _reset, "/silent": self._silent}

    def _endless(self, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not self._stopped.is_set():
            connection.sendall(b"A: " + b"b" * 1000 + b"\r\n")

    def _silent(self, connection: socket.socket) -> None:
        self._stopped.wait(30)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
