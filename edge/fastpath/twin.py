"""The fast path in pure Python: the specification of ``edge_loop.c``, and what serves without a compiler.

A connection at rest is a file descriptor and a small object in an epoll set; the states and deadlines are
those that ``src/edge_loop.h`` draws.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from edge.fastpath.acceptor import Acceptor, Listener
from edge.fastpath.answerer import PythonAnswerer
from edge.fastpath.connection import OWED_BYTES, TRANSITIONS, Connection, State, unacknowledged
from edge.fastpath.frames import GOODBYE, PING
from edge.fastpath.frames import answer as answer_frames
from edge.fastpath.interface import Handoff, Next, Settings, SocketState
from edge.fastpath.opening import STATUS, Audience, Opening
from edge.fastpath.sockets import GONE_SECONDS, TOPICS, Resting, Sockets
from edge.http.answer import error_answer
from edge.http.dates import format_date
from edge.networks import NO_ADDRESS, mapped, networks_of, text_of_address
from edge.shares import Pool
from edge.table.counters import INDEX
from edge.table.segment import Segment
from edge.tls.interface import RecordLayer

if TYPE_CHECKING:
    from edge.certificates import Certificates
    from edge.tls.native import NativeContext

_EVENTS = 256
_TURN_EVENTS = 2048
_ACCEPTS = 64
_HANDOFFS = 256
_INPUT_BYTES = 172_032
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 256 * 1024
#: SO_LINGER: a close is a reset.
_NOTHING_LEFT = struct.pack("ii", 1, 0)
_LOOPBACK = networks_of(("127.0.0.0/8", "::1"))
_READ = select.EPOLLIN | select.EPOLLRDHUP


class PythonFastPath:
    """The fast path in Python.  Implements :class:`~edge.fastpath.interface.FastPath`."""

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
        self._acceptor = Acceptor(
            self._epoll, settings.limits, self._count, settings.proxies, settings.trusted
        )
        self._connections: dict[int, Connection] = {}
        self._sockets = Sockets(len(settings.sites))
        self._most_sockets = 0
        self._buffers = Pool(settings.limits.pending_bytes)
        self._handoffs: list[Handoff] = []
        self._watched = -1
        self._wake = -1 if settings.log is None else settings.log.wake
        self._draining = False
        #: Seconds that a connection may be in a state.
        self._seconds = {
            State.IDLE: self._limits.idle_seconds,
            State.READING: self._limits.head_seconds,
            State.WRITING: self._limits.write_seconds,
            State.LINGER: _LINGER_SECONDS,
        }

    # ---- the interface ----

    def fileno(self) -> int:
        return self._epoll.fileno()

    def listen(self, fd: int, listener: int, recognise: bool, shared: bool = False) -> None:
        self._acceptor.listen(fd, listener, recognise, shared)

    def secure(self, listener: int, context: NativeContext, certificates: Certificates) -> None:
        raise OSError(errno.EOPNOTSUPP, "the fast path in Python has no TLS of its own")

    def watch(self, fd: int) -> None:
        self._epoll.register(fd, select.EPOLLIN)
        self._watched = fd

    def run(self, timeout: float | None = 0.0) -> list[Handoff]:
        until = math.inf if timeout is None else self._clock() + timeout
        left = 0.0 if self._reactor_has_work() else until - self._clock()
        served = 0
        while served < _TURN_EVENTS:
            events = self._epoll.poll(None if left == math.inf else max(left, 0.0), _EVENTS)
            if not events:
                break
            served += len(events)
            watched_is_ready = self._serve_events(events)
            if self._reactor_has_work():
                break
            left = 0.0 if watched_is_ready else until - self._clock()
            if left <= 0 and len(events) < _EVENTS:
                break
        handoffs, self._handoffs = self._handoffs, []
        return handoffs

    def tick(self) -> None:
        self._clocks()
        if not self._draining:
            self._acceptor.resume(self._now)
        for fd, connection in list(self._connections.items()):
            if connection.state == State.HANDED or connection.deadline > self._now:
                continue
            self._overdue(fd, connection)
        self._wake_log()

    def _overdue(self, fd: int, connection: Connection) -> None:
        """The deadline of *connection* is over."""
        if connection.state == State.READING:
            self._head_too_slow(fd, connection)
        elif connection.state == State.SOCKET:
            self._silent(fd, connection)
        elif connection.state == State.IDLE:
            self._count(INDEX["timeouts_idle"])
            self._close(fd, connection)
        elif not self._takes_in_time(fd, connection):
            if connection.state == State.WRITING or connection.owed > OWED_BYTES:
                self._count(INDEX["timeouts_write"])
            self._drop(fd)

    def _takes_in_time(self, fd: int, connection: Connection) -> bool:
        """Whether its peer, which has something to take, has taken enough of it."""
        if connection.state == State.WRITING:
            return self._keeps_pace(fd, connection)
        return self._lingers_on(fd, connection)

    def adopt(self, fd: int, layer: RecordLayer | None = None, socket: SocketState | None = None) -> None:
        connection = self._connections.get(fd)
        if connection is None or connection.state != State.HANDED or layer is not None:
            raise OSError(errno.EINVAL, "not a connection that was handed off")
        if not self._draining or socket is not None:
            self._watch(fd, connection, _READ)
        connection.socket = _stream_of(fd)
        self._count(INDEX["returns"])
        if socket is not None:
            self._sockets.enter(fd, socket, int(self._now))
            self._count(INDEX["sockets"])
            self._rest(fd, connection)
            return
        self._set_state(connection, State.IDLE)
        if self._draining:
            self._drop(fd)

    def publish(self, topic: int, frames: bytes, edition: int, site: int | None = None) -> None:
        self._sockets.publish(topic, frames, edition, site)

    def push_round(self, turns: int, topics: int, rare: int, rounds: int) -> None:
        self._clocks()
        for resting, due in self._sockets.turns(turns, topics, rare, rounds):
            self._push(resting, due)

    def push_all(self, topics: int, turns: int) -> int:
        self._clocks()
        for resting, due in self._sockets.hurry(topics, turns):
            self._push(resting, due)
        return self._sockets.left

    def welcome(self, most: int, audience: Audience) -> None:
        self._most_sockets, self._answerer.audience = most, audience

    def sockets(self) -> int:
        return len(self._sockets)

    def introduce(self, fd: int, client: bytes | None) -> None:
        connection = self._connections.get(fd)
        if connection is None or connection.state != State.HANDED or not connection.unnamed:
            raise OSError(errno.EINVAL, "not a connection that was handed off unnamed")
        with socket.socket(fileno=os.dup(fd)) as seen:
            own = seen.getpeername()[0] if seen.family != socket.AF_UNIX else ""
        peer = self._acceptor.move(connection.peer, own if client is None else text_of_address(client))
        if peer is None:
            raise PermissionError(errno.EACCES, "too many connections of that address")
        connection.peer, connection.client, connection.unnamed = peer, client, False
        connection.socket = socket.socket(fileno=fd)
        self._clocks()
        self._set_state(connection, State.IDLE)
        self._answerer.reader.enter()
        self._begin(fd, connection, self._acceptor.recognises(connection.listener))
        self._answerer.reader.leave()

    def release(self, fd: int) -> None:
        connection = self._connections.get(fd)
        if connection is not None and connection.state == State.HANDED:
            self._forget(fd)

    def allow_origins(self, origins: Collection[bytes], site: int = 0) -> None:
        self._answerer.allow_origins(origins, site)

    def speculate(self, line: bytes) -> None:
        self._answerer.speculate(line)

    def drain(self) -> None:
        self._draining = True
        self._answerer.drain()
        self._clocks()
        self._answerer.reader.enter()
        for listener in self._acceptor.listeners():
            if listener.watched:
                self._acceptable(listener)  # who has connected already is still served
        self._acceptor.stop()
        self._answerer.reader.leave()
        for fd, connection in list(self._connections.items()):
            if connection.state == State.IDLE:
                self._drop(fd)
            elif connection.state == State.SOCKET:
                self._rest(fd, connection)  # with a goodbye

    def relay(
        self, names: Collection[bytes], prefixes: Collection[bytes], suffixes: Collection[bytes]
    ) -> None:
        """There is none: the Twisted side is the specification of what is passed on."""

    def connections(self) -> int:
        return len(self._connections)

    def advance(self, seconds: int) -> None:
        """Moves this fast path's clock, for tests."""
        self._advanced += seconds
        self._clocks()

    def close(self) -> None:
        if self._epoll.closed:
            return
        for fd, connection in list(self._connections.items()):
            if connection.state == State.HANDED:
                self._forget(fd)  # the descriptor is Twisted's
            else:
                self._release(fd)
        self._acceptor.close()
        self._epoll.close()

    # ---- life of a connection ----

    def _clocks(self) -> None:
        self._now = self._clock() + self._advanced
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = format_date(second)

    def _set_state(self, connection: Connection, state: State) -> None:
        """Into *state*, whose deadline begins."""
        assert state in TRANSITIONS[connection.state], (connection.state, state)
        connection.state = state
        connection.deadline = self._now + self._seconds.get(state, 0.0)

    def _forget(self, fd: int) -> None:
        connection = self._connections.pop(fd)
        self._leave_sockets(fd, connection)
        self._set_state(connection, State.FREE)
        self._buffers.give(connection.peer, connection.buffered)
        self._acceptor.leave(connection.peer)
        self._gauge(INDEX["connections"], len(self._connections))

    def _drop(self, fd: int) -> None:
        sock = self._connections[fd].socket
        if sock is not None and unacknowledged(fd) > OWED_BYTES:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOTHING_LEFT)  # the kernel forgets it, too
        self._release(fd)

    def _release(self, fd: int) -> None:
        """As :meth:`_drop`, but the kernel sends what it has."""
        sock = self._connections[fd].socket
        self._forget(fd)
        if sock is not None:
            sock.close()

    def _keep(self, fd: int, connection: Connection, output: bytes = b"", rest: bytes = b"") -> bool:
        """Have exactly these bytes outlive the turn; False: over the share of its address, and closed."""
        more = len(output) + len(rest) - connection.buffered
        if more > 0 and not self._buffers.take(connection.peer, more):
            self._count(INDEX["refused_share"])
            self._drop(fd)
            return False
        if more < 0:
            self._buffers.give(connection.peer, -more)
        connection.output, connection.input = output, rest
        return True

    def _watch(self, fd: int, connection: Connection, events: int) -> None:
        if connection.watched:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
            connection.watched = True

    def _linger(self, fd: int, connection: Connection) -> None:
        """Our side is closed; the peer gets time to read what we sent (RFC 9112 section 9.6)."""
        assert connection.socket is not None
        self._keep(fd, connection)
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(fd)
            return
        connection.owed = 0
        self._leave_sockets(fd, connection)
        self._set_state(connection, State.LINGER)
        self._watch(fd, connection, _READ)

    def _close(self, fd: int, connection: Connection) -> None:
        """Our side is done; who has much to read is not left to the kernel, where no limit counts it."""
        if unacknowledged(fd) > OWED_BYTES:
            self._linger(fd, connection)
        else:
            self._drop(fd)

    def _hand_off(self, fd: int, connection: Connection, data: bytes) -> None:
        assert connection.socket is not None
        if connection.watched:
            self._epoll.unregister(fd)
            connection.watched = False
        connection.socket.detach()
        connection.socket = None
        self._keep(fd, connection)
        resting = self._leave_sockets(fd, connection)
        state = None if resting is None else resting.state(int(self._now))
        self._set_state(connection, State.HANDED)
        self._handoffs.append(
            Handoff(fd, connection.listener, data, None, connection.unnamed, connection.client, state)
        )
        self._count(INDEX["handoffs"])

    def _acceptable(self, listener: Listener) -> None:
        for _ in range(_ACCEPTS):
            if len(self._handoffs) >= _HANDOFFS:
                return
            accepted = self._acceptor.accept(listener, self._now)
            if accepted is None:
                return
            if accepted.socket is None:
                continue
            fd = accepted.socket.fileno()
            connection = Connection(accepted.socket, listener.number, accepted.peer)
            self._set_state(connection, State.IDLE)
            self._connections[fd] = connection
            self._gauge(INDEX["connections"], len(self._connections))
            connection.unnamed = accepted.unnamed
            self._begin(fd, connection, listener.recognise and not accepted.unnamed)

    def _begin(self, fd: int, connection: Connection, recognise: bool) -> None:
        """Serve an accepted connection here, or hand it off."""
        if recognise:
            self._readable(fd, connection)
        else:
            self._hand_off(fd, connection, b"")

    # ---- answering ----

    def _reactor_has_work(self) -> bool:
        """Whether the reactor has something to do besides what is ready here."""
        return bool(self._handoffs)

    def _serve_events(self, events: list[tuple[int, int]]) -> bool:
        """Serve a batch; whether the watched descriptor was among it."""
        self._clocks()
        self._answerer.reader.enter()
        try:
            for fd, event in events:
                if fd != self._watched and len(self._handoffs) < _HANDOFFS:
                    self._ready(fd, event)
        finally:
            self._answerer.reader.leave()
            self._wake_log()
        return any(fd == self._watched for fd, _ in events)

    def _ready(self, fd: int, event: int) -> None:
        listener = self._acceptor.listener(fd)
        if listener is not None:
            if listener.watched:
                self._acceptable(listener)
            return
        connection = self._connections.get(fd)
        if connection is None:
            return  # closed earlier in this batch
        state = connection.state
        if state in (State.IDLE, State.READING, State.SOCKET):
            self._readable(fd, connection)
        elif state == State.WRITING:
            if event & (select.EPOLLERR | select.EPOLLHUP):
                self._drop(fd)
            else:
                self._writable(fd, connection)
        elif state == State.LINGER:
            self._discard(fd, connection)

    def _readable(self, fd: int, connection: Connection) -> None:
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
            self._close(fd, connection)
            return
        self._count(INDEX["bytes_in"], len(data))
        self._serve(fd, connection, connection.input + data if connection.input else data)

    def _serve(self, fd: int, connection: Connection, data: bytes) -> None:
        """Answers what is in *data*; leaves the connection in its next state."""
        assert connection.socket is not None
        fresh = connection.state != State.READING
        answerer = self._answerer
        if answerer.needs_client:
            began = time.monotonic_ns()
            answerer.duration = lambda: (time.monotonic_ns() - began) // 1000
            client = connection.client or _client_of(connection.socket)
            answerer.receive_from(client, int(time.time() * 1e6))
        while True:
            pieces, consumed, after = self._answer(fd, connection, data)
            data = data[consumed:]
            fresh = fresh or consumed > 0
            if pieces and not self._send(fd, connection, b"".join(pieces), data, after is Next.CLOSE):
                return
            if after is not Next.ANSWER:
                break
        if after is Next.CLOSE:
            if data:
                self._linger(fd, connection)
            else:
                self._close(fd, connection)
            return
        if after is Next.HAND_OFF:
            self._hand_off(fd, connection, data)
            return
        if not self._keep(fd, connection, b"", data):
            return
        if connection.is_socket:
            if not connection.watched:
                self._watch(fd, connection, _READ)
            self._rest(fd, connection)
            return
        if not data:
            self._set_state(connection, State.IDLE)
        elif fresh:
            self._set_state(connection, State.READING)
        if not connection.watched:
            self._watch(fd, connection, _READ)

    def _answer(self, fd: int, connection: Connection, data: bytes) -> tuple[list[bytes], int, Next]:
        """Answers requests, or frames."""
        if not connection.is_socket:
            self._answerer.opens = len(self._sockets) < self._most_sockets
            pieces, consumed, after = self._answerer.answer_pieces(data, self._date)
            if self._answerer.opened is not None:
                pieces.append(self._open(fd, connection, self._answerer.opened))
                after = Next.ANSWER
            return pieces, consumed, after
        resting, now = self._sockets.of(fd), int(self._now)
        resting.heard = now
        output, consumed, after = answer_frames(self._answerer.since, resting.frames, now, data)
        return [output] if output else [], consumed, after

    # ---- WebSockets ----

    def _open(self, fd: int, connection: Connection, opening: Opening) -> bytes:
        """What is true now, for a connection that is a WebSocket from now on."""
        choice = opening.choice
        if self._answerer.audience is Audience.LOCAL and opening.is_own and _is_local(connection):
            choice |= 1 << STATUS
        state = SocketState(opening.site, opening.topics, choice, (0,) * TOPICS)
        self._sockets.enter(fd, state, int(self._now))
        self._count(INDEX["sockets"])
        connection.is_socket = True
        return self._sockets.take(self._sockets.of(fd), opening.topics)

    def _rest(self, fd: int, connection: Connection) -> None:
        """All is answered, and taken: it rests until it has something to say, or is to be pinged."""
        resting = self._sockets.of(fd)
        connection.is_socket = True
        self._set_state(connection, State.SOCKET)
        connection.deadline = resting.deadline
        if self._draining and not resting.frames.closing:
            resting.frames.closing, resting.pinged = True, int(self._now)
            self._say(fd, connection, GOODBYE)

    def _leave_sockets(self, fd: int, connection: Connection) -> Resting | None:
        """Forget that it is a WebSocket; which one it was, None: none."""
        if not connection.is_socket:
            return None
        resting = self._sockets.of(fd)
        self._sockets.leave(fd)
        self._count(INDEX["sockets"], -1)
        connection.is_socket = False
        return resting

    def _say(self, fd: int, connection: Connection, frames: bytes) -> None:
        """Send *frames*, between two answers."""
        connection.deadline = self._sockets.of(fd).deadline
        self._send(fd, connection, frames, connection.input, False)

    def _silent(self, fd: int, connection: Connection) -> None:
        """It has been silent for too long."""
        resting, now = self._sockets.of(fd), int(self._now)
        if resting.frames.closing or now - resting.heard >= GONE_SECONDS:
            if not resting.frames.closing:
                self._count(INDEX["timeouts_idle"])
            self._drop(fd)
            return
        resting.pinged = now
        self._say(fd, connection, PING)

    def _push(self, resting: Resting, topics: int) -> None:
        """Bring one up to date in *topics*."""
        connection = self._connections[resting.fd]
        if resting.frames.closing or connection.state != State.SOCKET:
            return
        frames = self._sockets.take(resting, topics)
        if frames:
            self._say(resting.fd, connection, frames)

    # ---- sending ----

    def _send(self, fd: int, connection: Connection, output: bytes, rest: bytes, closing: bool) -> bool:
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
        if not self._keep(fd, connection, output[sent:], b"" if closing else rest):
            return False
        connection.closing = closing
        connection.owed = left + unacknowledged(fd)
        self._set_state(connection, State.WRITING)
        self._watch(fd, connection, select.EPOLLOUT)
        return False

    def _writable(self, fd: int, connection: Connection) -> None:
        assert connection.socket is not None
        try:
            sent = connection.socket.send(connection.output)
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)
            return
        self._count(INDEX["bytes_out"], sent)
        self._keep(fd, connection, connection.output[sent:], connection.input)
        if connection.output:
            return
        if connection.closing:
            self._linger(fd, connection)
            return
        self._set_state(connection, State.SOCKET if connection.is_socket else State.IDLE)
        self._watch(fd, connection, _READ)
        self._serve(fd, connection, connection.input)

    def _keeps_pace(self, fd: int, connection: Connection) -> bool:
        """The deadline is over: whether the peer took enough before it; then another begins."""
        before, connection.owed = connection.owed, len(connection.output) + unacknowledged(fd)
        if before - connection.owed < max(1, self._limits.least_rate * self._limits.write_seconds):
            return False
        connection.deadline = self._now + self._limits.write_seconds
        return True

    def _lingers_on(self, fd: int, connection: Connection) -> bool:
        """The same while lingering; true also when that has just begun to be looked at."""
        if connection.owed:
            return self._keeps_pace(fd, connection) and connection.owed > OWED_BYTES
        connection.owed = unacknowledged(fd)
        connection.deadline = self._now + self._limits.write_seconds
        return connection.owed > OWED_BYTES

    def _discard(self, fd: int, connection: Connection) -> None:
        assert connection.socket is not None
        total = 0
        try:
            while total < _LINGER_BYTES:
                data = connection.socket.recv(_INPUT_BYTES)
                if not data:
                    self._read_up(fd, connection)
                    return
                total += len(data)
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)

    def _read_up(self, fd: int, connection: Connection) -> None:
        """The peer of a lingering connection says nothing more, but it may read."""
        if unacknowledged(fd) > OWED_BYTES:
            self._epoll.unregister(fd)
            connection.watched = False
        else:
            self._drop(fd)

    def _head_too_slow(self, fd: int, connection: Connection) -> None:
        """Its head has not come in time, as in a slow-header attack (Slowloris): 408."""
        assert connection.socket is not None
        self._count(INDEX["timeouts_head"])
        answer = error_answer(408, date=self._date)
        with contextlib.suppress(OSError):
            self._count(INDEX["bytes_out"], connection.socket.send(answer))
        waited = self._now - connection.deadline + self._limits.head_seconds
        sent = len(answer.partition(b"\r\n\r\n")[2])
        client = connection.client or _client_of(connection.socket)
        self._answerer.too_slow(waited, sent, int(time.time() * 1e6), client)
        self._linger(fd, connection)

    def _wake_log(self) -> None:
        """Once for all requests of a batch."""
        if self._answerer.log_is_awaited and self._wake >= 0:
            self._answerer.log_is_awaited = False
            with contextlib.suppress(OSError):  # it is awake, or has gone
                os.eventfd_write(self._wake, 1)


def _stream_of(fd: int) -> socket.socket:
    return socket.socket(fileno=fd)


def _is_local(connection: Connection) -> bool:
    """Whether it is with this machine: over a Unix socket, or with a loopback address."""
    assert connection.socket is not None
    if connection.client is None and connection.socket.family == socket.AF_UNIX:
        return True
    return _LOOPBACK.holds(connection.client or _client_of(connection.socket))


def _client_of(sock: socket.socket) -> bytes:
    """Whom *sock* is with, as records have it."""
    if sock.family == socket.AF_UNIX:
        return NO_ADDRESS
    try:
        host = sock.getpeername()[0]
    except OSError:  # gone already
        return NO_ADDRESS
    return mapped(socket.inet_pton(sock.family, host.partition("%")[0]))
