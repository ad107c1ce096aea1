"""A worker's connection to the process of an application: frames on asyncio, and the exchanges on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

from edge.app.answering import ApplicationEnd
from edge.app.ends import Sendable, Wrong
from edge.app.messages import Ask, Cancel, Close, Data, Fields, Malformed, Message, Open, Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Bytes of one read.
READ_BYTES = 256 * 1024


class Exchange(Protocol):
    """What answers one question; its methods are called in the thread of the loop."""

    def body(self, data: bytes, more: bool) -> None:
        """A piece of the question's body."""

    def message(self, data: bytes, text: bool, more: bool) -> None:
        """A piece of a message of the WebSocket."""

    def sendable(self) -> None:
        """Nothing waits to be sent any more."""

    def gone(self, code: int, reason: str) -> None:
        """Nobody waits for the answer any more; or the WebSocket was closed, with *code*."""


class Interface(Protocol):
    """A kind of applications: WSGI, ASGI, resources."""

    #: Exchanges at once on one connection.
    at_once: int

    def ask(self, question: Ask, connection: Connection) -> Exchange:
        """Begin to answer."""

    def open(self, question: Open, connection: Connection) -> Exchange | None:
        """Begin a WebSocket; None: there are none here."""


class Connection(asyncio.Protocol):
    """The connection of one worker."""

    def __init__(self, interface: Interface, closed: Callable[[Connection], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self._interface = interface
        self._closed = closed
        self._end = ApplicationEnd(interface.at_once)
        self._exchanges: dict[int, Exchange] = {}
        self._changes: dict[int, Callable[[int | None], None]] = {}
        #: None until the connection is open.
        self._transport: asyncio.Transport | None = None
        #: The question that is being begun, and those that were over before they had begun.
        self._asking = 0
        self._over_early: set[int] = set()
        self._is_lost = False
        self._flushes = False

    @property
    def running(self) -> int:
        """Exchanges that are not over."""
        return len(self._exchanges)

    def drain(self) -> None:
        """Ask for no further exchanges; the worker closes when those that there are are over."""
        self._end.drain()
        self._flush_soon()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # For exchanges, in the thread of the loop

    def informational(self, number: int, status: int, fields: Fields) -> None:
        """Send a head before the answer's."""
        try:
            self._end.informational(number, status, fields)
        except Malformed as error:
            print(f"a head before the answer is left out: {error}", flush=True)
        self._flush_soon()

    def answer(
        self, number: int, status: int, fields: Fields, length: int | None, body: bytes, more: bool
    ) -> bool:
        """Begin the answer, or give all of it; False: nobody waits for it.  What cannot be sent is 500."""
        try:
            sent = self._end.answer(number, status, fields, length, body, more)
        except Malformed as error:
            print(f"an answer that cannot be sent is 500: {error}", flush=True)
            sent, more = self._end.answer(number, 500, [], 0), False
        if not more:
            self._over(number)
        self._flush_soon()
        return sent

    def send(self, number: int, body: bytes, more: bool, trailers: Fields | None = None) -> bool:
        """Send a piece of the answer's body; False: nobody waits for it."""
        try:
            sent = self._end.send(number, body, more, trailers)
        except Malformed as error:
            print(f"trailers are left out: {error}", flush=True)
            sent = self._end.send(number, body, more)
        if not more:
            self._over(number)
        self._flush_soon()
        return sent

    def waiting(self, number: int) -> int:
        """Bytes that wait until the visitor takes more."""
        return self._end.waiting(number)

    def taken(self, number: int, size: int) -> None:
        """So many bytes of the question's body, or of messages, were used."""
        self._end.taken(number, size)
        self._flush_soon()

    def cancel(self, number: int, reason: str) -> None:
        """There will be no (whole) answer."""
        self._over(number)
        self._end.cancel(number, reason)
        self._flush_soon()

    def opened(self, number: int, fields: Fields, protocol: bytes) -> bool:
        """Accept a WebSocket."""
        try:
            opened = self._end.opened(number, fields, protocol)
        except Malformed as error:
            print(f"fields of a WebSocket are left out: {error}", flush=True)
            opened = self._end.opened(number, [], protocol)
        self._flush_soon()
        return opened

    def message(self, number: int, body: bytes, text: bool) -> bool:
        """Send a message of a WebSocket."""
        sent = self._end.message(number, body, text)
        self._flush_soon()
        return sent

    def close(self, number: int, code: int, reason: str) -> None:
        """Close a WebSocket."""
        self._over(number)
        self._end.close(number, code, reason)
        self._flush_soon()

    def changed(self, groups: Iterable[bytes] | None, settled: Callable[[int | None], None]) -> None:
        """Say that *groups* changed; *settled* gets how many nodes have not settled, None: nobody knows."""
        if self._is_lost:
            settled(None)
            return
        self._changes[self._end.changed(groups)] = settled
        self._flush_soon()

    # Inside

    def _over(self, number: int) -> None:
        """The application has ended the exchange."""
        if self._exchanges.pop(number, None) is None and self._asking == number:
            self._over_early.add(number)

    def _flush_soon(self) -> None:
        """Send with one system call what this turn of the loop brings."""
        if not self._flushes and self._end.has_output:
            self._flushes = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushes = False
        if self._transport is not None and not self._is_lost:
            out = self._end.output()
            if out:
                self._transport.write(out)

    def _take(self, event: object) -> None:
        if isinstance(event, Ask):
            self._asking = event.number
            exchange = self._interface.ask(event, self)
            self._asking = 0
            if event.number in self._over_early:  # it was answered there and then
                self._over_early.discard(event.number)
            else:
                self._exchanges[event.number] = exchange
        elif isinstance(event, Open):
            socket = self._interface.open(event, self)
            if socket is not None:
                self._exchanges[event.number] = socket
            else:
                self.answer(event.number, 501, [], 0, b"", False)
        elif isinstance(event, Settled):
            self._changes.pop(event.number)(event.unsettled)
        elif isinstance(event, Data | Message | Cancel | Close | Sendable | Wrong):
            self._take_of_exchange(event)

    def _take_of_exchange(self, event: Data | Message | Cancel | Close | Sendable | Wrong) -> None:
        exchange = self._exchanges.get(event.number)
        if exchange is None:
            return
        if isinstance(event, Data):
            exchange.body(event.body, event.more)
        elif isinstance(event, Message):
            exchange.message(event.body, event.text, event.more)
        elif isinstance(event, Sendable):
            exchange.sendable()
        else:
            del self._exchanges[event.number]
            if isinstance(event, Close):
                exchange.gone(event.code, event.reason.decode("utf-8", "replace"))
            else:
                exchange.gone(1006, "")

    # As asyncio has it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open: say that the application is ready."""
        self._transport = cast("asyncio.Transport", transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """The worker has sent something."""
        for event in self._end.receive(data):
            self._take(event)
        if self._end.broken is not None:
            print(f"the node broke the rules of edge-app/1: {self._end.broken}", flush=True)
            self.abort()
        self._flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker has closed the connection, or ended."""
        self._is_lost = True
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            exchange.gone(1006, "")
        changes, self._changes = self._changes, {}
        for settled in changes.values():
            settled(None)
        self._closed(self)
