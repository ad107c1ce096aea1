"""TLS of many connections in Python, over their descriptors; the twin of ``NativeLinks``."""

from __future__ import annotations

import select
import socket
import ssl

from loadgen.trust import Trust, context
from loadgen.wire.interface import SESSIONS
from loadgen.wire.links import PIECE, LinkError, Writes
from loadgen.wire.secure import SecureSocket, error_of


class PythonLinks(Writes):
    """Connections over :mod:`ssl`; implements :class:`loadgen.wire.links.Links`."""

    def __init__(self, trust: Trust) -> None:
        super().__init__()
        self._context = context(trust)
        self._links: dict[int, SecureSocket] = {}
        self._of: dict[int, tuple[int, int]] = {}
        self._sessions: dict[tuple[int, int], list[ssl.SSLSession]] = {}

    def begin(self, fd: int, user: int, node: int, name: str) -> None:
        kept = self._sessions.get((user, node))
        below = socket.socket(fileno=fd)
        self._links[fd] = SecureSocket(below, self._context, name, kept.pop() if kept else None)
        self._of[fd] = user, node

    def shake(self, fd: int) -> int:
        link = self._links[fd]
        try:
            if link.handshake():
                return 0
        except OSError as error:
            raise LinkError(error_of(error)) from None
        return select.EPOLLOUT if link.owes else select.EPOLLIN

    def resumed(self, fd: int) -> bool:
        return self._links[fd].is_resumed

    def read(self, fd: int) -> tuple[bytes, bool]:
        link = self._links[fd]
        try:
            data = link.recv(PIECE)
        finally:
            self._keep_session(fd, link)
        return data, bool(data) and link.is_ended

    def _keep_session(self, fd: int, link: SecureSocket) -> None:
        """Keep the ticket that has come, if one has."""
        session = link.new_session()
        if session is not None:
            kept = self._sessions.setdefault(self._of[fd], [])
            kept.append(session)
            del kept[:-SESSIONS]

    def _send(self, fd: int, data: bytes) -> None:
        self._links[fd].send(data)

    def end(self, fd: int) -> None:
        self._owed.pop(fd, None)
        del self._of[fd]
        self._links.pop(fd).end()

    def close(self) -> None:
        self._sessions.clear()
