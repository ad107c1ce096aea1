"""One process that speaks edge-app/1, hosted by the node or not: an origin.

One connection carries all exchanges (:mod:`edge.app.asking`).  When it ends, or the process says that it
wants to end, another one is made, and takes over when the application on it is ready; what was asked before
is finished where it was asked.  So a process that is replaced loses nothing.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger

from edge.app.asking import NodeEnd
from edge.app.ends import Sendable, Wrong
from edge.app.messages import Answer, Cancel, Changed, Close, Data, Drain, Message, Opened, Ready
from edge.errors import NotConnected
from edge.node.applications.app_exchange import AppExchange, Failed
from edge.node.applications.app_socket import SocketExchange, is_handshake
from edge.node.applications.origin import Failure, OriginError
from edge.node.process.counted_log import CountedLog
from edge.node.process.writing import write_at_once

if TYPE_CHECKING:
    from twisted.python import failure

    from edge.node.applications.origin import Exchange, Question, Receiver
    from edge.node.applications.relayed import RelayedProcess

#: (groups; None: everything) -> how many nodes have not settled that.
TellChanged = Callable[["frozenset[str] | None"], "Deferred[int]"]
#: Seconds until a connection is tried again that could not be made, or ended at once: the first, the last.
RETRY_SECONDS, MOST_RETRY_SECONDS = 0.5, 5.0
#: Seconds after which a connection has not ended at once.
SETTLED_SECONDS = 5.0


class AppOrigin:
    """The process *name* of the application at *at*; implements :class:`~.origin.Origin`."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        at: str,
        connect: Callable[[], Awaitable[int]],
        reactor: Any,
        changed: TellChanged | None = None,
    ) -> None:
        """*connect* gives the descriptor of a new connection, for us to close.

        *changed* tells the cluster what the application says is not true any more.
        """
        self.name = name
        #: Called when it has become available, or is so no longer.
        self.woken: Callable[[], None] = lambda: None
        self.reactor = reactor
        self.at = b"" if at == "/" else at.encode("ascii")
        #: The relay's connection to the same process, if there is a relay.
        self.relayed: RelayedProcess | None = None
        self.connect = connect
        self._changed = changed
        self._current: AppConnection | None = None
        self._leaving: set[AppConnection] = set()
        self._connecting: Deferred[None] | None = None
        self._retry: Any = None
        self._delay = 0.0
        self._is_stopped = False
        self._said = CountedLog(self._log, reactor)

    @property
    def available(self) -> bool:
        """Whether the application is ready and takes one more."""
        return self._current is not None and self._current.is_free

    def start(self) -> None:
        """Make the connection."""
        self._retry = None
        if self._is_stopped or self._connecting is not None:
            return
        made = Deferred.fromCoroutine(self._make())
        if not made.called:
            self._connecting = made
        made.addErrback(self._not_connected)

    def stop(self) -> None:
        """Close what rests; what is asked is finished by whoever asked it."""
        self._is_stopped = True
        if self.relayed is not None:
            self.relayed.end()
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        for connection in (self._current, *self._leaving):
            if connection is not None:
                connection.close_when_done()

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask the process."""
        connection = self._current
        if question.upgrade and not is_handshake(question):
            why = f"{self.name}: {question.upgrade.decode('latin-1')} is not spoken by edge-app/1"
            return self._fail(receiver, OriginError(Failure.REFUSED, why, False))
        if connection is None or not connection.is_free:
            return self._fail(receiver, OriginError(Failure.AWAY, f"{self.name}: nobody is there", False))
        return connection.ask(question, receiver)

    def _fail(self, receiver: Receiver, error: OriginError) -> Exchange:
        failed = Failed(receiver, error)
        self.reactor.callLater(0, failed.tell)
        return failed

    async def _make(self) -> None:
        """Make a connection."""
        descriptor = await self.connect()
        self._connecting = None
        connection = AppConnection(self)
        try:
            with socket.socket(fileno=os.dup(descriptor)) as seen:
                family = seen.family
            self.reactor.adoptStreamConnection(descriptor, family, Factory.forProtocol(lambda: connection))
        finally:
            os.close(descriptor)
        if self._is_stopped:
            connection.abort()

    def _not_connected(self, reason: failure.Failure) -> None:
        self._connecting = None
        if self._is_stopped:
            return
        if reason.check(NotConnected):
            self._said.warn("away", reason.getErrorMessage())
        else:
            self._log.failure("{name}: no connection", reason, name=self.name)
        self._try_again()

    def _try_again(self) -> None:
        if not self._is_stopped and self._retry is None and self._connecting is None:
            self._retry = self.reactor.callLater(self._delay, self.start)
            self._delay = min(max(2 * self._delay, RETRY_SECONDS), MOST_RETRY_SECONDS)

    # What connections tell

    def ready(self, connection: AppConnection) -> None:
        """The application on it is ready: it takes over."""
        former, self._current = self._current, connection
        if former is not None:
            self._leaving.add(former)
            former.close_when_done()
        if self.relayed is not None and not self._is_stopped:
            self.relayed.renew()
        self.woken()

    def draining(self, connection: AppConnection) -> None:
        """The application on it wants to end."""
        if connection is self._current:
            self.start()

    def lost(self, connection: AppConnection, lived: float, why: str | None) -> None:
        """The connection is gone; *why*: the application broke the rules."""
        self._leaving.discard(connection)
        if lived >= SETTLED_SECONDS:
            self._delay = 0.0
        if why is not None:
            self._said.warn("broken", f"{self.name}: {why}; the connection is closed")
        if connection is self._current:
            self._current = None
            if self.relayed is not None:
                self.relayed.end()
            self.woken()
            self._try_again()
        elif not connection.has_been_ready and self._current is None:
            self._try_again()

    def changed(self, connection: AppConnection, change: Changed) -> None:
        """The application says that something is not true any more."""
        if self._changed is None:
            connection.settled(change.number, 0)
            return
        groups = None if change.groups is None else frozenset(one.decode("ascii") for one in change.groups)
        told = self._changed(groups)
        told.addCallbacks(
            lambda unsettled: connection.settled(change.number, unsettled),
            lambda reason: self._not_settled(connection, change, reason),
        )

    def _not_settled(self, connection: AppConnection, change: Changed, reason: failure.Failure) -> None:
        self._said.warn("changed", f"{self.name}: a change is not settled: {reason.getErrorMessage()}")
        connection.settled(change.number, 1)


class AppConnection(Protocol):
    """One connection to a process; implements :class:`.app_exchange.Carrier`."""

    transport: Any

    def __init__(self, origin: AppOrigin) -> None:
        self.end = NodeEnd()
        self.name, self.at, self.reactor = origin.name, origin.at, origin.reactor
        self._origin = origin
        self.has_been_ready = False
        self._exchanges: dict[int, AppExchange | SocketExchange] = {}
        self._began = 0.0
        self._flushes: Any = None
        self._closes = False
        self._is_gone = False

    @property
    def is_free(self) -> bool:
        """Whether one more may be asked."""
        at_once = self.end.at_once
        return at_once is not None and self.end.running < at_once and not self._is_gone

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask, or open a WebSocket."""
        exchange: AppExchange | SocketExchange
        if question.upgrade:
            exchange = SocketExchange(self, question, receiver)
        else:
            exchange = AppExchange(self, question, receiver)
        self._exchanges[exchange.number] = exchange
        self.flush()
        return exchange

    def over(self, number: int) -> None:
        """Exchange *number* is over."""
        self._exchanges.pop(number, None)
        if self._closes and not self._exchanges:
            self._close()

    def settled(self, number: int, unsettled: int) -> None:
        """All nodes that are connected know change *number*, but *unsettled*."""
        self.end.settled(number, unsettled)
        self.flush()

    def flush(self) -> None:
        """Send what there is: with one system call what one turn of the reactor brings, if much is asked."""
        if self._flushes is None and not self._is_gone and self.end.has_output:
            if len(self._exchanges) < 3:
                self._write()
            else:
                self._flushes = self.reactor.callLater(0, self._flush)

    def _flush(self) -> None:
        self._flushes = None
        self._write()

    def _write(self) -> None:
        data = self.end.output()
        if data and not self._is_gone:
            write_at_once(self.transport, data)

    def close_when_done(self) -> None:
        """Close it when nothing is asked on it any more."""
        self._closes = True
        if not self._exchanges:
            self._close()

    def abort(self) -> None:
        """Close it now."""
        if not self._is_gone:
            self.transport.abortConnection()

    def _close(self) -> None:
        if not self._is_gone:
            self._write()
            self.transport.loseConnection()

    def _take(self, event: object) -> None:
        if isinstance(event, Answer | Data | Message | Opened | Close | Cancel | Wrong | Sendable):
            exchange = self._exchanges.get(event.number)
            if exchange is not None:
                exchange.take(event)
        elif isinstance(event, Ready):
            self.has_been_ready = True
            self._origin.ready(self)
        elif isinstance(event, Drain):
            self._origin.draining(self)
        elif isinstance(event, Changed):
            self._origin.changed(self, event)

    # Twisted's overrides

    def connectionMade(self) -> None:
        self._began = self.reactor.seconds()

    def dataReceived(self, data: bytes) -> None:
        for event in self.end.receive(data):
            self._take(event)
        if self.end.broken is not None:
            self.abort()
        else:
            self.flush()

    def connectionLost(self, reason: failure.Failure = connectionDone) -> None:
        self._is_gone = True
        if self._flushes is not None:
            self._flushes.cancel()
            self._flushes = None
        broken = self.end.broken
        kind = Failure.CLOSED_EARLY if broken is None else Failure.GARBAGE
        error = OriginError(kind, f"{self.name}: {broken or 'the process has gone'}")
        exchanges, self._exchanges = self._exchanges, {}
        self._origin.lost(self, self.reactor.seconds() - self._began, broken)
        for exchange in exchanges.values():
            exchange.lost(error)
