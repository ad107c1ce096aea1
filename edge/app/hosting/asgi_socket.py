"""WebSockets of ASGI applications: messages in and out, accepted, refused or closed."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any

from edge.app.hosting.fields import split_length

if TYPE_CHECKING:
    from edge.app.hosting.connection import Connection
    from edge.app.messages import Fields, Open

Event = dict[str, Any]

#: Bytes of one message from a visitor.
MAX_MESSAGE = 16 * 1024 * 1024


class SocketExchange:
    """One WebSocket, and the task that has it."""

    task: asyncio.Task[None]

    def __init__(self, question: Open, connection: Connection) -> None:
        self._number = question.number
        self._connection = connection
        self._events: deque[tuple[Event, int]] = deque([({"type": "websocket.connect"}, 0)])
        self._parts: list[bytes] = []
        self._size = 0
        #: Bytes of parts that came while the application had messages to receive: it is not given more.
        self._owed = 0
        self._is_open = False
        self._is_over = False
        self._refusal: tuple[int, Fields, int | None] | None = None
        self._refused = False
        self._wakes: asyncio.Future[None] | None = None
        self._drains: asyncio.Future[None] | None = None

    async def run(self, application: Any, scope: Event) -> None:
        """Have *application* use it; when that ends, it is closed."""
        try:
            await application(scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._end(1011)
        except Exception:
            if not self._is_over:
                traceback.print_exc()
            self._end(1011)
        else:
            if not self._is_open and not self._is_over and not self._refused:
                print("the application returned without accepting or refusing a WebSocket", file=sys.stderr)
            self._end(1000)

    def _end(self, code: int) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._is_open:
            self._connection.close(self._number, code, "")
        elif self._refused:
            self._connection.cancel(self._number, "the refusal was not ended")
        else:
            self._connection.answer(self._number, 500, [], 0, b"", False)

    # What the application calls

    async def receive(self) -> Event:
        """The next event."""
        while not self._events:
            self._wakes = self._connection.loop.create_future()
            await self._wakes
        event, size = self._events.popleft()
        if not self._events:
            size, self._owed = size + self._owed, 0
        if size:
            self._connection.taken(self._number, size)
        return event

    async def send(self, event: Event) -> None:
        """Accept, refuse, send a message, close.  :exc:`OSError`: the visitor has gone."""
        kind = event["type"]
        if self._is_over:
            raise OSError("the WebSocket is closed")
        if kind == "websocket.accept" and not self._is_open and not self._refused:
            fields, _ = split_length(event.get("headers", ()))
            self._is_open = True
            self._connection.opened(self._number, fields, (event.get("subprotocol") or "").encode("latin-1"))
        elif kind == "websocket.send" and self._is_open:
            await self._send_message(event)
        elif kind == "websocket.close":
            self._close(event)
        elif kind == "websocket.http.response.start" and not self._is_open:
            fields, length = split_length(event.get("headers", ()))
            self._refusal = int(event["status"]), fields, length
        elif kind == "websocket.http.response.body" and self._refusal is not None:
            self._refuse(bytes(event.get("body", b"")), bool(event.get("more_body")))
        else:
            raise RuntimeError(f"an event of type {kind!r}, which does not come here")

    async def _send_message(self, event: Event) -> None:
        text, data = event.get("text"), event.get("bytes")
        if text is not None:
            self._connection.message(self._number, text.encode("utf-8"), True)
        else:
            self._connection.message(self._number, bytes(data or b""), False)
        if self._connection.waiting(self._number):
            self._drains = self._connection.loop.create_future()
            await self._drains

    def _close(self, event: Event) -> None:
        """Close it, or refuse it with 403."""
        self._is_over = True
        if self._is_open:
            self._connection.close(self._number, event.get("code") or 1000, event.get("reason") or "")
        else:
            self._connection.answer(self._number, 403, [], 0, b"", False)
        self._tell_disconnect(event.get("code") or 1000, "")

    def _refuse(self, body: bytes, more: bool) -> None:
        assert self._refusal is not None
        self._is_over = not more
        if self._refused:
            self._connection.send(self._number, body, more)
        else:
            self._refused = True
            self._connection.answer(self._number, *self._refusal, body, more)

    # As edge.app.hosting.connection.Exchange has it

    def body(self, data: bytes, more: bool) -> None:
        """Never comes: the protocol has no bodies here."""

    def message(self, data: bytes, text: bool, more: bool) -> None:
        """A piece of a message."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_MESSAGE:
            self._parts, self._size = [], 0
            self._end(1009)
            self._tell_disconnect(1009, "the message is too big")
            return
        if more:
            # Only the whole is of use: the visitor may send on, if the application waits for that.
            if self._events:
                self._owed += len(data)
            else:
                self._connection.taken(self._number, len(data))
            return
        whole, self._parts, self._size = b"".join(self._parts), [], 0
        key, value = ("text", whole.decode("utf-8", "replace")) if text else ("bytes", whole)
        self._events.append(({"type": "websocket.receive", key: value}, len(data)))
        _wake(self._wakes)

    def sendable(self) -> None:
        """The visitor has taken what there was."""
        _wake(self._drains)

    def gone(self, code: int, reason: str) -> None:
        """The WebSocket is closed."""
        self._is_over = True
        self._tell_disconnect(code, reason)
        _wake(self._drains)

    def _tell_disconnect(self, code: int, reason: str) -> None:
        self._events.append(({"type": "websocket.disconnect", "code": code, "reason": reason}, 0))
        _wake(self._wakes)


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
