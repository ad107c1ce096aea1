"""One HTTP/1.1 server that is asked over connections which are used again; an origin.

A connection has one question at a time, and is read whenever its visitor takes what comes.  Which
connection a question goes on is decided by :mod:`edge.upstream.reuse`, what an answer is by
:mod:`edge.upstream.answer`.

A server may close a resting connection while a question is on its way to it.  A question that was sent on
such a connection and of which nothing was answered is sent once more, on a new one, if it may be repeated;
that is no failure of the server.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from zope.interface import implementer

from edge.node.applications.origin import Failure, OriginError
from edge.node.process.writing import write_at_once
from edge.upstream import question as written
from edge.upstream.answer import AnswerError, AnswerReader, ClosedEarlyError, End, Head, Interim, Switched
from edge.upstream.forwarded import VIA, forwarded
from edge.upstream.retry import KEPT_BODY, may_repeat
from edge.upstream.reuse import Resting, rest_of

if TYPE_CHECKING:
    from twisted.python import failure

    from edge.node.applications.origin import Exchange, Question, Receiver
    from edge.node.applications.relayed import RelayedServer

#: Connections that rest, of one server and one worker; the relay has as many (``edge_carrier.h``).
RESTING = 32
#: Seconds between two looks at what rests.
LOOK_SECONDS = 5.0

#: Makes a connection to the server: gives its protocol a transport.
Connect = Callable[["UpstreamConnection"], "Deferred[Any]"]


class HTTPOrigin:
    """The server *name*; implements :class:`~edge.node.applications.origin.Origin`."""

    def __init__(
        self, name: str, connect: Connect, clock: Any, count: Callable[[int], None] = lambda more: None
    ) -> None:
        """*count*: of connections that rest, by how many there are more."""
        self.name = name
        self.available = True
        self.clock = clock
        self.resting: Resting[UpstreamConnection] = Resting(RESTING, count)
        #: The relay's connections to the same server, if there is a relay.
        self.relayed: RelayedServer | None = None
        self._connect = connect
        self._looking: Any = None

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask, on a connection that rests or on a new one."""
        repeatable = may_repeat(question.method, question.fields, question.upgrade)
        exchange = HTTPExchange(self, question, receiver, repeatable)
        connection = self.resting.take(self.clock.seconds(), repeatable)
        while connection is not None and not connection.is_silent:
            connection.abort()
            connection = self.resting.take(self.clock.seconds(), repeatable)
        if connection is not None:
            connection.ask(exchange)
        else:
            self.connect(exchange)
        return exchange

    def head_of(self, question: Question) -> bytes:
        """The head that asks *question*."""
        fields = [*question.fields, (b"Via", VIA)]
        # The question that fills a cache is the same whoever asks first, and for whom.
        fields += forwarded("" if question.clean else question.peer, question.secure, question.host)
        return written.head(
            question.method,
            question.target,
            question.host,
            fields,
            question.body_length,
            question.upgrade,
            question.expect_continue,
        )

    def connect(self, exchange: HTTPExchange) -> None:
        """Ask *exchange* on a new connection."""
        connection = UpstreamConnection(self)

        def connected(_: object) -> None:
            if exchange.over:
                connection.rest(None)
            else:
                connection.ask(exchange)

        def failed(reason: failure.Failure) -> None:
            sentence = f"no connection to it: {reason.getErrorMessage()}"
            # In a later turn, for the reason may be here at once, and ask has to return first.
            self.clock.callLater(0, exchange.fail, OriginError(Failure.AWAY, sentence, reached=False))

        self._connect(connection).addCallbacks(connected, failed)

    def rest(self, connection: UpstreamConnection, seconds: float) -> None:
        """*connection* has nothing to do."""
        self._keep(connection, seconds)
        if connection.reused and self.relayed is not None and self.relayed.wants:
            self.clock.callLater(0, self._lend)  # not while its transport reads it

    def _keep(self, connection: UpstreamConnection, seconds: float) -> None:
        over = self.resting.rest(connection, self.clock.seconds(), seconds)
        if over is not None:
            over.close()
        if self._looking is None:
            self._looking = self.clock.callLater(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """Close what rests."""
        if self.relayed is not None:
            self.relayed.end()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        for connection in self.resting.clear():
            connection.close()

    def _lend(self) -> None:
        """Give the relay a connection that rests, if it wants one still."""
        if self.relayed is None or not self.relayed.wants:
            return
        connection = self.resting.take(self.clock.seconds(), True)
        if connection is None:
            return
        if connection.is_proven:
            self.relayed.carry(connection.detach(), connection.rests_for)
        else:
            self._keep(connection, connection.rests_for)  # it is offered when it has answered

    def _look(self) -> None:
        self._looking = None
        for connection in self.resting.expired(self.clock.seconds()):
            connection.close()
        if len(self.resting):
            self._looking = self.clock.callLater(LOOK_SECONDS, self._look)


class HTTPExchange:
    """One question to one server."""

    __slots__ = (
        "_connection",
        "_finished",
        "_held",
        "_kept",
        "_kept_size",
        "_origin",
        "_paused",
        "_repeatable",
        "over",
        "question",
        "receiver",
    )

    def __init__(self, origin: HTTPOrigin, question: Question, receiver: Receiver, repeatable: bool) -> None:
        self.question = question
        self.receiver = receiver
        #: Nothing more is to be heard.
        self.over = False
        self._origin = origin
        self._repeatable = repeatable
        self._connection: UpstreamConnection | None = None
        #: The body so far, while it may have to be sent (again); None: no longer.
        self._kept: list[bytes] | None = []
        self._kept_size = 0
        self._held = False  # the receiver was told to send no more
        self._finished = False
        self._paused = False

    def begin(self, connection: UpstreamConnection) -> bytes:
        """*connection* asks it; what is to be written first."""
        self._connection = connection
        out = self._origin.head_of(self.question)
        if self.question.has_body:
            out += b"".join(self._framed(piece) for piece in self._kept or ())
            if self._finished:
                out += self._end_of_body()
            if not (self._repeatable and connection.reused):
                self._kept = None
        if self._paused:
            connection.pause(True)
        return out

    def begun(self) -> None:
        """What was to be written first is: more may follow it."""
        if self._held and not self.over:
            self._held = False
            self.receiver.resume_body()

    def fail(self, error: OriginError) -> None:
        """There will be no answer, or no more of it."""
        if not self.over:
            self.over = True
            self._connection = None
            self._kept = None
            self.receiver.failed(error)

    def lost(self, error: AnswerError, reused: bool, begun: bool) -> None:
        """The connection has gone before the answer was over, or says what is none."""
        early = isinstance(error, ClosedEarlyError)
        if self.over:
            return
        if early and reused and not begun and self._repeatable and self._kept is not None:
            self._connection = None
            self._origin.connect(self)
            return
        self.fail(OriginError(Failure.CLOSED_EARLY if early else Failure.GARBAGE, str(error)))

    def _framed(self, data: bytes) -> bytes:
        return data if self.question.body_length is not None else written.chunk(data)

    def _end_of_body(self) -> bytes:
        return b"" if self.question.body_length is not None else written.LAST_CHUNK

    # As edge.node.applications.origin.Exchange has it

    def send(self, data: bytes) -> None:
        """A piece of the body, or of what follows 101."""
        if self.over or not data:
            return
        connection = self._connection
        if connection is not None and connection.raw:
            connection.write(data)
            if not self.question.keep(connection.unsent):
                self.cancel()
                self.receiver.ended([])
            return
        if self._kept is not None:
            self._kept.append(data)
            self._kept_size += len(data)
        if connection is not None:
            connection.write(self._framed(data))
            if self._kept_size > KEPT_BODY:
                self._kept = None
        elif self._kept_size >= KEPT_BODY and not self._held:
            self._held = True
            self.receiver.pause_body()

    def finish(self) -> None:
        """The body is whole; or this direction is over."""
        if self.over or self._finished:
            return
        self._finished = True
        connection = self._connection
        if connection is not None:
            if connection.raw:
                connection.close()
            else:
                connection.write(self._end_of_body())

    def pause(self) -> None:
        """The connection is not read."""
        self._pause(True)

    def resume(self) -> None:
        """The connection is read again."""
        self._pause(False)

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        if self._connection is not None and not self.over:
            self._connection.pause(paused)

    def cancel(self) -> None:
        """The connection is of no use any more: its answer would still come."""
        if self.over:
            return
        self.over = True
        self._kept = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    @property
    def body_is_whole(self) -> bool:
        """Whether nothing of the question is still to come."""
        return self._finished or not self.question.has_body


@implementer(IPushProducer)
class UpstreamConnection(Protocol):
    """One connection to a server."""

    transport: Any

    def __init__(self, origin: HTTPOrigin) -> None:
        self._origin = origin
        self._exchange: HTTPExchange | None = None
        self._reader: AnswerReader | None = None
        self._paused = False
        self._gone = False
        #: It has answered before, and may rest for so many seconds.
        self.reused = False
        self.rests_for = 0.0
        #: After 101: what comes and goes are bytes of another protocol.
        self.raw = False

    def ask(self, exchange: HTTPExchange) -> None:
        """Ask: it rests, or is new."""
        question = exchange.question
        if self._gone:
            exchange.fail(OriginError(Failure.AWAY, "it closed the connection at once", reached=False))
            return
        self._exchange = exchange
        self._reader = AnswerReader(question.method, question.upgrade)
        self.write(exchange.begin(self))
        exchange.begun()

    def write(self, data: bytes) -> None:
        """Send *data*, at once as far as the kernel takes it."""
        if data and not self._gone:
            write_at_once(self.transport, data)

    def pause(self, paused: bool) -> None:
        """Read nothing for now; or read on."""
        if paused is not self._paused and not self._gone:
            self._paused = paused
            (self.transport.pauseProducing if paused else self.transport.resumeProducing)()

    def rest(self, keep_alive: bytes | None) -> None:
        """Nothing is asked; the next question may come."""
        if not self._gone:
            self.rests_for = rest_of(keep_alive)
            self._origin.rest(self, self.rests_for)

    def close(self) -> None:
        """Close when all is sent."""
        if not self._gone:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come that the reactor has not told yet, bytes or the end.

        Taken for the answer to what is asked next, it would be another visitor's (response queue poisoning).
        """
        try:
            self.transport.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has not taken."""
        transport = self.transport
        return 0 if self._gone else len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    @property
    def is_proven(self) -> bool:
        """Whether it has answered, and nothing of what was asked is still to be sent."""
        return self.reused and not (self.transport.dataBuffer or self.transport._tempDataBuffer)

    def detach(self) -> int:
        """The descriptor, which is the caller's; nothing is heard of the connection any more.

        Only while it rests, and not from within its transport's own ``doRead`` or ``doWrite``.
        """
        transport = self.transport
        transport.unregisterProducer()
        transport.stopReading()
        transport.stopWriting()
        transport.connected, transport.disconnected = 0, 1
        descriptor: int = transport.socket.detach()
        del transport.protocol, transport.socket, transport.fileno
        self._gone = True
        return descriptor

    def abort(self) -> None:
        """Close now."""
        self._exchange = self._reader = None
        if not self._gone:
            self.transport.abortConnection()

    def _take(self, exchange: HTTPExchange, event: Interim | Head | Switched | bytes | End) -> None:
        """Tell who asks what has come."""
        receiver = exchange.receiver
        if type(event) is bytes:
            receiver.data(event)
        elif type(event) is Head:
            receiver.started(event.status, event.fields, event.length)
        elif type(event) is End:
            self._end(exchange, event)
        elif type(event) is Interim:
            receiver.informational(event.status, event.fields)
        elif type(event) is Switched:
            self.raw = True
            receiver.switched(event.fields)
            if event.rest and not exchange.over:
                receiver.data(event.rest)

    def _end(self, exchange: HTTPExchange, end: End) -> None:
        """The answer is whole; the connection is free, if both sides have said all they had to."""
        self._exchange = self._reader = None
        free = end.reusable and exchange.body_is_whole
        exchange.over = True
        if free and not self._gone:
            self.reused = True
            self.pause(False)
            self.rest(end.keep_alive)
        elif exchange.body_is_whole:
            self.close()
        else:
            self.abort()  # what is left of the question is not wanted
        exchange.receiver.ended(end.trailers)

    def _lose(self, error: AnswerError) -> None:
        exchange, reader = self._exchange, self._reader
        self._exchange = self._reader = None
        if exchange is not None:
            exchange.lost(error, self.reused, reader is not None and reader.begun)

    # Twisted's overrides

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        exchange, reader = self._exchange, self._reader
        if self.raw:
            if exchange is not None:
                exchange.receiver.data(data)
            return
        if exchange is None or reader is None:  # nobody asked for anything
            self._origin.resting.gone(self)
            self.abort()
            return
        try:
            events = reader.receive(data)
        except AnswerError as error:
            self._lose(error)
            self.abort()
            return
        for event in events:
            if exchange.over:
                break
            self._take(exchange, event)

    def connectionLost(self, reason: failure.Failure = connectionDone) -> None:
        self._gone = True
        self._origin.resting.gone(self)
        exchange, reader = self._exchange, self._reader
        if exchange is None or reader is None:
            return
        if self.raw:
            self._exchange = None
            exchange.over = True
            exchange.receiver.ended([])
            return
        try:
            if not reason.check(ConnectionDone):  # an answer that ends with the connection is not whole then
                raise ClosedEarlyError(f"the connection broke: {reason.getErrorMessage()}")
            events = reader.close()
        except AnswerError as error:
            self._lose(error)
            return
        for event in events:
            self._take(exchange, event)

    def pauseProducing(self) -> None:
        if self._exchange is not None:
            self._exchange.receiver.pause_body()

    def resumeProducing(self) -> None:
        if self._exchange is not None:
            self._exchange.question.keep(0)
            self._exchange.receiver.resume_body()

    def stopProducing(self) -> None:
        """The connection is gone: connectionLost tells it."""
