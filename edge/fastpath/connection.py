"""What the Python fast path knows of one connection; ``src/edge_loop.h`` draws the states."""

from __future__ import annotations

import socket

IDLE, READING, WRITING, LINGER, HANDED = range(5)


class Connection:
    """One accepted connection.  Its socket is None while Twisted has it."""

    __slots__ = ("closing", "deadline", "input", "listener", "output", "peer", "socket", "state", "watched")

    def __init__(self, sock: socket.socket, listener: int, peer: bytes, deadline: float) -> None:
        self.socket: socket.socket | None = sock
        self.listener = listener
        self.peer = peer
        self.state = IDLE
        self.deadline = deadline
        self.input = b""
        self.output = b""
        self.closing = False  # after the output is sent
        self.watched = False  # in the epoll set
