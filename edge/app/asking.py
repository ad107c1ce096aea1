"""The node's end of an edge-app/1 connection.  Sans-IO: see :mod:`.ends`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.app.ends import End, Event, Exchange, Wrong
from edge.app.messages import (
    FROM_APPLICATION,
    MAX_CHANGES,
    MAX_INTERIM,
    MAX_NUMBER,
    VERSION,
    Answer,
    AnyMessage,
    Ask,
    Changed,
    Data,
    Drain,
    Fields,
    Malformed,
    Open,
    Opened,
    Ready,
    Settled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class NodeEnd(End):
    """The end that asks."""

    _table = FROM_APPLICATION
    _ends_exchange = False

    def __init__(self) -> None:
        super().__init__()
        #: Exchanges at once that the application takes; None: it has not said yet that it is ready.
        self.at_once: int | None = None
        #: It wants to end.
        self.draining = False
        self._changes: set[int] = set()

    def ask(
        self,
        method: bytes,
        target: bytes,
        fields: Fields,
        host: bytes,
        *,
        secure: bool = False,
        peer: str = "",
        at: bytes = b"",
        length: int | None = 0,
        deadline: int | None = None,
        fill: int | None = None,
    ) -> int:
        """Begin an exchange; its body, unless *length* is 0, follows by :meth:`send`."""
        number = self._begin(Exchange())
        exchange = self._exchanges[number]
        exchange.bodiless = method == b"HEAD"
        more = length != 0
        self._send(
            Ask(
                number,
                method,
                target,
                fields,
                host,
                secure,
                peer.encode(),
                at,
                b"",
                more,
                length,
                deadline,
                fill,
            )
        )
        return number

    def open(
        self,
        target: bytes,
        fields: Fields,
        host: bytes,
        *,
        secure: bool = False,
        peer: str = "",
        at: bytes = b"",
        protocols: Sequence[bytes] = (),
    ) -> int:
        """Begin a WebSocket."""
        number = self._begin(Exchange(is_socket=True))
        self._send(Open(number, target, fields, host, secure, peer.encode(), at, list(protocols)))
        return number

    def send(self, number: int, body: bytes, more: bool) -> None:
        """Send a piece of the question's body; nothing, if the exchange is over."""
        exchange = self._exchanges.get(number)
        if exchange is not None:
            self._data(number, exchange, body, more, [])

    def settled(self, number: int, unsettled: int) -> None:
        """Change *number* is known to all nodes that are connected, but *unsettled*."""
        if number in self._changes:
            self._changes.discard(number)
            self._send(Settled(number, unsettled))

    def _begin(self, exchange: Exchange) -> int:
        self._last += 1
        assert self._last <= MAX_NUMBER
        self._exchanges[self._last] = exchange
        return self._last

    # What comes

    def _take(self, message: AnyMessage, events: list[Event]) -> None:
        if self.at_once is None and not isinstance(message, Ready):
            raise Malformed(f"{type(message).__name__.lower()} came before ready")
        if isinstance(message, Ready):
            self._take_ready(message)
            events.append(message)
        elif isinstance(message, Answer):
            self._take_answer(message, events)
        elif isinstance(message, Opened):
            exchange = self._find(message.number)
            if exchange is not None:
                if not exchange.is_socket or exchange.answered:
                    raise Malformed(
                        f"opened in exchange {message.number}, which is no WebSocket, or open already"
                    )
                exchange.answered = True
                events.append(message)
        elif isinstance(message, Changed):
            if message.number in self._changes or len(self._changes) >= MAX_CHANGES:
                raise Malformed(
                    f"change {message.number} is not settled yet, or more than {MAX_CHANGES} are not"
                )
            self._changes.add(message.number)
            events.append(message)
        elif isinstance(message, Drain):
            self.draining = True
            events.append(message)
        else:
            if isinstance(message, Data):
                exchange = self._find(message.number)
                if exchange is not None and not exchange.answered:
                    raise Malformed(f"data in exchange {message.number} came before its answer")
            self._take_common(message, events)
            if isinstance(message, Data) and not message.more:
                self._exchanges.pop(message.number, None)

    def _take_ready(self, message: Ready) -> None:
        if self.at_once is not None:
            raise Malformed("ready came twice")
        if message.version != VERSION:
            raise Malformed(f"it speaks edge-app/{message.version}, this node edge-app/{VERSION}")
        self.at_once = message.at_once

    def _take_answer(self, message: Answer, events: list[Event]) -> None:
        number = message.number
        exchange = self._find(number)
        if exchange is None:
            return
        if exchange.answered:
            raise Malformed(f"exchange {number} was answered twice")
        if message.status < 200:
            exchange.interim += 1
            if message.body or not message.more or exchange.interim > MAX_INTERIM:
                raise Malformed(f"a head before the answer has a body, or is one of more than {MAX_INTERIM}")
            events.append(message)
            return
        exchange.answered, exchange.coming, exchange.is_socket = True, message.more, False
        bodiless = exchange.bodiless or message.status in (204, 304)
        if bodiless and (message.body or message.more):
            self.cancel(number, "this answer has no body")
            events.append(Wrong(number, f"an answer that has no body ({message.status}) came with one"))
            return
        exchange.expected = None if bodiless else message.length
        if message.body or not message.more:
            self._count(exchange, message.body, message.more)
        self._measure(number, exchange, message, events)
        if not message.more:
            self._exchanges.pop(number, None)
