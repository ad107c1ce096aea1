"""The application's end of an edge-app/1 connection.  Sans-IO: see :mod:`.ends`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edge.app.ends import End, Event, Exchange
from edge.app.messages import (
    FROM_NODE,
    MAX_CHANGES,
    MAX_INTERIM,
    VERSION,
    Answer,
    AnyMessage,
    Ask,
    Changed,
    Drain,
    Fields,
    Malformed,
    Open,
    Opened,
    Ready,
    Settled,
    check_head,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class ApplicationEnd(End):
    """The end that answers; it says at once that it is ready."""

    _table = FROM_NODE
    _ends_exchange = True

    def __init__(self, at_once: int) -> None:
        """*at_once*: how many exchanges it takes."""
        super().__init__()
        self._at_once = at_once
        self._change = 0
        self._unsettled: set[int] = set()
        self._changes: deque[Changed] = deque()
        self._send(Ready(VERSION, at_once))

    def informational(self, number: int, status: int, fields: Fields) -> None:
        """Send a head before that of the answer, as 103 (RFC 8297); :class:`Malformed` as :meth:`answer`."""
        exchange = self._exchanges.get(number)
        if exchange is not None and not exchange.answered and exchange.interim < MAX_INTERIM:
            exchange.interim += 1
            check_head(status, fields)
            self._send(Answer(number, status, fields, None, b"", True))

    def answer(
        self,
        number: int,
        status: int,
        fields: Fields,
        length: int | None,
        body: bytes = b"",
        more: bool = False,
    ) -> bool:
        """Begin the answer, or give all of it; False: nobody waits for it any more.

        :class:`Malformed`: such a head cannot be sent.
        """
        check_head(status, fields)
        exchange = self._exchanges.get(number)
        if exchange is None or exchange.answered:
            return False
        exchange.answered = True
        exchange.is_socket = False  # then it was refused
        exchange.over_when_sent = not more
        self._leave_answer(number, exchange, status, fields, length, body, more)
        return True

    def send(self, number: int, body: bytes, more: bool, trailers: Fields | None = None) -> bool:
        """Send a piece of the answer's body; False: nobody waits for it any more."""
        exchange = self._exchanges.get(number)
        if exchange is None or not exchange.answered or exchange.is_socket or exchange.over_when_sent:
            return False
        check_head(200, trailers or [])
        self._data(number, exchange, body, more, trailers or [])
        return True

    def opened(self, number: int, fields: Fields, protocol: bytes) -> bool:
        """Accept a WebSocket; False: nobody waits for it any more."""
        exchange = self._exchanges.get(number)
        if exchange is None or exchange.answered:
            return False
        check_head(200, fields)
        exchange.answered = True
        self._send(Opened(number, fields, protocol))
        return True

    def changed(self, groups: Iterable[bytes] | None) -> int:
        """Say that what has these groups changed (None: everything); the number that will be settled."""
        self._change += 1
        self._changes.append(Changed(self._change, None if groups is None else list(groups)))
        self._send_changes()
        return self._change

    def drain(self) -> None:
        """Say that this end wants to end."""
        self._send(Drain())

    def _send_changes(self) -> None:
        while self._changes and len(self._unsettled) < MAX_CHANGES:
            change = self._changes.popleft()
            self._unsettled.add(change.number)
            self._send(change)

    def _leave_answer(
        self,
        number: int,
        exchange: Exchange,
        status: int,
        fields: Fields,
        length: int | None,
        body: bytes,
        more: bool,
    ) -> None:
        """The head goes with as much of the body as there is room for, the rest behind it."""
        room = exchange.may_leave
        first = body if len(body) <= room else body[:room]
        exchange.may_leave -= len(first)
        self._send(Answer(number, status, fields, length, first, len(body) > room or more))
        if len(body) > room:
            self._data(number, exchange, memoryview(body)[room:], more, [])
        elif not more:
            del self._exchanges[number]

    # What comes

    def _take(self, message: AnyMessage, events: list[Event]) -> None:
        if isinstance(message, Ask):
            exchange = self._begin(message.number, False)
            exchange.coming, exchange.expected = message.more, message.length
            if message.body or not message.more:
                self._count(exchange, message.body, message.more)
            self._measure(message.number, exchange, message, events)
        elif isinstance(message, Open):
            self._begin(message.number, True)
            events.append(message)
        elif isinstance(message, Settled):
            if message.number not in self._unsettled:
                raise Malformed(f"change {message.number} was settled, which is not on its way")
            self._unsettled.discard(message.number)
            self._send_changes()
            events.append(message)
        else:
            self._take_common(message, events)

    def _begin(self, number: int, is_socket: bool) -> Exchange:
        if number <= self._last:
            raise Malformed(f"exchange {number} does not come after {self._last}")
        if len(self._exchanges) >= self._at_once:
            raise Malformed(f"more than {self._at_once} exchanges at once")
        self._last = number
        exchange = self._exchanges[number] = Exchange(is_socket)
        return exchange
