"""One connection of the Python fast path, and its states, which ``src/edge_loop.h`` draws."""

from __future__ import annotations

import socket
from enum import Enum, auto


class State(Enum):
    """What a connection waits for."""

    #: The first byte of a request.
    IDLE = auto()
    #: The rest of one.
    READING = auto()
    #: Its peer, to take what is left of an answer.
    WRITING = auto()
    #: Its peer, to read what was sent before our side was closed (RFC 9112 section 9.6).
    LINGER = auto()
    #: Twisted, which has it.
    HANDED = auto()


class Connection:
    """One accepted connection.  Its socket is None while Twisted has it."""

    __slots__ = ("closing", "deadline", "input", "listener", "output", "peer", "socket", "state", "watched")

    def __init__(self, sock: socket.socket, listener: int, peer: bytes, deadline: float) -> None:
        self.socket: socket.socket | None = sock
        self.listener = listener
        self.peer = peer
        self.state = State.IDLE
        self.deadline = deadline
        self.input = b""
        self.output = b""
        self.closing = False  # after the output is sent
        self.watched = False  # in the epoll set
