"""The fast path in pure Python: the specification of ``edge_loop.c``, and what serves without a compiler.

A connection at rest is a file descriptor and a small tuple-like object; the states and deadlines are
those that ``src/edge_loop.h`` draws.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import time
from collections import Counter
from collections.abc import Callable

from edge.fastpath.answerer import PythonAnswerer
from edge.fastpath.interface import Handoff, Sample, Settings
from edge.http.answer import error_answer
from edge.http.dates import format_date
from edge.table.counters import INDEX
from edge.table.segment import Segment

_EVENTS = 256
_ROUNDS = 8
_ACCEPTS = 64
_HANDOFFS = 256
_INPUT_BYTES = 172_032
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 256 * 1024
_READ = select.EPOLLIN | select.EPOLLRDHUP

_IDLE, _READING, _WRITING, _LINGER, _HANDED = range(5)


class _Connection:
    """One accepted connection.  Its socket is None while Twisted has it."""

    __slots__ = ("closing", "deadline", "input", "listener", "output", "peer", "socket", "state", "watched")

    def __init__(self, sock: socket.socket, listener: int, peer: bytes, deadline: float) -> None:
        self.socket: socket.socket | None = sock
        self.listener = listener
        self.peer = peer
        self.state = _IDLE
        self.deadline = deadline
        self.input = b""
        self.output = b""
        self.closing = False  # after the output is sent
        self.watched = False  # in the epoll set


class _Listener:
    __slots__ = ("number", "recognise", "shared", "socket", "watched")

    def __init__(self, sock: socket.socket, number: int, recognise: bool, shared: bool) -> None:
        self.socket = sock
        self.number = number
        self.recognise = recognise
        self.shared = shared
        self.watched = False


class PythonFastPath:
    """See :class:`edge.fastpath.interface.FastPath`."""

    kind = "python"

    def __init__(
        self,
        segment: Segment,
        worker_index: int,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = settings.limits
        self._answerer = PythonAnswerer(segment, worker_index, settings)
        self._count = self._answerer.counters.add
        self._gauge = self._answerer.counters.set
        self._clock = clock
        self._advanced = 0.0
        self._now = clock()
        self._second = -1
        self._date = b""
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._listeners: dict[int, _Listener] = {}
        self._connections: dict[int, _Connection] = {}
        self._peers: Counter[bytes] = Counter()
        self._pending = 0
        self._handoffs: list[Handoff] = []
        self._resume_accept: float | None = None
        self._draining = False

    # ---- the interface ----

    def fileno(self) -> int:
        """See the interface."""
        return self._epoll.fileno()

    def listen(self, fd: int, listener: int, recognise: bool, shared: bool = False) -> None:
        """See the interface."""
        sock = socket.socket(fileno=fd)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        entry = _Listener(sock, listener, recognise, shared)
        self._listeners[fd] = entry
        self._watch_listener(entry, True)

    def run(self) -> list[Handoff]:
        """See the interface."""
        self._clocks()
        self._answerer.reader.enter()
        try:
            for _ in range(_ROUNDS):
                events = self._epoll.poll(0, _EVENTS)
                for fd, event in events:
                    if len(self._handoffs) < _HANDOFFS:
                        self._ready(fd, event)
                if not events or self._handoffs:
                    break
        finally:
            self._answerer.reader.leave()
        handoffs, self._handoffs = self._handoffs, []
        return handoffs

    def tick(self) -> None:
        """See the interface."""
        self._clocks()
        if self._resume_accept is not None and self._now >= self._resume_accept and not self._draining:
            self._resume_accept = None
            for listener in self._listeners.values():
                self._watch_listener(listener, True)
        for fd, connection in list(self._connections.items()):
            if connection.state == _HANDED or connection.deadline > self._now:
                continue
            if connection.state == _READING:
                self._head_too_slow(fd, connection)
                continue
            if connection.state != _LINGER:
                self._count(INDEX["timeouts_idle" if connection.state == _IDLE else "timeouts_write"])
            self._drop(fd)

    def adopt(self, fd: int) -> None:
        """See the interface."""
        connection = self._connections.get(fd)
        if connection is None or connection.state != _HANDED:
            raise OSError(errno.EINVAL, "not a connection that was handed off")
        connection.socket = socket.socket(fileno=fd)
        connection.state = _IDLE
        connection.deadline = self._now + self._limits.idle_seconds
        self._count(INDEX["returns"])
        if self._draining:
            self._drop(fd)
        else:
            self._watch(fd, connection, _READ)

    def release(self, fd: int) -> None:
        """See the interface."""
        connection = self._connections.get(fd)
        if connection is not None and connection.state == _HANDED:
            self._forget(fd)

    def samples(self) -> list[Sample]:
        """See the interface."""
        samples, self._answerer.samples = self._answerer.samples, []
        return samples

    def drain(self) -> None:
        """See the interface."""
        self._draining = True
        self._answerer.drain()
        self._clocks()
        self._answerer.reader.enter()
        for listener in self._listeners.values():
            if listener.watched:
                self._acceptable(listener)  # who has connected already is still served
            self._watch_listener(listener, False)
        self._answerer.reader.leave()
        for fd, connection in list(self._connections.items()):
            if connection.state == _IDLE:
                self._drop(fd)

    def connections(self) -> int:
        """See the interface."""
        return len(self._connections)

    def advance(self, seconds: int) -> None:
        """Moves this fast path's clock, for tests."""
        self._advanced += seconds
        self._clocks()

    def close(self) -> None:
        """See the interface."""
        if self._epoll.closed:
            return
        for fd, connection in list(self._connections.items()):
            if connection.state == _HANDED:
                self._forget(fd)  # the descriptor is Twisted's
            else:
                self._drop(fd)
        for listener in self._listeners.values():
            listener.socket.detach()
        self._epoll.close()

    # ---- life of a connection ----

    def _clocks(self) -> None:
        self._now = self._clock() + self._advanced
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = format_date(second)

    def _forget(self, fd: int) -> None:
        connection = self._connections.pop(fd)
        self._pending -= len(connection.output)
        if connection.peer:
            self._peers[connection.peer] -= 1
            if not self._peers[connection.peer]:
                del self._peers[connection.peer]
        self._gauge(INDEX["connections"], len(self._connections))

    def _drop(self, fd: int) -> None:
        sock = self._connections[fd].socket
        self._forget(fd)
        if sock is not None:
            sock.close()

    def _watch(self, fd: int, connection: _Connection, events: int) -> None:
        if connection.watched:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
            connection.watched = True

    def _linger(self, fd: int, connection: _Connection) -> None:
        """Our side is closed; the peer gets time to read what we sent (RFC 9112 section 9.6)."""
        assert connection.socket is not None
        self._pending -= len(connection.output)
        connection.input = connection.output = b""
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(fd)
            return
        connection.state = _LINGER
        connection.deadline = self._now + _LINGER_SECONDS
        self._watch(fd, connection, _READ)

    def _hand_off(self, fd: int, connection: _Connection, data: bytes) -> None:
        assert connection.socket is not None
        if connection.watched:
            self._epoll.unregister(fd)
            connection.watched = False
        connection.socket.detach()
        connection.socket = None
        connection.input = b""
        connection.state = _HANDED
        self._handoffs.append(Handoff(fd, connection.listener, data))
        self._count(INDEX["handoffs"])

    # ---- answering ----

    def _ready(self, fd: int, event: int) -> None:
        listener = self._listeners.get(fd)
        if listener is not None:
            if listener.watched:
                self._acceptable(listener)
            return
        connection = self._connections.get(fd)
        if connection is None:
            return  # closed earlier in this batch
        state = connection.state
        if state <= _READING:
            self._readable(fd, connection)
        elif state == _WRITING:
            if event & (select.EPOLLERR | select.EPOLLHUP):
                self._drop(fd)
            else:
                self._writable(fd, connection)
        elif state == _LINGER:
            self._discard(fd, connection)

    def _readable(self, fd: int, connection: _Connection) -> None:
        assert connection.socket is not None
        try:
            data = connection.socket.recv(_INPUT_BYTES)
        except BlockingIOError:
            if not connection.watched:
                self._watch(fd, connection, _READ)
            return
        except OSError:
            data = b""
        if not data:
            self._drop(fd)
            return
        self._count(INDEX["bytes_in"], len(data))
        self._serve(fd, connection, connection.input + data if connection.input else data)

    def _serve(self, fd: int, connection: _Connection, data: bytes) -> None:
        """Answers what is in *data*; leaves the connection in its next state."""
        assert connection.socket is not None
        fresh = connection.state != _READING
        answerer = self._answerer
        while True:
            known = len(answerer.samples)
            pieces, consumed, verdict = answerer.answer_pieces(data, self._date)
            if len(answerer.samples) > known:
                self._name_samples(connection, known)
            data = data[consumed:]
            fresh = fresh or consumed > 0
            if pieces and not self._send(fd, connection, b"".join(pieces), data, verdict == "close"):
                return
            if verdict != "more" or not consumed or not data:
                break
        if verdict == "close":
            if data:
                self._linger(fd, connection)
            else:
                self._drop(fd)
            return
        if verdict == "handoff":
            self._hand_off(fd, connection, data)
            return
        connection.input = data
        if not data:
            connection.state = _IDLE
            connection.deadline = self._now + self._limits.idle_seconds
        else:
            connection.state = _READING
            if fresh:
                connection.deadline = self._now + self._limits.head_seconds
        if not connection.watched:
            self._watch(fd, connection, _READ)

    def _send(self, fd: int, connection: _Connection, output: bytes, rest: bytes, closing: bool) -> bool:
        """Sends; False: not all of it was taken (the rest is kept) or the connection is broken."""
        assert connection.socket is not None
        try:
            sent = connection.socket.send(output)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(fd)
            return False
        self._count(INDEX["bytes_out"], sent)
        if sent == len(output):
            return True
        left = len(output) - sent
        if self._pending + left > self._limits.pending_bytes:
            self._drop(fd)
            return False
        self._pending += left
        connection.output = output[sent:]
        connection.input = b"" if closing else rest
        connection.closing = closing
        connection.state = _WRITING
        connection.deadline = self._now + self._limits.write_seconds
        self._watch(fd, connection, select.EPOLLOUT)
        return False

    def _writable(self, fd: int, connection: _Connection) -> None:
        assert connection.socket is not None
        try:
            sent = connection.socket.send(connection.output)
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)
            return
        self._count(INDEX["bytes_out"], sent)
        self._pending -= sent
        connection.output = connection.output[sent:]
        connection.deadline = self._now + self._limits.write_seconds
        if connection.output:
            return
        if connection.closing:
            self._linger(fd, connection)
            return
        connection.state = _IDLE
        self._watch(fd, connection, _READ)
        data, connection.input = connection.input, b""
        self._serve(fd, connection, data)

    def _discard(self, fd: int, connection: _Connection) -> None:
        assert connection.socket is not None
        total = 0
        try:
            while total < _LINGER_BYTES:
                data = connection.socket.recv(_INPUT_BYTES)
                if not data:
                    self._drop(fd)
                    return
                total += len(data)
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)

    def _head_too_slow(self, fd: int, connection: _Connection) -> None:
        assert connection.socket is not None
        self._count(INDEX["timeouts_head"])
        with contextlib.suppress(OSError):
            self._count(INDEX["bytes_out"], connection.socket.send(error_answer(408, date=self._date)))
        self._linger(fd, connection)

    def _name_samples(self, connection: _Connection, known: int) -> None:
        assert connection.socket is not None
        address = ""
        with contextlib.suppress(OSError):
            name = connection.socket.getpeername()
            address = str(name[0]) if isinstance(name, tuple) else ""
        samples = self._answerer.samples
        samples[known:] = [sample._replace(address=address) for sample in samples[known:]]

    # ---- accepting ----

    def _watch_listener(self, listener: _Listener, on: bool) -> None:
        if listener.watched == on:
            return
        listener.watched = on
        if on:
            self._epoll.register(
                listener.socket, select.EPOLLIN | (select.EPOLLEXCLUSIVE if listener.shared else 0)
            )
        else:
            self._epoll.unregister(listener.socket)

    def _acceptable(self, listener: _Listener) -> None:
        for _ in range(_ACCEPTS):
            if len(self._handoffs) >= _HANDOFFS:
                return
            try:
                sock, address = listener.socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    for each in self._listeners.values():  # a level-triggered listener would spin
                        self._watch_listener(each, False)
                    self._resume_accept = self._now + 1
                return
            self._count(INDEX["accepts"])
            sock.setblocking(False)
            self._accepted(sock, listener, address)

    def _accepted(self, sock: socket.socket, listener: _Listener, address: object) -> None:
        limits = self._limits
        if len(self._connections) >= limits.connections:
            self._count(INDEX["refused_total"])
            sock.close()
            return
        peer = _network(sock.family, address) if limits.connections_per_address else b""
        if peer and self._peers[peer] >= limits.connections_per_address:
            self._count(INDEX["refused_address"])
            sock.close()
            return
        if peer:
            self._peers[peer] += 1
        fd = sock.fileno()
        connection = _Connection(sock, listener.number, peer, self._now + limits.idle_seconds)
        self._connections[fd] = connection
        self._gauge(INDEX["connections"], len(self._connections))
        if listener.recognise:
            self._readable(fd, connection)
        else:
            self._hand_off(fd, connection, b"")


def _network(family: int, address: object) -> bytes:
    """IPv4 address, or IPv6 /64; empty for other sockets."""
    if not isinstance(address, tuple):
        return b""
    if family == socket.AF_INET:
        return socket.inet_pton(socket.AF_INET, address[0])
    packed = socket.inet_pton(socket.AF_INET6, address[0].partition("%")[0])
    return packed[12:] if packed.startswith(bytes(10) + b"\xff\xff") else packed[:8]
