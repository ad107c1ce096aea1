"""A server whose answers never end, though each byte comes in time."""

from __future__ import annotations

import contextlib
import socket
import threading


class Trickling:
    """A server that sends a beginning, and then a byte now and then."""

    def __init__(self, beginning: bytes) -> None:
        self._beginning = beginning
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listening.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(self._beginning)
            while not self._ended.wait(0.02):
                connection.sendall(b"x")

    def close(self) -> None:
        self._ended.set()
        self._thread.join(20)
        self._listening.close()
