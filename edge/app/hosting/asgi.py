"""ASGI 3 applications (https://asgi.readthedocs.io/en/latest/specs/): requests."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from edge.app.hosting.asgi_socket import SocketExchange
from edge.app.hosting.fields import split_length
from edge.app.marks import Marks

if TYPE_CHECKING:
    from edge.app.hosting.connection import Connection
    from edge.app.messages import Ask, Fields, Open

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Event, Receive, Send], Awaitable[None]]

#: Exchanges at once on one connection: WebSockets are among them.
AT_ONCE = 100_000
#: Seconds that an application has to end after its visitor has gone.
GRACE_SECONDS = 30.0


class Asgi:
    """An ASGI application; *state* is what its lifespan has put there."""

    at_once = AT_ONCE

    def __init__(self, application: Application, state: Event) -> None:
        self._application = application
        self._state = state
        #: Tasks that go on after their visitor has gone.
        self.stuck = 0

    def ask(self, question: Ask, connection: Connection) -> HttpExchange:
        """Begin to answer a request."""
        scope = scope_of(question, "http", self._state)
        scope["method"] = question.method.decode("ascii", "replace")
        exchange = HttpExchange(question, connection, self)
        exchange.task = connection.loop.create_task(exchange.run(self._application, scope))
        return exchange

    def open(self, question: Open, connection: Connection) -> SocketExchange:
        """Begin a WebSocket."""
        scope = scope_of(question, "websocket", self._state)
        scope["subprotocols"] = [one.decode("latin-1") for one in question.protocols]
        scope["extensions"]["websocket.http.response"] = {}
        exchange = SocketExchange(question, connection)
        exchange.task = connection.loop.create_task(exchange.run(self._application, scope))
        return exchange


def scope_of(question: Ask | Open, kind: str, state: Event) -> Event:
    """What both kinds of scopes have."""
    path, _, query = question.target.partition(b"?")
    secure = question.secure
    schemes = ("ws", "wss") if kind == "websocket" else ("http", "https")
    host, _, port = question.host.decode("latin-1").rpartition(":")
    if not host or not port.isdigit():
        host, port = question.host.decode("latin-1"), "443" if secure else "80"
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": schemes[secure],
        "path": unquote(path.decode("latin-1"), "utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": question.at.decode("latin-1"),
        "headers": [(b"host", question.host), *question.fields],
        "client": (question.peer.decode("latin-1"), 0) if question.peer else None,
        "server": (host, int(port)),
        "state": state.copy(),
        "extensions": {"http.response.trailers": {}, "http.response.early_hint": {}},
    }


class HttpExchange:
    """One request, and the task that answers it."""

    task: asyncio.Task[None]

    def __init__(self, question: Ask, connection: Connection, owner: Asgi) -> None:
        self._number = question.number
        self._is_bodiless = question.method == b"HEAD"
        self._connection = connection
        self._owner = owner
        self._body = question.body
        self._more = question.more
        self._is_asked = False  # the body was given, down to its end
        self._is_gone = False
        self._wakes: asyncio.Future[None] | None = None  # who waits in receive
        self._drains: asyncio.Future[None] | None = None  # who waits in send
        self._head: tuple[int, Fields, int | None] | None = None
        self._awaits_trailers = False
        self._begun = False
        self._is_over = False
        self._marks = Marks()

    async def run(self, application: Application, scope: Event) -> None:
        """Have *application* answer; what it does not answer is 500, what it does not end is cut off."""
        try:
            self._marks.put_in_force()
            await application(scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._fail("it was still at it long after its visitor had gone")
        except Exception as error:
            if not self._is_gone:
                traceback.print_exc()
                self._fail(f"{type(error).__name__}: {error}")
        else:
            if not self._is_over and not self._is_gone:
                print(
                    f"the application returned without ending its answer to {scope['raw_path']!r}",
                    file=sys.stderr,
                )
                self._fail("it returned without ending its answer")
        finally:
            self._is_gone = True

    def _fail(self, reason: str) -> None:
        """Answer 500, or cut the answer off."""
        if self._is_over:
            return
        self._is_over = True
        if self._begun:
            self._connection.cancel(self._number, reason)
        else:
            self._connection.answer(self._number, 500, [], 0, b"", False)

    # What the application calls

    async def receive(self) -> Event:
        """The next piece of the body, or that the visitor has gone."""
        while not self._is_gone and not self._is_over:
            if not self._is_asked and (self._body or not self._more):
                body, self._body = self._body, b""
                self._is_asked = not self._more
                self._connection.taken(self._number, len(body))
                return {"type": "http.request", "body": body, "more_body": self._more}
            self._wakes = self._connection.loop.create_future()
            await self._wakes
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        """A part of the answer; returns when the visitor takes more.  :exc:`OSError`: he has gone."""
        kind = event["type"]
        if self._is_gone:
            raise OSError("the visitor has gone")
        if self._is_over:
            raise RuntimeError(f"{kind} after the end of the answer")
        if kind == "http.response.start":
            if self._head is not None:
                raise RuntimeError("http.response.start came twice")
            fields, length = split_length(event.get("headers", ()))
            self._awaits_trailers = bool(event.get("trailers"))
            self._head = int(event["status"]), fields, length
        elif kind == "http.response.body":
            await self._send_body(event.get("body", b""), bool(event.get("more_body")))
        elif kind == "http.response.trailers":
            self._send_trailers(event)
        elif kind == "http.response.early_hint":
            links = [(b"link", link) for link in event.get("links", ())]
            self._connection.informational(self._number, 103, links)
        else:
            raise RuntimeError(f"an event of type {kind!r}, which is not known here")

    async def _send_body(self, body: bytes, more: bool) -> None:
        if self._head is None:
            raise RuntimeError("http.response.body came before http.response.start")
        more = more or self._awaits_trailers
        self._is_over = not more
        if not self._begun:
            self._begin(bytes(body), more)
        elif not self._is_bodiless:
            self._connection.send(self._number, bytes(body), more, None if more else self._marks.late())
        if more and self._connection.waiting(self._number):
            self._drains = self._connection.loop.create_future()
            await self._drains

    def _begin(self, body: bytes, more: bool) -> None:
        """Send the head, and *body* with it; what has no body ends with the head."""
        assert self._head is not None
        status, fields, length = self._head
        self._marks.add_to(fields)
        self._is_bodiless = self._is_bodiless or status in (204, 304)
        if self._is_bodiless:
            body, more = b"", False
        elif not more and length is None:
            length = len(body)
        self._connection.answer(self._number, status, fields, length, body, more)
        self._begun = True

    def _send_trailers(self, event: Event) -> None:
        if self._head is None or not self._awaits_trailers:
            raise RuntimeError("http.response.trailers came, which http.response.start did not announce")
        if event.get("more_trailers"):
            raise RuntimeError("trailers in several parts are not taken; send them in one")
        self._is_over = True
        fields, _ = split_length(event.get("headers", ()))
        if not self._begun:
            self._begin(b"", True)
        if not self._is_bodiless:
            self._connection.send(self._number, b"", False, [*fields, *self._marks.late()])

    # As edge.app.hosting.connection.Exchange has it

    def body(self, data: bytes, more: bool) -> None:
        """A piece of the question's body."""
        self._body += data
        self._more = more
        _wake(self._wakes)

    def message(self, data: bytes, text: bool, more: bool) -> None:
        """Never comes: the protocol has no messages in requests."""

    def sendable(self) -> None:
        """The visitor has taken what there was."""
        _wake(self._drains)

    def gone(self, code: int, reason: str) -> None:
        """Nobody waits any more."""
        self._is_gone = True
        _wake(self._wakes)
        _wake(self._drains)
        if not self.task.done():
            self._owner.stuck += 1
            over = self._connection.loop.call_later(GRACE_SECONDS, self.task.cancel)
            self.task.add_done_callback(lambda _: self._ended(over))

    def _ended(self, over: asyncio.TimerHandle) -> None:
        self._owner.stuck -= 1
        over.cancel()


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
