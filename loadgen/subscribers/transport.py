"""Bytes over the sockets of a process: of some in the clear, of others over TLS.

Names of sockets are their descriptors, as everywhere in this room.
"""

from __future__ import annotations

import os
import socket
import time

from loadgen.targets import Target
from loadgen.trust import Trust
from loadgen.wire import select_links
from loadgen.wire.interface import ERRORS, Handshake
from loadgen.wire.links import PIECE, LinkError, Links

#: Subscribers that keep sessions of their own: more than a process has descriptors.
_USERS = 1 << 20


class TransportError(Exception):
    """A TLS handshake that has failed; str() is one of few reasons, to be counted by."""


class Transport:
    """What sockets are read and written by."""

    def __init__(self, kind: str = "auto", trust: Trust | None = None) -> None:
        """*kind*: of TLS, as of :func:`loadgen.wire.select`; *trust*: whose certificates are good."""
        self._kind, self._trust = kind, trust or Trust()
        self._links: Links | None = None
        #: Of sockets over TLS: their node, and since when they shake hands (0: not yet).
        self._shaking: dict[int, tuple[int, int]] = {}
        #: Descriptors that are over TLS.
        self.secure: set[int] = set()
        self._users: dict[int, int] = {}
        self._free: list[int] = []
        self._handshakes: list[Handshake] = []

    def begin(self, fd: int, number: int, node: Target) -> None:
        """*fd* is on its way to *node*, which has that *number*; OSError."""
        if not node.name:
            return
        if self._links is None:
            self._links = select_links(self._kind, _USERS, self._trust)
        user = self._free.pop() if self._free else len(self._users)
        self._links.begin(fd, user, number, node.name)
        self._users[fd] = user
        self.secure.add(fd)
        self._shaking[fd] = number, 0

    def shake(self, fd: int) -> int:
        """Go on with the handshake of TLS; 0: it is over, or there is none, else the event to wait for.

        :raises OSError: there is no connection.
        :raises TransportError: the handshake has failed.
        """
        if fd not in self._shaking:
            return 0
        assert self._links is not None
        node, since = self._shaking[fd]
        if not since:
            _check_connected(fd)
            since = time.monotonic_ns()
            self._shaking[fd] = node, since
        try:
            awaited = self._links.shake(fd)
        except LinkError as error:
            raise TransportError(ERRORS[error.error]) from None
        if not awaited:
            del self._shaking[fd]
            took = time.monotonic_ns() - since
            self._handshakes.append(Handshake(node, int(self._links.resumed(fd)), took))
        return awaited

    def take_handshakes(self) -> list[Handshake]:
        """Those that were completed since the last call."""
        taken, self._handshakes = self._handshakes, []
        return taken

    def read(self, fd: int) -> tuple[bytes, bool]:
        """As os.read, and whether there is more of which no event tells; BlockingIOError, OSError."""
        if fd not in self.secure:
            return os.read(fd, PIECE), False
        assert self._links is not None
        return self._links.read(fd)

    def write(self, fd: int, data: bytes) -> int:
        """As os.write; over TLS whole or not at all: BlockingIOError, OSError."""
        if fd not in self.secure:
            return os.write(fd, data)
        assert self._links is not None
        return self._links.write(fd, data)

    def end(self, fd: int) -> None:
        """Close *fd*; over TLS with its goodbye."""
        if fd in self.secure:
            assert self._links is not None
            self._links.end(fd)
            self.secure.discard(fd)
            self._shaking.pop(fd, None)
            self._free.append(self._users.pop(fd))
        os.close(fd)

    def close(self) -> None:
        """Forget the sessions of TLS; every socket has ended."""
        if self._links is not None:
            self._links.close()
            self._links = None


def _check_connected(fd: int) -> None:
    """:exc:`OSError`: why there is no connection."""
    looking = socket.socket(fileno=fd)
    try:
        error = looking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    finally:
        looking.detach()
    if error:
        raise OSError(error, os.strerror(error))
