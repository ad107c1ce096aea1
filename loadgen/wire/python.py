"""The wire in Python: the specification of the native one, and what serves where there is no compiler.

A request goes through four places, and any of them may be its last::

    due --> waiting for a connection --> on a connection --> answered
      \\______________________________^

``_due`` is a heap; ``_waiting`` holds a queue for each user and node; ``_begun`` holds all that are due, in
the order of their deadlines.  Connections at rest are in ``_resting``, in the order in which they came to
rest.  So what runs out first is always in front.

A connection that the server has closed while it rested is noticed late, when the next request is already
on it.  Nothing has been answered then, so that request is sent once more, on a new connection, as browsers
do (RFC 9112 section 9.3.1).
"""

from __future__ import annotations

import errno
import heapq
import select
import socket
import ssl
import time
from collections import deque

from loadgen.trust import Trust, context
from loadgen.wire import interface
from loadgen.wire.answers import AnswerError, AnswerReader
from loadgen.wire.connecting import Node, allow_descriptors, connect, parse
from loadgen.wire.interface import Answer, Handshake, Limits
from loadgen.wire.records import Connection, Request
from loadgen.wire.secure import SecureSocket, error_of

#: ``run`` returns when so many answers, or so many bytes of bodies, are there.
ANSWERS = 4096
BODY_BYTES = 8 << 20
_RECEIVE = 256 * 1024
_READABLE = select.EPOLLIN | select.EPOLLRDHUP


class PythonWire:
    """The wire in Python, the specification; implements :class:`loadgen.wire.interface.Wire`."""

    kind = "python"

    def __init__(self, users: int, limits: Limits, trust: Trust | None = None) -> None:
        self._users = users
        self._limits = limits
        self._nodes: list[Node] = []
        self._due: list[tuple[int, int, Request]] = []
        self._sequence = 0
        self._requests: dict[int, Request] = {}
        self._begun: dict[Request, None] = {}
        self._waiting: dict[tuple[int, int], deque[Request]] = {}
        self._connections: dict[int, Connection] = {}
        self._of_user: dict[int, list[Connection]] = {}
        self._resting: dict[Connection, None] = {}
        self._opened = 0
        self._trust = trust or Trust()
        self._tls: ssl.SSLContext | None = None
        #: By user and node, the newest last.
        self._sessions: dict[tuple[int, int], list[ssl.SSLSession]] = {}
        self._handshakes: list[Handshake] = []
        self._poll = select.epoll()
        self._answers: list[Answer] = []
        self._bodies = bytearray()
        self._returned = memoryview(b"")
        allow_descriptors()

    def node(self, host: str, port: int, name: str = "") -> int:
        node = parse(host, port, name)
        if node not in self._nodes:
            self._nodes.append(node)
        return self._nodes.index(node)

    def send(self, token: int, user: int, node: int, due: int, request: bytes) -> None:
        if not (0 <= user < self._users and 0 <= node < len(self._nodes) and request):
            raise ValueError(f"user {user}, node {node}: no such user or node, or no request")
        made = Request(token, user, node, due, request)
        self._requests[token] = made
        self._sequence += 1
        heapq.heappush(self._due, (due, self._sequence, made))

    def cancel(self, token: int) -> None:
        request = self._requests.get(token)
        if request is not None:
            self._fail(request, interface.CANCELLED)
            self._serve_waiting(request.user, request.node)

    def leave(self, user: int) -> None:
        for connection in list(self._of_user.get(user, ())):
            connection.leaving = True
            if connection.request is None:
                self._drop(connection)

    def run(self, until: int) -> list[Answer]:
        while True:
            now = time.monotonic_ns()
            self._begin(now)
            self._expire(now)
            if self._full():
                break
            # epoll counts milliseconds: the rest of one is spent asking.
            wait = max(0, self._next(until) - time.monotonic_ns()) // 1_000_000
            for descriptor, events in self._poll.poll(wait / 1e3, 512):
                connection = self._connections.get(descriptor)
                if connection is not None:
                    self._ready(connection, events)
                if self._full():
                    break
            if now >= until:
                break
        answers, self._answers = self._answers, []
        self._returned, self._bodies = memoryview(self._bodies), bytearray()
        return answers

    @property
    def bodies(self) -> memoryview:
        return self._returned

    def handshakes(self) -> list[Handshake]:
        found, self._handshakes = self._handshakes, []
        return found

    def connections(self) -> int:
        return len(self._connections)

    def opened(self) -> int:
        return self._opened

    def close(self) -> None:
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._poll.close()
        self._due.clear()
        self._requests.clear()
        self._begun.clear()
        self._waiting.clear()

    def _full(self) -> bool:
        return len(self._answers) >= ANSWERS or len(self._bodies) >= BODY_BYTES

    # ---- time ----

    def _next(self, until: int) -> int:
        """When there is something to do again, at the latest."""
        if self._due:
            until = min(until, self._due[0][0])
        if self._begun:
            until = min(until, next(iter(self._begun)).due + self._limits.timeout_ns)
        if self._resting:
            until = min(until, next(iter(self._resting)).rested + self._limits.idle_ns)
        return until

    def _begin(self, now: int) -> None:
        """Take up what is due."""
        while self._due and self._due[0][0] <= now and not self._full():
            request = heapq.heappop(self._due)[2]
            if request.finished:
                continue
            request.begun = now
            self._await(request)
            self._waiting.setdefault((request.user, request.node), deque()).append(request)
            self._serve_waiting(request.user, request.node)

    def _await(self, request: Request) -> None:
        """Into ``_begun``; one that is due earlier than others there was sent late, and goes before them."""
        later: list[Request] = []
        while self._begun and (last := next(reversed(self._begun))).due > request.due:
            del self._begun[last]
            later.append(last)
        for each in (request, *reversed(later)):
            self._begun[each] = None

    def _expire(self, now: int) -> None:
        """End what has taken too long, and what has rested long enough."""
        while self._begun and not self._full():
            request = next(iter(self._begun))
            if request.due + self._limits.timeout_ns > now:
                break
            self._fail(request, interface.TIMEOUT)
            self._serve_waiting(request.user, request.node)
        while self._resting:
            connection = next(iter(self._resting))
            if connection.rested + self._limits.idle_ns > now:
                break
            self._drop(connection)

    # ---- connections ----

    def _serve_waiting(self, user: int, node: int) -> None:
        """Connections for those who wait, as far as there are any."""
        queue = self._waiting.get((user, node))
        while queue:
            if queue[0].finished:
                queue.popleft()
                continue
            ours = [each for each in self._of_user.get(user, ()) if each.node == node]
            free = max(
                (each for each in ours if each.request is None), key=lambda each: each.rested, default=None
            )
            if free is None and len(ours) >= interface.CONNECTIONS:
                return
            request = queue.popleft()
            if request.due + self._limits.timeout_ns <= time.monotonic_ns():
                self._fail(request, interface.TIMEOUT)
            elif free is None:
                self._start_anew(request)
            else:
                self._start(request, free)
        self._waiting.pop((user, node), None)

    def _start_anew(self, request: Request) -> None:
        try:
            made = self._dial(request)
        except OSError:
            self._fail(request, interface.REFUSED)
            return
        name = self._nodes[request.node].name
        secured = self._secured(made, request, name) if name else made
        connection = Connection(secured, request.user, request.node)
        self._connections[made.fileno()] = connection
        self._of_user.setdefault(request.user, []).append(connection)
        self._opened += 1
        self._poll.register(made, _READABLE)
        self._start(request, connection)

    def _secured(self, made: socket.socket, request: Request, name: str) -> SecureSocket:
        self._tls = self._tls or context(self._trust)
        kept = self._sessions.get((request.user, request.node))
        return SecureSocket(made, self._tls, name, kept.pop() if kept else None)

    def _dial(self, request: Request) -> socket.socket:
        """A new connection, with the descriptor of the one that has rested for longest if none is left."""
        while True:
            try:
                return connect(self._nodes[request.node], request.user)
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._resting:
                    raise
                self._drop(next(iter(self._resting)))

    def _start(self, request: Request, connection: Connection) -> None:
        self._resting.pop(connection, None)
        request.connection = connection
        request.unsent = memoryview(request.request)
        request.reader = AnswerReader(self._limits.body_bytes, request.head_only)
        connection.request = request
        if isinstance(connection.socket, SecureSocket) and connection.socket.is_shaking:
            self._shake(request, connection, connection.socket)
        else:
            self._write(request, connection)

    def _shake(self, request: Request, connection: Connection, secure: SecureSocket) -> None:
        """Go on with the TLS handshake; the request is sent when it is over."""
        error = None
        try:
            done = secure.handshake()
        except OSError as caught:
            error = caught
        self._count(request, connection)
        if error is not None:
            self._fail(request, error_of(error) if connection.connected else interface.REFUSED)
            return
        if connection.connected and not connection.shaking_since:
            connection.shaking_since = time.monotonic_ns()
        if done:
            took = time.monotonic_ns() - connection.shaking_since
            self._handshakes.append(Handshake(request.node, int(secure.is_resumed), took))
            self._write(request, connection)
        else:
            self._watch(connection, secure.owes)

    def _count(self, request: Request, connection: Connection) -> None:
        """The bytes of a TLS connection since the last call are those of *request*."""
        secure = connection.socket
        if isinstance(secure, SecureSocket):
            connection.connected |= secure.bytes_out > 0
            request.bytes_in += secure.bytes_in
            request.bytes_out += secure.bytes_out
            secure.bytes_in = secure.bytes_out = 0

    def _watch(self, connection: Connection, writing: bool) -> None:
        if connection.writing != writing:
            connection.writing = writing
            self._poll.modify(connection.socket, _READABLE | (select.EPOLLOUT if writing else 0))

    def _write(self, request: Request, connection: Connection) -> None:
        try:
            taken = 1
            while request.unsent and taken:
                taken = connection.socket.send(request.unsent)
                request.unsent = request.unsent[taken:]
                connection.connected = True
                if isinstance(connection.socket, socket.socket):
                    request.bytes_out += taken
        except BlockingIOError:
            pass
        except OSError:
            self._broken(request, connection)
            return
        self._count(request, connection)
        if not request.unsent:
            request.sent = time.monotonic_ns()
        self._watch(connection, bool(request.unsent))

    def _ready(self, connection: Connection, events: int) -> None:
        request, secure = connection.request, connection.socket
        if request is None:
            self._read_at_rest(connection)
            return
        if isinstance(secure, SecureSocket) and secure.is_shaking:
            self._shake(request, connection, secure)
        else:
            if events & ~select.EPOLLOUT:
                self._read(request, connection)
                if isinstance(secure, SecureSocket) and secure.is_ended and connection.request is request:
                    self._read(request, connection)
            if events & select.EPOLLOUT and connection.request is request and connection.writing:
                self._write(request, connection)
        if connection.request is not request:
            self._serve_waiting(connection.user, connection.node)

    def _read_at_rest(self, connection: Connection) -> None:
        """Closed by the server, or bytes that nobody has asked for; or a ticket, which comes late."""
        try:
            connection.socket.recv(_RECEIVE)
        except BlockingIOError:
            self._keep_session(connection)
        except OSError:
            self._drop(connection)
        else:
            self._drop(connection)

    def _keep_session(self, connection: Connection) -> None:
        """Keep the ticket that has come on *connection*, if one has."""
        if isinstance(connection.socket, SecureSocket):
            session = connection.socket.new_session()
            if session is not None:
                kept = self._sessions.setdefault((connection.user, connection.node), [])
                kept.append(session)
                del kept[: -interface.SESSIONS]

    def _read(self, request: Request, connection: Connection) -> None:
        try:
            data = connection.socket.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            self._broken(request, connection)
            return
        finally:
            self._count(request, connection)
        self._keep_session(connection)
        reader = request.reader
        assert reader is not None
        if not data:
            if reader.ended():
                self._answered(request, connection, reader, usable=False)
            else:
                self._broken(request, connection)
            return
        connection.connected = True
        request.head = request.head or time.monotonic_ns()
        if isinstance(connection.socket, socket.socket):
            request.bytes_in += len(data)
        try:
            taken = reader.receive(data)
        except AnswerError as error:
            self._fail(request, error.error)
            return
        if reader.done and reader.counted and taken < len(data):
            self._fail(request, interface.LONGER)
        elif reader.done:
            # Bytes after the answer belong to none: the connection cannot be trusted.
            usable = not reader.closing and taken == len(data) and not request.unsent
            self._answered(request, connection, reader, usable)

    def _broken(self, request: Request, connection: Connection) -> None:
        """No more bytes can come or go."""
        if connection.used and not request.head and not request.retried:
            request.retried = True
            self._drop(connection)
            self._start_anew(request)
        else:
            self._fail(request, interface.CLOSED if connection.connected else interface.REFUSED)

    def _drop(self, connection: Connection) -> None:
        self._resting.pop(connection, None)
        self._keep_session(connection)
        del self._connections[connection.socket.fileno()]
        ours = self._of_user[connection.user]
        ours.remove(connection)
        if not ours:
            del self._of_user[connection.user]
        connection.request = None
        connection.socket.close()

    # ---- ends ----

    def _answered(self, request: Request, connection: Connection, reader: AnswerReader, usable: bool) -> None:
        self._finish(request, interface.OK, reader.body)
        connection.request = None
        connection.used = True
        waiting = self._waiting.get((connection.user, connection.node))
        if not usable or (connection.leaving and not waiting):
            self._drop(connection)
            return
        connection.rested = time.monotonic_ns()
        self._resting[connection] = None

    def _fail(self, request: Request, error: int) -> None:
        if request.connection is not None and request.connection.request is request:
            self._drop(request.connection)
        self._finish(request, error, b"")

    def _finish(self, request: Request, error: int, body: bytes | bytearray) -> None:
        request.finished = True
        self._begun.pop(request, None)
        if self._requests.get(request.token) is request:
            del self._requests[request.token]
        self._answers.append(request.answer(error, len(self._bodies), len(body)))
        self._bodies += body
