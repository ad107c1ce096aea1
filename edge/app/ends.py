"""What both ends of an edge-app/1 connection do: frames, flow control, the end of exchanges.  Sans-IO.

**Flow control.**  In each exchange and direction :data:`~.messages.WINDOW` bytes of bodies may be on their
way.  What is to be sent waits here until there is room (:meth:`End.waiting`; a :class:`Sendable` tells that
nothing waits any more); whoever takes what came says so (:meth:`End.taken`), and the peer gets credit when
half a window was taken.  So what one exchange keeps in memory is bounded by the window, whatever a peer does.

**The end.**  An exchange is over with the last piece of the answer, with a cancel or a close, whoever sent
it.  What the other side had sent before it learned of that is dropped without a word.

What breaks the rules breaks the connection: :attr:`End.broken` says why, and nothing more comes of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from edge.app.messages import (
    WINDOW,
    AnyMessage,
    Cancel,
    Close,
    Credit,
    Data,
    Fields,
    Frames,
    Malformed,
    Message,
    Table,
    decode,
    encode,
)

#: Bytes taken for which the peer is given credit: half a window, so that it never stands still meanwhile.
CREDIT_STEP = WINDOW // 2


class Sendable(NamedTuple):
    """Nothing waits to be sent any more in this exchange."""

    number: int


class Wrong(NamedTuple):
    """What came in this exchange cannot be used; the exchange is over."""

    number: int
    sentence: str


Event = AnyMessage | Sendable | Wrong


#: A piece of a body, and whether more of the same follows -> the message.
Piece = Callable[[bytes, bool], AnyMessage]


class Exchange:
    """What is known of one exchange."""

    #: A WebSocket, not a request.
    is_socket: bool
    #: The head of the answer was sent, or the WebSocket is open; and heads that came before.
    answered = False
    interim = 0
    #: The answer has no body, whatever its length says: to HEAD.
    bodiless = False
    #: More of the peer's body follows.
    coming = True
    #: Bytes of that body that its head announced, and those that came.
    expected: int | None = None
    counted = 0
    #: Bytes that the peer may send, those that we may, and those taken that the peer was not told of.
    may_come = may_leave = WINDOW
    untold = 0
    #: With the last of :attr:`leaving` the exchange is over.
    over_when_sent = False

    def __init__(self, is_socket: bool = False) -> None:
        self.is_socket = is_socket
        #: What waits to be sent: the bytes, and what makes a message of a piece (whether more of it follows).
        self.leaving: deque[tuple[bytes | memoryview, Piece]] | None = None


class End(ABC):
    """One end of a connection; what comes for an exchange that is over is dropped."""

    #: What the peer may send.
    _table: ClassVar[Table]

    def __init__(self) -> None:
        #: Why the connection is of no use any more: the peer broke the rules.
        self.broken: str | None = None
        self._frames = Frames()
        self._out: list[bytes] = []
        self._exchanges: dict[int, Exchange] = {}
        #: The greatest number of an exchange that there was.
        self._last = 0

    @property
    def running(self) -> int:
        """Exchanges that are not over."""
        return len(self._exchanges)

    def receive(self, data: bytes) -> list[Event]:
        """What the peer sent, as events in their order; if it then broke a rule, :attr:`broken` says it."""
        events: list[Event] = []
        if self.broken is not None:
            return events
        try:
            for array in self._frames.split(data):
                message = decode(array, self._table)
                if message is not None:
                    self._take(message, events)
        except Malformed as error:
            self.broken = str(error)
        return events

    @property
    def has_output(self) -> bool:
        """Whether there is something to be sent."""
        return bool(self._out)

    def output(self) -> bytes:
        """What is to be sent now."""
        if not self._out:
            return b""
        out, self._out = b"".join(self._out), []
        return out

    def waiting(self, number: int) -> int:
        """Bytes that wait for credit in this exchange."""
        exchange = self._exchanges.get(number)
        if exchange is None or not exchange.leaving:
            return 0
        return sum(len(body) for body, _ in exchange.leaving)

    def taken(self, number: int, size: int) -> None:
        """So many bytes of what came were used: the peer may send as many more."""
        exchange = self._exchanges.get(number)
        if exchange is None or not exchange.coming:
            return
        exchange.untold += size
        if exchange.untold >= CREDIT_STEP:
            self._send(Credit(number, exchange.untold))
            exchange.may_come += exchange.untold
            exchange.untold = 0

    def cancel(self, number: int, reason: str) -> None:
        """End the exchange, if it is not over."""
        if self._exchanges.pop(number, None) is not None:
            self._send(Cancel(number, reason.encode()[:200]))

    def message(self, number: int, body: bytes, text: bool) -> bool:
        """Send a message of a WebSocket; False: it is over."""
        exchange = self._exchanges.get(number)
        if exchange is None or not exchange.is_socket or not exchange.answered or exchange.over_when_sent:
            return False
        self._leave(number, exchange, body, lambda piece, more: Message(number, piece, text, more))
        return True

    def close(self, number: int, code: int, reason: str) -> None:
        """Close a WebSocket when all is sent; with that it is over."""
        exchange = self._exchanges.get(number)
        if exchange is not None and exchange.is_socket and not exchange.over_when_sent:
            exchange.over_when_sent = True
            said = reason.encode()[:123]  # all that a close frame holds
            self._leave(number, exchange, b"", lambda piece, more: Close(number, code, said))

    # What the two ends have in common

    @abstractmethod
    def _take(self, message: AnyMessage, events: list[Event]) -> None:
        """Act on *message*, and tell of it."""

    def _send(self, message: AnyMessage) -> None:
        self._out.append(encode(message))

    def _find(self, number: int) -> Exchange | None:
        """The exchange of what came; None: it is over."""
        exchange = self._exchanges.get(number)
        if exchange is None and number > self._last:
            raise Malformed(f"there was no exchange {number}")
        return exchange

    def _data(
        self, number: int, exchange: Exchange, body: bytes | memoryview, more: bool, trailers: Fields
    ) -> None:
        """Send a piece of a body as soon as may be."""
        exchange.over_when_sent = exchange.over_when_sent or (not more and self._ends_exchange)
        if body or not more:
            self._leave(
                number,
                exchange,
                body,
                lambda piece, rest: Data(number, piece, rest or more, [] if rest else trailers),
            )

    #: Whether an exchange is over with the last piece that this end sends.
    _ends_exchange: ClassVar[bool]

    def _leave(self, number: int, exchange: Exchange, body: bytes | memoryview, make: Piece) -> None:
        """Send *body* in the messages that *make* makes of its pieces, behind what waits already."""
        if not exchange.leaving and len(body) <= exchange.may_leave:
            exchange.may_leave -= len(body)
            self._send(make(bytes(body), False))
            if exchange.over_when_sent:
                self._exchanges.pop(number, None)
            return
        if exchange.leaving is None:
            exchange.leaving = deque()
        exchange.leaving.append((memoryview(body), make))
        self._pump(number, exchange)

    def _pump(self, number: int, exchange: Exchange) -> None:
        """Send of what waits what there is room for."""
        leaving = exchange.leaving
        while leaving:
            body, make = leaving[0]
            if len(body) <= exchange.may_leave:
                leaving.popleft()
                exchange.may_leave -= len(body)
                self._send(make(bytes(body), False))
            elif exchange.may_leave:
                size, exchange.may_leave = exchange.may_leave, 0
                leaving[0] = (body[size:], make)
                self._send(make(bytes(body[:size]), True))
                return
            else:
                return
        if exchange.over_when_sent:
            self._exchanges.pop(number, None)

    def _take_common(self, message: AnyMessage, events: list[Event]) -> None:
        """Act on what both ends may send."""
        if isinstance(message, Data):
            self._take_data(message, events)
        elif isinstance(message, Message):
            exchange = self._find(message.number)
            if exchange is not None:
                if not exchange.is_socket or not exchange.answered:
                    raise Malformed(f"a message in exchange {message.number}, which is no open WebSocket")
                self._count(exchange, message.body, message.more)
                events.append(message)
        elif isinstance(message, Credit):
            self._take_credit(message, events)
        elif isinstance(message, Cancel):
            if self._find(message.number) is not None:
                del self._exchanges[message.number]
                events.append(message)
        elif isinstance(message, Close):
            exchange = self._find(message.number)
            if exchange is not None:
                if not exchange.is_socket:
                    raise Malformed(f"a close in exchange {message.number}, which is no WebSocket")
                del self._exchanges[message.number]
                events.append(message)

    def _take_credit(self, message: Credit, events: list[Event]) -> None:
        exchange = self._find(message.number)
        if exchange is None:
            return
        exchange.may_leave += message.size
        if exchange.may_leave > WINDOW:
            raise Malformed(f"exchange {message.number} was given more credit than was used")
        if exchange.leaving:
            self._pump(message.number, exchange)
            if not exchange.leaving and message.number in self._exchanges:
                events.append(Sendable(message.number))

    def _take_data(self, message: Data, events: list[Event]) -> None:
        exchange = self._find(message.number)
        if exchange is None:
            return
        if exchange.is_socket or not exchange.coming:
            raise Malformed(f"data in exchange {message.number}, where no body comes")
        self._count(exchange, message.body, message.more)
        exchange.coming = message.more
        self._measure(message.number, exchange, message, events)

    def _measure(self, number: int, exchange: Exchange, message: AnyMessage, events: list[Event]) -> None:
        """Tell of *message*, unless the body is not as long as its head said."""
        expected, counted = exchange.expected, exchange.counted
        if expected is not None and (counted > expected or (not exchange.coming and counted < expected)):
            said = "more" if counted > expected else "fewer"
            wrong = f"the body has {said} bytes ({counted}) than its head said ({expected})"
            self.cancel(number, wrong)
            events.append(Wrong(number, wrong))
        else:
            events.append(message)

    def _count(self, exchange: Exchange, body: bytes, more: bool) -> None:
        """Count what came against what may come."""
        if more and not body:
            raise Malformed("a piece of nothing, with more to follow")
        exchange.counted += len(body)
        exchange.may_come -= len(body)
        if exchange.may_come < 0:
            raise Malformed("more bytes than there was credit for")
