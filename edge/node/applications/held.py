"""Requests that wait in the fast path for what is being filled, as the desk of fills has them.

Most who miss want the same: what is stored a moment later.  For these nobody here parses a request, and none
of the objects of a connection is made: the fast path holds the request, and names it by a ticket
(:meth:`edge.fastpath.interface.Relay.held`).  What stands for it here is a :class:`HeldRequest`, one of those
who want a key.  When that is stored, the fast path answers from the table.

For everything else the request is handed off, and goes the way of all others: it is parsed, finds its
application, and becomes an :class:`~edge.node.applications.caching.Asking`, which hears what had become of it
(:meth:`HeldRequest.arrived`): that it is to be asked whole, that the application has failed, or an answer
that is not in the table.  So nothing that can be said to a visitor is said by two pieces of code.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.logger import Logger

from edge.fastpath.interface import HeldEnd, Waited
from edge.http.fields import combine
from edge.node.applications.caching import CachingOrigin
from edge.table.counters import INDEX

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.fastpath.interface import Held, Relay
    from edge.node.applications.caching import Asking
    from edge.node.applications.gateway import Gateway
    from edge.node.applications.making import Whole
    from edge.node.applications.origin import Exchange, Fields, OriginError, Receiver
    from edge.node.process.answers import FilledAnswer
    from edge.traces.context import Context

_COALESCED = INDEX["answers_coalesced"]

#: What is told to a request, and what is done if it never comes.
Call: TypeAlias = "Callable[[Asking], None]"
Otherwise: TypeAlias = "Callable[[], None]"


def _nothing() -> None:
    """Nobody else waits for it."""


class HeldRequests:
    """Those that the *relay* of a worker holds; *gateway* knows whose they are."""

    def __init__(self, relay: Relay, gateway: Gateway, reactor: Any, turn: Callable[[], None]) -> None:
        """*turn*: has handoffs dealt out soon, if no event comes."""
        self.relay = relay
        self.reactor = reactor
        self._gateway = gateway
        self._turn = turn
        #: Ticket -> who stands for it, of those that are being handed off.
        self._handed: dict[int, HeldRequest] = {}
        #: Who is to be settled, and how, when there is room among the handoffs.
        self._later: deque[tuple[HeldRequest, Waited | None]] = deque()
        relay.hold(True)

    def hear(self, held: Held) -> None:
        """The fast path holds a request."""
        place = self._gateway.place_at(held.site, held.path)
        origin = place.origin if place is not None else None
        if not isinstance(origin, CachingOrigin):
            HeldRequest(self, None, held).give_back()
            return
        request = HeldRequest(self, origin, held)
        if not origin.hold(request, held.path, held.target):
            request.give_back()

    def take(self, ticket: int) -> HeldRequest | None:
        """Who stands for the request with *ticket*, which is handed off; once."""
        return self._handed.pop(ticket, None)

    def settle(self, request: HeldRequest, how: Waited | None) -> None:
        """Have *request* answered from the table as *how*, or handed off."""
        if self._later or not self._settle(request, how):
            if not self._later:
                self.reactor.callLater(0, self._settle_later)
            self._later.append((request, how))

    def _settle(self, request: HeldRequest, how: Waited | None) -> bool:
        """The same; false: there is no room for now."""
        ticket = request.held.ticket
        end = self.relay.let_go(ticket) if how is None else self.relay.look(ticket, how)
        if end is HeldEnd.LATER:
            return False
        if end is HeldEnd.HANDED:
            self._handed[ticket] = request
            self._turn()
        else:
            request.settled(end is HeldEnd.ANSWERED and how is not Waited.FILLED)
        return True

    def _settle_later(self) -> None:
        try:
            while self._later and self._settle(*self._later[0]):
                self._later.popleft()
        finally:  # a fault of one is his own
            if self._later:
                self.reactor.callLater(0, self._settle_later)


class HeldRequest:
    """One of them; implements :class:`edge.node.applications.fills.Wanting`."""

    __slots__ = ("_arrived", "_asking", "_calls", "_head", "_is_over", "_requests", "held", "origin")

    _log = Logger()
    #: It reads what is stored in the table, and nowhere else.
    reads_table = True
    #: What is traced is not held.
    trace: Context | None = None
    #: Nothing is stored, or it would not be held.
    has_found = False

    def __init__(self, requests: HeldRequests, origin: CachingOrigin | None, held: Held) -> None:
        """*origin*: whose it is; None: that of nobody who fills."""
        self.held = held
        self.origin = origin
        self._requests = requests
        #: What is to be told when it is here, and done if it never will be; None: it is held.
        self._calls: list[tuple[Call, Otherwise]] | None = None
        #: Its head, of one that is let go.
        self._head = b""
        #: What it has become; and the same, once that has been told.
        self._arrived: Asking | None = None
        self._asking: Asking | None = None
        self._is_over = False

    @property
    def network(self) -> bytes:
        """What its visitor counts as."""
        return self.held.network

    @property
    def over(self) -> bool:
        """The visitor has gone, or has his answer."""
        if self._arrived is not None:
            return self._arrived.over
        return self._is_over or (self._calls is None and not self._requests.relay.is_held(self.held.ticket))

    # What becomes of it

    def give_back(self) -> None:
        """Have it go the way of all others: it is for nobody who fills."""
        self._calls = []
        self._requests.settle(self, None)

    def _hand_off(self, call: Call, otherwise: Otherwise = _nothing, how: Waited | None = None) -> None:
        """Have *call* made when it is here, or *otherwise*; *how*: unless it is answered as that."""
        if self._asking is not None:
            call(self._asking)
        elif self._is_over:
            otherwise()
        elif self._calls is not None:
            self._calls.append((call, otherwise))
        else:
            self._calls = [(call, otherwise)]
            if how is None:
                self._head = self._requests.relay.head_of(self.held.ticket)
            self._requests.settle(self, how)

    def settled(self, coalesced: bool = False) -> None:
        """Hear that it is over: answered, as one that has waited for another if *coalesced*, or gone."""
        self._is_over = True
        if coalesced and self.origin is not None:
            self.origin.counters.add(_COALESCED)
        calls, self._calls = self._calls or [], []
        for _, otherwise in calls:
            otherwise()

    @property
    def is_decided(self) -> bool:
        """Whether it is known what becomes of it; else it begins anew."""
        return bool(self._calls)

    def arrived(self, asking: Asking) -> None:
        """Tell *asking*, which it has become, what is to become of it, when who asks is back."""
        self._arrived = asking
        self._requests.reactor.callLater(0, self._tell, asking)

    def _tell(self, asking: Asking) -> None:
        self._asking = asking
        calls, self._calls = self._calls or [], []
        for call, otherwise in calls:
            try:
                call(asking)
            except Exception:
                self._log.failure("what has become of a request cannot be told to it")
                otherwise()

    def delivered(self) -> None:
        """Its protocol has it: if it has not arrived by now, it never will."""
        if self._arrived is None:
            self.settled()

    # As edge.node.applications.fills.Wanting has it

    def filled(self, answer: FilledAnswer, first: bool) -> None:
        """Here it is, and in the table, if it could be stored."""
        how = Waited.FILLED if first else Waited.COLLAPSED
        self._hand_off(lambda asking: asking.filled(answer, first), how=how)

    def informed(self, status: int, fields: Fields) -> None:
        """Pass it on."""
        self._hand_off(lambda asking: asking.informed(status, fields))

    def suits(self, status: int, fields: Fields) -> bool:
        """As :meth:`.caching.Asking.suits`; of one that has gone nothing is known."""
        if self._asking is not None:
            return self._asking.suits(status, fields)
        head = self._head or self._requests.relay.head_of(self.held.ticket)
        if self.origin is None or not head:
            return False
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:-2])
        asked = combine([(name, value.strip(b" \t")) for name, _, value in lines])
        return self.origin.suits(self.held.path, self.held.target, asked, status, fields)

    def adopted(self, exchange: Exchange, status: int, fields: Fields, length: int | None) -> Receiver:
        """Hear it when the request is here; until then the application is asked to wait."""
        exchange.pause()
        adopting = Adopting()

        def begin(asking: Asking) -> None:
            if asking.over:
                exchange.cancel()
                return
            exchange.resume()
            adopting.begin(asking.adopted(exchange, status, fields, length))

        self._hand_off(begin, exchange.cancel)
        return adopting

    def look(self) -> None:
        """Look into the table, and ask again."""
        self._hand_off(lambda asking: asking.look(), how=Waited.HIT)

    def pass_whole(self, token: int | None) -> None:
        """Pass the request whole."""

        def lost() -> None:
            if token is not None and self.origin is not None:
                self.origin.desk.not_observed(token)

        self._hand_off(lambda asking: asking.pass_whole(token), lost)

    def failed(self, error: OriginError | None, answer: Whole | None) -> None:
        """Nothing is stored: the visitor is told of it."""
        self._hand_off(lambda asking: asking.failed(error, answer))


class Adopting:
    """A receiver that keeps what it hears until it is known who is to hear it."""

    def __init__(self) -> None:
        self._receiver: Receiver | None = None
        self._heard: list[Callable[[Receiver], None]] = []

    def begin(self, receiver: Receiver) -> None:
        """*receiver* hears it, from its beginning."""
        self._receiver = receiver
        heard, self._heard = self._heard, []
        for tell in heard:
            tell(receiver)

    def _hear(self, tell: Callable[[Receiver], None]) -> None:
        if self._receiver is None:
            self._heard.append(tell)
        else:
            tell(self._receiver)

    # As edge.node.applications.origin.Receiver has it: what follows the head

    def data(self, data: bytes) -> None:
        """Pass it on."""
        self._hear(lambda receiver: receiver.data(data))

    def ended(self, trailers: Fields) -> None:
        """Pass it on."""
        self._hear(lambda receiver: receiver.ended(trailers))

    def failed(self, error: OriginError) -> None:
        """Pass it on."""
        self._hear(lambda receiver: receiver.failed(error))

    def informational(self, status: int, fields: Fields) -> None:
        """The head is here already."""

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """The head is here already."""

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """The head is here already."""

    def switched(self, fields: Fields) -> None:
        """Not asked for."""

    def pause_body(self) -> None:
        """There is no body."""

    def resume_body(self) -> None:
        """There is no body."""
