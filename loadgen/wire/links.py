"""TLS over descriptors that somebody else holds and waits for: what a shell beside the wire speaks it with.

:func:`loadgen.wire.select_links` picks the build: that of ``native.py`` over ``src/wire_tls_client.c``, or
that of ``python_links.py`` over ``secure.py``, its twin.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

#: Bytes read at a time.
PIECE = 16 * 1024


class LinkError(Exception):
    """A handshake that has failed; ``error`` is a number of :mod:`loadgen.wire.interface`."""

    def __init__(self, error: int) -> None:
        super().__init__(error)
        self.error = error


class Links(Protocol):
    """The TLS of many connections, each named by its descriptor, which does not block."""

    def begin(self, fd: int, user: int, node: int, name: str) -> None:
        """Speak TLS on *fd*, with the server that has *name* in its certificate; OSError: no memory.

        *user*, *node*: whose sessions are offered.
        """

    def shake(self, fd: int) -> int:
        """Go on with the handshake; 0: it is over, else the event of epoll to wait for.

        :raises LinkError: it has failed.
        """

    def resumed(self, fd: int) -> bool:
        """Whether the server took a session of before."""

    def read(self, fd: int) -> tuple[bytes, bool]:
        """As os.read, and whether there is more of which no event tells; BlockingIOError, OSError."""

    def write(self, fd: int, data: bytes) -> int:
        """As os.write, whole or not at all: BlockingIOError.

        What was begun so goes before anything else, also if it is not given again.
        """

    def end(self, fd: int) -> None:
        """Say goodbye, and forget it; *fd* stays open."""

    def close(self) -> None:
        """Forget all sessions; every link has ended."""


class Writes(ABC):
    """The writing of :class:`Links`: of a record that was begun, these very bytes have to come again."""

    def __init__(self) -> None:
        #: What a link began to write, and could not.
        self._owed: dict[int, bytes] = {}

    def write(self, fd: int, data: bytes) -> int:
        """As :meth:`Links.write`."""
        if (owed := self._owed.get(fd)) is not None:
            self._write(fd, owed)
            del self._owed[fd]
            if owed == data:
                return len(data)
        self._write(fd, data)
        return len(data)

    @abstractmethod
    def _send(self, fd: int, data: bytes) -> None:
        """Write all of *data*, or nothing: BlockingIOError, OSError."""

    def _write(self, fd: int, data: bytes) -> None:
        try:
            self._send(fd, data)
        except BlockingIOError:
            self._owed[fd] = data
            raise
