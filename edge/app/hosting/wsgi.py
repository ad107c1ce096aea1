"""WSGI applications (PEP 3333), each request in a thread of a pool.

A request is given to a thread when its body is whole, or fills a window: slow visitors hold no thread while
they send.  They hold none while they take, either, of an answer that fits a window.
"""

from __future__ import annotations

import io
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from edge.app.hosting.fields import split_length
from edge.app.hosting.wsgi_input import Input
from edge.app.marks import Marks
from edge.app.messages import WINDOW

if TYPE_CHECKING:
    from edge.app.hosting.connection import Connection
    from edge.app.messages import Ask, Fields, Open

Environment = dict[str, Any]
#: Exchanges at once on one connection: more than threads, so that none of these waits for the next question.
AT_ONCE = 10_000


class Gone(OSError):
    """The visitor has gone."""


class Wsgi:
    """A WSGI application and its threads."""

    at_once = AT_ONCE

    def __init__(self, application: Any, threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, "request")
        #: Threads that still work on what nobody waits for.
        self.stuck = 0

    def ask(self, question: Ask, connection: Connection) -> WsgiExchange:
        """Begin to answer a request."""
        exchange = WsgiExchange(question, connection, self)
        if not question.more:
            exchange.start()
        return exchange

    def open(self, question: Open, connection: Connection) -> None:
        """WSGI knows no WebSockets."""

    def submit(self, work: Callable[[Any], None]) -> None:
        """Have a thread do *work* with the application."""
        self._pool.submit(work, self._application)


def environment_of(question: Ask, body: object) -> Environment:
    """The environment of a request, with *body* as its input."""
    path, _, query = question.target.partition(b"?")
    at = question.at.decode("latin-1")
    info = unquote_to_bytes(path).decode("latin-1")
    if at and (info == at or info.startswith(at + "/")):
        info = info[len(at) :]
    else:
        at = ""
    name, _, port = question.host.decode("latin-1").rpartition(":")
    if not name or not port.isdigit():
        name, port = question.host.decode("latin-1"), "443" if question.secure else "80"
    environment: Environment = {
        "REQUEST_METHOD": question.method.decode("latin-1"),
        "SCRIPT_NAME": at,
        "PATH_INFO": info,
        "QUERY_STRING": query.decode("latin-1"),
        "RAW_URI": question.target.decode("latin-1"),
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": question.host.decode("latin-1"),
        "REMOTE_ADDR": question.peer.decode("latin-1"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if question.secure else "http",
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if question.length:
        environment["CONTENT_LENGTH"] = str(question.length)
    for name_, value in question.fields:
        key = name_.decode("latin-1").upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environment:
            text = f"{environment[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environment[key] = text
    return environment


class WsgiExchange:
    """One request: its body comes in the thread of the loop, its answer is made in one of the pool."""

    def __init__(self, question: Ask, connection: Connection, owner: Wsgi) -> None:
        self._question = question
        self._connection = connection
        self._loop = connection.loop
        self._owner = owner
        self._early = bytearray(question.body)
        self._input: Input | None = None
        self._has_begun = self._has_ended = False
        self._is_gone = False
        #: Set unless bytes wait until the visitor takes more.
        self._is_free = threading.Event()
        self._is_free.set()

    def start(self) -> None:
        """Give it to a thread."""
        self._has_begun = True
        self._owner.submit(self._run)

    # As edge.app.hosting.connection.Exchange has it: in the thread of the loop

    def body(self, data: bytes, more: bool) -> None:
        """A piece of the question's body."""
        if self._input is not None:
            self._input.put(data, more)
            return
        self._early += data
        if more and len(self._early) < WINDOW:
            return
        if more:
            self._input = Input(self._taken)
            self._input.put(bytes(self._early), True)
        self.start()

    def message(self, data: bytes, text: bool, more: bool) -> None:
        """Never comes: there are no WebSockets here."""

    def sendable(self) -> None:
        """The visitor has taken what there was."""
        self._is_free.set()

    def gone(self, code: int, reason: str) -> None:
        """Nobody waits any more."""
        self._is_gone = True
        if self._has_begun and not self._has_ended:
            self._owner.stuck += 1
        if self._input is not None:
            self._input.gone()
        self._is_free.set()

    def _ended(self) -> None:
        self._has_ended = True
        if self._is_gone:
            self._owner.stuck -= 1

    # In a thread of the pool

    def _taken(self, size: int) -> None:
        self._loop.call_soon_threadsafe(self._connection.taken, self._question.number, size)

    def _run(self, application: Any) -> None:
        """Have the application answer; what it does not answer is 500, what it does not end is cut off."""
        if not self._is_gone:
            answer = Answering(self, self._question)
            body = self._input if self._input is not None else io.BytesIO(bytes(self._early))
            try:
                with answer.marks.in_force():
                    answer.run(application, environment_of(self._question, body))
            except Gone:
                pass
            except Exception as error:
                if not self._is_gone:
                    traceback.print_exc()
                answer.fail(f"{type(error).__name__}: {error}")
        self._loop.call_soon_threadsafe(self._ended)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call *function* of the connection for this exchange in the thread of the loop."""
        if self._is_gone:
            raise Gone("the visitor has gone")
        self._loop.call_soon_threadsafe(function, self._question.number, *arguments)

    def send_and_wait(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Likewise, and wait until the visitor takes more."""
        self._is_free.clear()
        if self._is_gone:
            raise Gone("the visitor has gone")
        self._loop.call_soon_threadsafe(self._send, function, arguments)
        self._is_free.wait()

    def _send(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        function(self._question.number, *arguments)
        if not self._connection.waiting(self._question.number):
            self._is_free.set()

    @property
    def connection(self) -> Connection:
        """Where the answer goes."""
        return self._connection


class Answering:
    """The answer of an application, as it makes it in its thread."""

    def __init__(self, exchange: WsgiExchange, question: Ask) -> None:
        self.marks = Marks()
        self._exchange = exchange
        self._is_bodiless = question.method == b"HEAD"
        self._head: tuple[int, Fields, int | None] | None = None
        self._has_begun = self._is_over = False
        self._given = 0  # bytes of the body

    def run(self, application: Any, environment: Environment) -> None:
        """Call the application and send what it gives."""
        result = application(environment, self.start_response)
        try:
            if isinstance(result, (list, tuple)):
                self._send(b"".join(result), more=False)
                return
            last = b""
            for piece in result:
                if last:  # more than its head says, which the node finds out
                    self._send(last, more=True)
                last = b""
                if self._completes(piece):
                    last = piece
                elif piece:
                    self._send(piece, more=True)
            self._send(last, more=False)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _completes(self, piece: bytes) -> bool:
        """Whether *piece* is the last one by what the head says: then it goes with the end, in one frame."""
        if self._head is None or not piece or len(piece) > WINDOW:
            return False
        return self._head[2] == self._given + len(piece)

    def start_response(
        self, status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """The head of the answer, as PEP 3333 has it."""
        if exc_info is not None:
            try:
                if self._has_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._head is not None:
            raise AssertionError("start_response was called twice")
        given = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        fields, length = split_length(given)
        self._head = int(status.split(" ", 1)[0]), fields, length
        return lambda data: self._send(data, more=True) if data else None

    def fail(self, reason: str) -> None:
        """There is no answer, or no whole one."""
        if self._is_over:
            return
        self._is_over = True
        connection = self._exchange.connection
        try:
            if self._has_begun:
                self._exchange.call(connection.cancel, reason)
            else:
                self._exchange.call(connection.answer, 500, [], 0, b"", False)
        except Gone:
            return

    def _send(self, body: bytes, more: bool) -> None:
        if self._head is None:
            raise RuntimeError("the application gave a body before it called start_response")
        if not isinstance(body, bytes):
            raise TypeError(f"the body of an answer is bytes, not {type(body).__name__}")
        connection = self._exchange.connection
        self._given += len(body)
        if not self._has_begun:
            self._begin(body, more)
        elif not self._is_bodiless and more:
            self._exchange.send_and_wait(connection.send, body, True)
        elif not self._is_bodiless:
            self._exchange.call(connection.send, body, False, self.marks.late())
        self._is_over = not more

    def _begin(self, body: bytes, more: bool) -> None:
        assert self._head is not None
        status, fields, length = self._head
        self.marks.add_to(fields)
        self._is_bodiless = self._is_bodiless or status in (204, 304)
        if self._is_bodiless:
            body, more = b"", False
        elif not more and length is None:
            length = len(body)
        self._has_begun = True
        answer = self._exchange.connection.answer
        if more:
            self._exchange.send_and_wait(answer, status, fields, length, body, True)
        else:
            self._exchange.call(answer, status, fields, length, body, False)
