"""One connection of the Python fast path, and its states and transitions, which ``src/edge_loop.h`` draws."""

from __future__ import annotations

import socket
from array import array
from enum import Enum, auto
from fcntl import ioctl
from termios import TIOCOUTQ


class State(Enum):
    """What a connection waits for."""

    #: Nothing: it is not counted yet, or not any more.
    FREE = auto()
    #: The first byte of a request.
    IDLE = auto()
    #: What TLS is agreed upon with; the twin has no TLS, and never is in this state.
    HANDSHAKE = auto()
    #: The rest of one.
    READING = auto()
    #: Its peer, to take what is left of an answer.
    WRITING = auto()
    #: Its peer, to read what was sent before our side was closed (RFC 9112 section 9.6).
    LINGER = auto()
    #: Twisted, which has it.
    HANDED = auto()
    #: A WebSocket of the push service: a frame, or time to ping.
    SOCKET = auto()


_S = State
_ALL = frozenset(State) - {State.SOCKET}
_AFTER_TLS = _ALL - {State.HANDSHAKE}
#: The states that may follow each.
TRANSITIONS = {
    _S.FREE: frozenset({_S.IDLE}),
    _S.IDLE: _ALL | {_S.SOCKET},
    _S.HANDSHAKE: _AFTER_TLS - {_S.READING},
    _S.READING: _AFTER_TLS | {_S.SOCKET},
    _S.WRITING: frozenset({_S.IDLE, _S.HANDSHAKE, _S.LINGER, _S.FREE, _S.SOCKET}),
    _S.LINGER: frozenset({_S.FREE}),
    _S.HANDED: frozenset({_S.IDLE, _S.FREE, _S.SOCKET}),
    _S.SOCKET: frozenset({_S.SOCKET, _S.WRITING, _S.LINGER, _S.HANDED, _S.FREE}),
}


def unacknowledged(descriptor: int) -> int:
    """Bytes that the kernel took and the peer has not acknowledged; 0 also for a connection that is gone.

    Of TCP alone: Unix sockets count memory there.  What the kernel took says little of the peer: it takes
    much at once when a slow one has made room, and nothing in between.
    """
    queued = array("i", [0])
    try:
        ioctl(descriptor, TIOCOUTQ, queued)  # tcp(7): SIOCOUTQ
    except OSError:
        return 0
    return queued[0]


#: Unacknowledged bytes: a connection that the kernel has more of is not left to it, where no limit counts it.
OWED_BYTES = 16 * 1024


class Connection:
    """One accepted connection.  Its socket is None while Twisted has it."""

    __slots__ = (
        "client",
        "closing",
        "deadline",
        "input",
        "is_socket",
        "listener",
        "output",
        "owed",
        "peer",
        "socket",
        "state",
        "unnamed",
        "watched",
    )

    def __init__(self, sock: socket.socket, listener: int, peer: bytes) -> None:
        self.socket: socket.socket | None = sock
        self.listener = listener
        self.peer = peer
        self.state = State.FREE
        self.deadline = 0.0  # of the fast path's clock
        self.input = b""
        self.output = b""
        self.owed = 0  # WRITING: what the peer had still to acknowledge when the deadline was set
        self.closing = False  # after the output is sent
        self.watched = False  # in the epoll set
        self.is_socket = False  # a WebSocket of the push service
        self.unnamed = False  # its proxy has still to say whom it has accepted
        self.client: bytes | None = None  # whom its proxy has said that it has

    @property
    def buffered(self) -> int:
        """Bytes that outlive a turn."""
        return len(self.input) + len(self.output)
