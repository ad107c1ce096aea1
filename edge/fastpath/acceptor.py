"""Listening sockets of the Python fast path: connection limits, and backpressure when descriptors run out."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable, Iterable
from typing import NamedTuple

from edge.fastpath.interface import Limits
from edge.networks import NO_ADDRESS, NOWHERE, Networks, address_of_text
from edge.shares import NOBODY, Pool, network_of
from edge.table.counters import INDEX

#: Seconds without accepting after the process or the machine ran out of descriptors or memory.
PAUSE_SECONDS = 1.0
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """A listening socket and what is to be done with its connections."""

    __slots__ = ("number", "recognise", "shared", "socket", "watched")

    def __init__(self, sock: socket.socket, number: int, recognise: bool, shared: bool) -> None:
        self.socket = sock
        self.number = number
        self.recognise = recognise
        self.shared = shared
        #: In the epoll set.
        self.watched = False


class Accepted(NamedTuple):
    """A connection; *socket* None: it met a limit and is closed already."""

    socket: socket.socket | None
    #: What its address counts as: see :func:`edge.shares.network_of`.
    peer: bytes
    #: Its peer speaks the PROXY protocol.
    unnamed: bool = False


class Acceptor:
    """The listening sockets of a fast path, and its connections by address.

    Registers them in *poll*; *count* is called with a counter's index.
    """

    def __init__(
        self,
        poll: select.epoll,
        limits: Limits,
        count: Callable[[int], None],
        proxies: Networks = NOWHERE,
        trusted: Networks = NOWHERE,
    ) -> None:
        """*proxies*, *trusted*: see :class:`edge.fastpath.interface.Settings`."""
        self._proxies, self._trusted = proxies, trusted
        self._poll = poll
        self._limits = limits
        self._count = count
        self._listeners: dict[int, Listener] = {}
        self._places = Pool(limits.connections)
        self._resume_at: float | None = None

    def listen(self, fd: int, number: int, recognise: bool, shared: bool) -> None:
        """Adds a listening socket (not owned)."""
        sock = socket.socket(fileno=fd)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        listener = Listener(sock, number, recognise, shared)
        self._listeners[fd] = listener
        self._watch(listener)

    def listener(self, fd: int) -> Listener | None:
        """The listener with this descriptor."""
        return self._listeners.get(fd)

    def listeners(self) -> Iterable[Listener]:
        """Every listening socket of this fast path."""
        return self._listeners.values()

    def recognises(self, number: int) -> bool:
        """Whether the fast path answers on the listener with this *number*."""
        return any(one.recognise for one in self._listeners.values() if one.number == number)

    def accept(self, listener: Listener, now: float) -> Accepted | None:
        """The next connection; None: no more for now."""
        try:
            sock, address = listener.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError as error:
            if error.errno in _EXHAUSTED:  # a level-triggered listener would spin
                self.stop()
                self._resume_at = now + PAUSE_SECONDS
            return None
        self._count(INDEX["accepts"])
        sock.setblocking(False)
        host = address[0] if isinstance(address, tuple) else ""
        known = address_of_text(host.partition("%")[0].encode()) or NO_ADDRESS
        unnamed = self._proxies.holds(known)
        # Proxies are many visitors: they are not told apart by theirs.
        peer = self._counted("" if unnamed or self._trusted.holds(known) else host)
        if self.enter(peer):
            return Accepted(sock, peer, unnamed)
        sock.close()
        return Accepted(None, b"")

    def _counted(self, host: str) -> bytes:
        limits = self._limits
        return network_of(host, limits.ipv6_prefix) if host and limits.connections_per_address else NOBODY

    def enter(self, peer: bytes) -> bool:
        """Counts a connection of *peer*; False: that has too many."""
        most = self._limits.connections_per_address
        within = not most or peer == NOBODY or self._places.held(peer) < most
        if within and self._places.take(peer):
            return True
        self._count(INDEX["refused_address" if self._places.free else "refused_total"])
        return False

    def move(self, peer: bytes, client: str) -> bytes | None:
        """A connection counted as *peer* is with *client*: what it counts as from now on; None: too many."""
        named = self._counted(client)
        if not self.enter(named):
            return None
        self.leave(peer)
        return named

    def leave(self, peer: bytes) -> None:
        """A connection of *peer* has ended."""
        self._places.give(peer)

    def resume(self, now: float) -> None:
        """Accepts again if it was paused long enough ago."""
        if self._resume_at is not None and now >= self._resume_at:
            self._resume_at = None
            for listener in self._listeners.values():
                self._watch(listener)

    def stop(self) -> None:
        """Accepts no more: who connects waits in the listen queue."""
        for listener in self._listeners.values():
            self._unwatch(listener)

    def close(self) -> None:
        """Lets go of the listening sockets without closing them."""
        for listener in self._listeners.values():
            listener.socket.detach()

    def _watch(self, listener: Listener) -> None:
        if not listener.watched:
            listener.watched = True
            exclusive = select.EPOLLEXCLUSIVE if listener.shared else 0
            self._poll.register(listener.socket, select.EPOLLIN | exclusive)

    def _unwatch(self, listener: Listener) -> None:
        if listener.watched:
            listener.watched = False
            self._poll.unregister(listener.socket)
