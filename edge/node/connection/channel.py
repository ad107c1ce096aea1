"""One connection on the Twisted side: strict requests in, ordinary ``twisted.web`` answers out.

The bytes go through :class:`edge.http.parser.RequestParser`; each request becomes an
:class:`~edge.node.connection.request.EdgeRequest`, for which this channel plays the part that Twisted's own
channels play.  Where a connection is, and what may happen to it there, is a table: :mod:`.states`.  The law:

* One request at a time.  The next one is not even parsed before the answer to the former is
  written, therefore answers, and an error after them, are in the order of the requests.
* Whatever the parser refuses is answered with its status and ``Connection: close``, and nothing
  after it is read as a request.
* Every head, composed here or elsewhere, leaves through :meth:`EdgeChannel.start_answer`, once a request.
* Everything has a bound: see :class:`edge.node.process.channel_limits.ChannelLimits`.

The way of a request that the fast path let go of:

1. :class:`edge.fastpath.adapter.Adapter` gives the descriptor a transport and this channel, and the bytes
   that were read to :meth:`EdgeChannel.handed`.
2. The parser finds a head (HEAD_READ) and the end of the body (REQUEST_READ); the request finds its resource
   and renders it.
3. The resource answers: with a head from the table (``EdgeRequest.write_answer``), or as any ``twisted.web``
   resource does; :class:`~edge.node.connection.framing.OutgoingAnswer` sees to it that a client can read it.
   What an application behind the node answers is passed on as it comes, and so is the request:
   :mod:`.streamed`.
4. ``requestDone`` (ANSWERED): with more bytes here the next request follows; else the transport is offered to
   the fast path, takes the connection back when all has left, and tells :meth:`EdgeChannel.returned`.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from zope.interface import implementer

from edge.fastpath.connection import OWED_BYTES
from edge.fastpath.transports import address_named
from edge.http import answer
from edge.http.answer import with_hsts, with_keep_alive, with_speculation
from edge.http.errors import ProtocolError
from edge.http.parser import NEED_DATA, Data, EndOfMessage, Event, Limits, RequestHead, RequestParser
from edge.http.visitor import Visitor, visitor
from edge.networks import NO_ADDRESS, address_of_text
from edge.node.connection.ended import count_end
from edge.node.connection.framing import OutgoingAnswer, interim_head
from edge.node.connection.guarding import Verdict, privately
from edge.node.connection.holding import Holding
from edge.node.connection.input import Input
from edge.node.connection.output import Output
from edge.node.connection.recording import cache_status, record_of
from edge.node.connection.refused import Refused
from edge.node.connection.request import OF_ALL_HOSTS, EdgeRequest
from edge.node.connection.states import ConnectionEvent, ConnectionLife, ConnectionState
from edge.node.connection.staying import STAY_SECONDS
from edge.node.connection.upgraded import UpgradedChannel
from edge.node.process.clocks import date_of
from edge.node.process.deadline import Deadline
from edge.shares import NOBODY, network_of
from edge.trust.listener_certificate import shown_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from OpenSSL import SSL
    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure
    from twisted.web.http_headers import Headers

    from edge.certificates import Shown
    from edge.fastpath.adapter import Waiter
    from edge.fastpath.interface import Met, SocketState
    from edge.http.fields import Fields
    from edge.node.connection.context import ConnectionContext, ConnectionTransport
    from edge.node.connection.streamed import StreamedRequest
    from edge.node.connection.tracing import RequestSpan
    from edge.node.connection.upgraded import Upgraded
    from edge.node.process.channel_limits import ChannelLimits

#: Bytes of later requests that are read while one is being answered; then reading pauses.
PIPELINED_BYTES = 64 * 1024
#: Requests that are answered in one turn of the reactor; the next ones wait for the next turn, so that who
#: sends thousands at once does not keep the others waiting.
REQUESTS_IN_A_TURN = 16
#: For how long a connection lingers after its last answer has left.
LINGER_SECONDS = 2.0
#: Of a request for a host that the connection is not for (:mod:`edge.certificates`).
_MISDIRECTED = Verdict((421, "This connection is for another site: open one for this host.", b""))
#: The seconds that a connection may spend in a state; in the others it has no deadline.
_DEADLINES: dict[ConnectionState, Callable[[ChannelLimits], float]] = {
    ConnectionState.HANDSHAKE: lambda limits: limits.head_seconds,
    ConnectionState.IDLE: lambda limits: limits.idle_seconds,
    ConnectionState.HEAD: lambda limits: limits.head_seconds,
    ConnectionState.BODY: lambda limits: limits.body_seconds,
}


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class EdgeChannel(Protocol):
    """One connection of *site*.  Implements :class:`.context.OpenConnection`."""

    _log = Logger()
    transport: ConnectionTransport  # type: ignore[assignment]

    def __init__(self, site: ConnectionContext, secure: bool = False, sealed: bool = False) -> None:
        """*secure*: over TLS; *sealed*: its handshake is over, and its transport closes as plain ones do."""
        self.site = self.factory = site  # what twisted.web calls it
        self._secure = secure
        self._half_closes = sealed or not secure
        self._parser = RequestParser(Limits(body=site.limits.body_bytes))
        self._life = ConnectionLife(handshake=secure and not sealed)
        self._timed = False  # the deadline of this state is set
        self._began = 0.0  # of the request: when its head was here
        self._advancing = False  # _advance runs: an answer that is complete at once starts no second one
        self._next_turn: Any = None  # IDelayedCall: goes on with the requests that are here already
        #: In BODY and ANSWERING: the request, and the answer that is made.
        self._request: EdgeRequest | StreamedRequest | None = None
        self._answer: OutgoingAnswer | None = None
        self._judging: RequestHead | None = None  # it is being found out who asks
        #: Of the request, as its trace has it; None: there is none, or nothing is traced.
        self.span: RequestSpan | None = None
        self._head: RequestHead | None = None  # what the span is about
        self._verdict: Verdict | None = None
        self._streamed: StreamedRequest | None = None  # the request, if somebody takes it as it comes
        self._held = False  # who takes it wants no more of its body for now
        self._waits_for_continue = False  # the client, and has sent nothing of the body yet
        self._stays = False  # in IDLE, for a moment: the next request may be for an application, too
        self._body_seen = 0  # bytes of bodies so far, and when the deadline was set
        self._body_timed = 0
        self._arrival = Deadline(site.clock, self._too_slow)
        self._visitor: Visitor | None = None  # who asks, as a trusted proxy says
        self._met: Met | None = None  # the first request, before it came here
        self._waiter: Waiter | None = None  # who stood for it
        self._waited = 0.0  # seconds, for which it waited there
        self._owed = 0  # LINGERING: what was unacknowledged when the deadline was set
        self._input: Input  # from connectionMade on
        self._output: Output
        self.holding: Holding

    @property
    def closing(self) -> bool:
        """Whether the connection ends with the answer that is being made."""
        return not self._life.is_serving or self._answer is None or self._answer.closing

    @cached_property
    def tls(self) -> str:
        """Protocol and cipher suite, like ``TLSv1.3 TLS_AES_128_GCM_SHA256``; "" over TCP."""
        if not self._secure:
            return ""
        if self._half_closes:
            return getattr(self.transport, "tls", "")
        session: SSL.Connection = self.transport.getHandle()  # type: ignore[attr-defined]
        return f"{session.get_protocol_version_name()} {session.get_cipher_name()}"

    @cached_property
    def _shown(self) -> Shown | None:
        """What was shown to the client; None: the connection may be asked for all hosts."""
        if not self._secure or not self.site.hosts.are_several:
            return None
        if self._half_closes:
            return getattr(self.transport, "shown", None)
        session: SSL.Connection = self.transport.getHandle()  # type: ignore[attr-defined]
        return shown_on(session, self.site.hosts)

    def _is_misdirected(self, head: RequestHead) -> bool:
        """Whether the connection is another site's; proxies that are trusted ask for everybody."""
        if self._shown is None or self._visitor is not None or head.path.startswith(OF_ALL_HOSTS):
            return False
        host = head.host or b""
        return self._shown.misdirects(self.site.hosts.find(host), host)

    def _happens(self, event: ConnectionEvent) -> None:
        self._life.happens(event)
        self._timed = False

    # Requests in

    def _advance(self) -> None:
        """Take what the parser has until an answer is outstanding or there is nothing more."""
        if self._advancing or self._next_turn is not None:
            return
        self._advancing = True
        begun = 0
        try:
            while self._may_take():
                if self._life.state is ConnectionState.IDLE and not self._parser.idle:
                    if begun == REQUESTS_IN_A_TURN:
                        self._next_turn = self.site.clock.callLater(0, self._go_on)
                        break
                    begun += 1
                    self._happens(ConnectionEvent.FIRST_BYTE)
                event = self._parser.next_event()
                if event is NEED_DATA:
                    break
                self._take(event)
        except ProtocolError as refusal:
            self._refuse(refusal.status, refusal.explanation, refusal.lines)
        finally:
            self._advancing = False
        waits = self._next_turn is not None or self._judging is not None
        if self._input.ended and self._life.is_reading and not waits:
            self._end()  # the rest of the request, or another one, cannot come
        elif self._life.is_serving and self._keeps():
            self._watch()
            if self.may_return() and not self._stays:
                self.transport.offer_return()

    def _may_take(self) -> bool:
        """Whether somebody wants what the parser has next."""
        if self._judging is not None:
            return False
        if self._streamed is not None:  # it may want the body before the client takes the answer
            return self._life.state is ConnectionState.BODY and not self._held
        return self._life.is_reading and not self._output.full

    def _go_on(self) -> None:
        """The next turn has come."""
        self._next_turn = None
        if self._life.is_serving:
            self._advance()

    def _take(self, event: Event) -> None:
        """One event from the parser."""
        if isinstance(event, RequestHead):
            self._happens(ConnectionEvent.HEAD_READ)
            event = self._visited(event)
            self._began = self.site.clock.seconds() - self._waited
            self._waited = 0.0
            if self.site.tracing is not None:
                self._head = event
                self.span = self.site.tracing.begin(event, getattr(self.transport.getPeer(), "host", ""))
            self._answer = OutgoingAnswer(event.method == b"HEAD", not event.keep_alive or self.site.draining)
            self._waits_for_continue = event.expect_continue and not self._parser.buffered
            verdict: Verdict | Deferred[Verdict] | None = None
            if self._is_misdirected(event):
                verdict = _MISDIRECTED
            elif self.site.guard is not None:
                verdict = self.site.guard.judge(event, self._address(), self._secure)
            if isinstance(verdict, Deferred):
                self._judging = event
                verdict.addCallback(self._judged, event)
            else:
                self._admit(event, verdict)
            return
        request = self._request
        assert request is not None, "the events of a body come after that of a head"
        if isinstance(event, Data):
            self._waits_for_continue = False
            self._body_seen += len(event.data)
            request.handleContentChunk(event.data)
        elif isinstance(event, EndOfMessage):
            self._waits_for_continue = False
            self._happens(ConnectionEvent.REQUEST_READ)
            if self._streamed is not None and not self._streamed.head.has_body:
                self._streamed.begin()
            else:
                request.received()

    def _judged(self, verdict: Verdict, head: RequestHead) -> None:
        """Go on with a request of which it is known now who asks."""
        if self._judging is not head:
            return  # the connection has ended
        self._judging = None
        if self._life.is_serving:
            self._timed = False
            self._admit(head, verdict)
            self._advance()

    def _admit(self, head: RequestHead, verdict: Verdict | None) -> None:
        """Whose request it is: an application's that takes it as it comes, the resources', or nobody's."""
        self._verdict = verdict
        if verdict is not None and verdict.refusal is not None:
            self._streamed = Refused(self, head, *verdict.refusal)
        else:
            self._streamed = self.site.streams.take(self, head) if self.site.streams is not None else None
        if self._stays:
            self._stays = False
            self.site.staying.stayed(self._streamed is not None)
        if self._streamed is None:
            self._request = EdgeRequest(self, head)
            if self._waits_for_continue:
                self._continue()
        else:
            self._request = self._streamed
            if head.has_body:
                self._streamed.begin()

    def _visited(self, head: RequestHead) -> RequestHead:
        """The request as it was made to the first of the trusted proxies that it came through."""
        self._visitor = None
        if not self.site.trusted:
            return head
        peer = address_of_text(self._address().partition("%")[0].encode()) or NO_ADDRESS
        if not self.site.trusted.holds(peer):
            return head
        found = self._visitor = visitor(peer, head.fields, self.site.trusted)
        return head if found.host is None else replace(head, host=found.host)

    def _continue(self) -> None:
        """The body is wanted."""
        self._waits_for_continue = False
        self._output.send(answer.CONTINUE)

    def _keeps(self) -> bool:
        """Count what outlives this turn; false: it is over the share of its address, and over."""
        count = self._parser.buffered
        if self._request is not None:
            count += self._request.body_in_memory
        if self._output.full:
            count += self.transport.unsent
        if self.holding.keep(count):
            return True
        if self._life.is_reading:
            self._refuse(503, "Too much of what this client sent waits to be whole.", b"Retry-After: 1\r\n")
        else:
            self.abort()
        return False

    def _watch(self) -> None:
        """Set the deadline that belongs to the state, and read only if there is room."""
        if not self._timed:
            self._timed = True
            self._body_timed = self._body_seen
            limit = _DEADLINES.get(self._life.state)
            if limit is None or self._held or self._waits_for_continue or self._judging is not None:
                self._arrival.clear()
            else:
                self._arrival.set(limit(self.site.limits) if not self._stays else STAY_SECONDS)
        later = self._life.state is ConnectionState.ANSWERING or self._next_turn is not None
        later = later or self._judging is not None
        full = later and self._parser.buffered > PIPELINED_BYTES
        if self._streamed is not None and self._life.state is ConnectionState.BODY:
            self._input.read(not self._held)
        else:
            self._input.read(not full and not self._output.full)

    def _too_slow(self) -> None:
        """What was waited for has not come."""
        state = self._life.state
        if state is ConnectionState.LINGERING:
            self._linger_over()
        elif state is ConnectionState.BODY and self._body_is_fast_enough():
            self._timed = False
            self._watch()
        elif state is ConnectionState.HANDSHAKE:
            self.site.count("timeouts_head")
            self.abort()
        elif state is ConnectionState.IDLE and self._stays:
            self._stays = self._timed = False
            self.site.staying.stayed(False)
            self._advance()  # finds nothing, and goes back
        elif state is ConnectionState.IDLE:
            self.site.count("timeouts_idle")
            self._end()
        else:
            self.site.count("timeouts_head")
            self._refuse(408, f"The {state.value} of the request did not arrive in time.")

    def _body_is_fast_enough(self) -> bool:
        limits = self.site.limits
        return self._body_seen - self._body_timed >= max(1, limits.least_rate * limits.body_seconds)

    def _refuse(self, status: int, explanation: str, lines: bytes = b"") -> None:
        """Answer what is no request, or is no longer wanted, and read no other."""
        if self._answer is not None and self._answer.started:
            self.abort()  # its answer has begun, and cannot be completed
            return
        if self._answer is None:
            self._answer = OutgoingAnswer(head_only=self._parser.method == b"HEAD", closing=True)
        self._answer.closing = True
        self.write_error(status, explanation, lines)
        request = self._request
        self.answered(status)
        self._forget()
        if request is not None:
            request.refused()
        self._end()

    def _forget(self) -> None:
        """There is no request now."""
        self._request = self._answer = self._streamed = self._judging = self._verdict = None
        self._held = self._waits_for_continue = False
        if self.span is not None and self._head is not None:
            self.span.cut_off(self._head, secure=self.isSecure(), client=self._address())
        self.span = self._head = None

    # Answers out: what a request asks of its channel

    def start_answer(self, head: bytes) -> None:
        """Send the *head* of the answer, from its status line to the empty line.

        :raises RuntimeError: the answer has one already.
        """
        self._output.send(self._begun(head))

    def _begun(self, head: bytes) -> bytes:
        """The *head* of the answer as it leaves; it has begun now."""
        assert self._answer is not None, "there is an answer from HEAD_READ on"
        self._answer.start()
        if self._secure:
            head = with_hsts(head, self.site.hsts)
        if self._verdict is not None and self._verdict.is_private:
            head = privately(head)
        head = with_speculation(head, self.site.speculation)
        request = self._request
        if request is not None and request.head.version == b"HTTP/1.0" and not self._answer.closing:
            head = with_keep_alive(head)
        return head

    def answered(self, status: int) -> None:
        """The answer is whole, or as whole as it gets: count it, and write it down."""
        request, made, log = self._request, self._answer, self.site.access_log
        sent = made.sent if made is not None else 0
        self.site.answered(status, (request.head.host or b"") if request is not None else b"", sent)
        if log is not None:
            record = record_of(
                request.head if request is not None else None,
                at=date_of(self.site.clock),
                host=self._address(),
                status=status,
                sent=sent,
                seconds=self.site.clock.seconds() - self._began if request is not None else 0.0,
                cache=request.cache if request is not None else "",
                user=self._verdict.user if self._verdict is not None else b"",
                tls=self.tls,
                trace=self.span.trace_id if self.span is not None else b"",
            )
            log.write(record)
        if self.span is not None and self._head is not None:
            self.span.answered(
                self._head,
                status,
                secure=self.isSecure(),
                client=self._address(),
                sent=sent,
                cache=request.cache if request is not None else "",
            )
            self.span = None

    def write_error(self, status: int, explanation: str, lines: bytes = b"") -> None:
        """Send a whole error answer in the common form."""
        self._close_if_unread()
        head, body = answer.error(status, explanation, self.site.date(), lines, self.closing)
        self.start_answer(head)
        self.write(body)

    def _close_if_unread(self) -> None:
        """Who answers before he has read the request does not know whether another one follows it."""
        if self._life.state is ConnectionState.BODY and self._answer is not None:
            self._answer.closing = True

    def meet(self, met: Met) -> None:
        """The first request was passed on to an application already, and met that."""
        self._met = met

    def go_on_for(self, waiter: Waiter) -> None:
        """The first request was held, and *waiter* knows what is to become of it."""
        self._waiter = waiter

    def has_waited(self, seconds: float) -> None:
        """The first request has waited for so long already."""
        self._waited = seconds

    # What a streamed request asks besides: edge.node.connection.streamed.StreamChannel

    def take_met(self) -> Met | None:
        """What the request has met, once."""
        met, self._met = self._met, None
        return met

    def take_waiter(self) -> Waiter | None:
        """Who stood for the request while it was held, once."""
        waiter, self._waiter = self._waiter, None
        return waiter

    @property
    def waits_for_continue(self) -> bool:
        """Whether the client waits for ``100 Continue``, and has sent nothing of the body yet."""
        return self._waits_for_continue

    def stream(self, request: StreamedRequest, body: BinaryIO) -> None:
        """*request* answers in the place of the present one, which is whole."""
        self._request = self._streamed = request
        request.begin_with(body)

    def pass_interim(self, status: int, fields: Fields) -> None:
        """Send an interim answer, 100 included, if the client can have it."""
        streamed, made = self._streamed, self._answer
        if streamed is None or made is None or made.started or streamed.head.version == b"HTTP/1.0":
            return
        if status != 100:
            self._output.send(interim_head(status, fields))
        elif self._waits_for_continue:
            self._continue()
            self._timed = False
            self._watch()

    def pass_head(self, status: int, fields: Fields, length: int | None) -> None:
        """Send the head of the answer; see :meth:`.framing.OutgoingAnswer.passed_head`."""
        self._output.send(self._passed_head(status, fields, length))

    def pass_answer(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """Send a whole answer, with one system call if the client takes it."""
        head, made = self._passed_head(status, fields, length), self._answer
        assert made is not None, "its head was made"
        self._output.send_whole(b"".join((head, made.body(body), made.end([]))))
        self._output.offered(len(body))

    def _passed_head(self, status: int, fields: Fields, length: int | None) -> bytes:
        assert self._answer is not None and self._streamed is not None, "there is an answer from HEAD_READ on"
        self._close_if_unread()
        if self._secure and self.site.hsts:
            fields = [field for field in fields if field[0].lower() != b"strict-transport-security"]
        self._streamed.cache = cache_status(fields)
        chunks = self._streamed.head.version != b"HTTP/1.0"
        return self._begun(self._answer.passed_head(status, fields, length, self.site.date(), chunks))

    def pass_end(self, trailers: Fields) -> None:
        """The answer is whole."""
        if self._answer is not None:
            self._output.send(self._answer.end(trailers))

    def done(self, status: int, stays: bool = False) -> None:
        """The answer, with that *status*, is out or cut off: write it down, and go on.

        *stays*: the fast path could not have given it, so it may not know the next one either.
        """
        request, made = self._streamed, self._answer
        if request is not None and made is not None and self._life.is_serving:
            self.answered(status)
            self._stays = stays and self.site.staying.worth_it()
            self.requestDone(request)

    def hold_body(self, held: bool) -> None:
        """Read no more of the body for now; or read on."""
        if held is self._held or self._streamed is None or not self._life.is_serving:
            return
        self._held = held
        self._timed = False
        if held:
            self._watch()
        else:
            self._advance()

    # Answers out, on the way of twisted.web

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        assert self._answer is not None, "twisted.web writes heads between HEAD_READ and ANSWERED"
        self.start_answer(self._answer.head(int(code), reason, headers))

    def write(self, data: bytes) -> None:
        """Send a piece of the body; the answer's framing decides how much of it goes out."""
        if self._answer is not None:
            self._output.send(self._answer.body(data))
            self._output.offered(len(data))
            if self._output.full and self._life.is_serving:
                self._keeps()

    def send_file(self, file: BinaryIO, count: int) -> int | None:
        """Send of the next *count* bytes of *file*, a piece of the body, what there is room for: how many.

        0: there is none, and the producer is resumed when there is some.  None: they have to be written.
        """
        answer = self._answer
        sent = self._output.send_file(file, count) if answer is not None and answer.has_room(count) else None
        if answer is not None and sent:
            answer.takes(sent)
            self._output.offered(sent)
        return sent

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.write(b"".join(iovec))

    def requestDone(self, request: EdgeRequest | StreamedRequest) -> None:
        finished, unread = self._answer, self._life.state is ConnectionState.BODY
        self._forget()
        if finished is None or not (unread or self._life.state is ConnectionState.ANSWERING):
            return  # it was refused, or its connection aborted, before the application was done
        if finished.short:
            self.abort()
        elif finished.closing or unread or self.site.draining:
            self._end()
        else:
            self._happens(ConnectionEvent.ANSWERED)
            self._parser.start_next_cycle()
            self._advance()

    def upgrade(self, head: bytes, protocol: Upgraded) -> None:
        """Answer with *head* (101); from then on the connection is that of *protocol*."""
        rest = self._parser.trailing
        request = self._request
        assert request is not None, "an upgrade is the answer to a request"
        self.start_answer(head)
        self.answered(101)
        self._forget()
        self._leave(ConnectionEvent.UPGRADED)
        self._become(protocol)
        protocol.received(rest)

    def resume(self, socket: SocketState) -> None:
        """The fast path has had the connection as this WebSocket, and lets go of it."""
        assert self.site.resume is not None, "then it would not have had one"
        self._leave(ConnectionEvent.UPGRADED)
        self._become(self.site.resume(socket))

    def _become(self, protocol: Upgraded) -> None:
        self.transport.unregisterProducer()
        self._input.read(True)
        protocol.connected(self.transport, UpgradedChannel(self.site, self.transport, protocol, self.holding))

    # The end of the connection

    def drain(self) -> None:
        """End after the present answer, or that to a request that has begun; at once if it rests.

        A TLS handshake, which precedes a request, may take as long as a goodbye.
        """
        if self._answer is not None:
            self._answer.closing = True
        elif self._life.state is ConnectionState.IDLE:
            self._end()
        elif self._life.state is ConnectionState.HANDSHAKE:
            self._arrival.set(LINGER_SECONDS)

    def abort(self) -> None:
        """End the connection so that the client notices: its answer cannot be completed."""
        self._happens(ConnectionEvent.ABORTED)
        self._arrival.clear()
        self.transport.abortConnection()

    def _end(self) -> None:
        """Read no more requests; close when what was written is out and the peer had time to read it."""
        self._happens(ConnectionEvent.LAST)
        self.transport.unregisterProducer()
        self._output.end()
        self.holding.keep(self.transport.unsent)  # of requests nothing is left
        self._arrival.set(LINGER_SECONDS)
        if not self._half_closes:
            self.transport.loseConnection()
            return
        self.transport.loseWriteConnection()
        self._input.read(True)
        self._close_if_taken()

    def _close_if_taken(self) -> None:
        """Close, when both directions are over and hardly anything is left for the peer to take."""
        transport = self.transport
        if self._input.ended and not transport.unsent and transport.unacknowledged <= OWED_BYTES:
            transport.loseConnection()

    def _linger_over(self) -> None:
        """The peer has had its time to read the last answer, unless that is still on its way."""
        before, self._owed = self._owed, self.transport.unacknowledged
        limits = self.site.limits
        if self.transport.unsent:
            self._arrival.set(LINGER_SECONDS)
        elif self._owed > OWED_BYTES:
            if before and before - self._owed < max(1, limits.least_rate * limits.write_seconds):
                self.site.count("timeouts_write")
                self.abort()
            else:
                self._arrival.set(limits.write_seconds)
        elif self._half_closes:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()

    def _leave(self, event: ConnectionEvent) -> None:
        """This channel has no connection any more."""
        self._happens(event)
        self._arrival.clear()
        self._output.clear()
        self.holding.release()
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self.site.channels.discard(self)

    # What the transport asks before it goes back to the fast path: edge.fastpath.transports.ReturningProtocol

    def may_return(self) -> bool:
        """Whether nothing is begun, and the fast path may have the connection until the next request."""
        idle = self._life.state is ConnectionState.IDLE and self._next_turn is None
        return idle and not self.site.draining and not self._input.ended

    def as_socket(self) -> None:
        """None: it is between two requests."""

    def returned(self) -> None:
        """The fast path has the connection."""
        self._leave(ConnectionEvent.RETURNED)

    def handed(self, data: bytes) -> None:
        """As :meth:`dataReceived`; the fast path has counted *data*."""
        if not self._life.is_serving:
            self._input.discard(len(data))
            return
        self._parser.receive(data)
        if self._next_turn is None:
            self._advance()
        elif self._keeps():
            self._watch()

    def _address(self) -> str:
        return getattr(self.getPeer(), "host", "")

    # Twisted's overrides

    def connectionMade(self) -> None:
        self.site.channels.add(self)
        self._input = Input(self.transport)
        self._output = Output(self.transport, self.site, self.abort)
        address = self._address()
        packed = address_of_text(address.partition("%")[0].encode()) or NO_ADDRESS
        # A trusted proxy is many visitors: they are not told apart by its address.
        bits = self.site.limits.ipv6_prefix
        shares = network_of(address, bits) if not self.site.trusted.holds(packed) else NOBODY
        self.holding = Holding(self.site, shares)
        self.transport.registerProducer(self, True)
        if self._life.state is ConnectionState.HANDSHAKE and not self.holding.begin_handshake():
            self.abort()
            return
        self._watch()

    def handshakeCompleted(self) -> None:
        if self._life.state is ConnectionState.HANDSHAKE:
            self._happens(ConnectionEvent.HANDSHAKE_OVER)
            self.holding.end_handshake()
            self._watch()

    def dataReceived(self, data: bytes) -> None:
        if self._life.is_serving:
            self.site.count("twisted_bytes_in", len(data))
        self.handed(data)

    def readConnectionLost(self) -> None:
        self._input.end()
        if self._life.state is ConnectionState.LINGERING:
            self._close_if_taken()
        elif self._request is None and self._life.is_serving and not (self._next_turn or self._judging):
            self._end()
        elif self._request is not None and not self._request.startedWriting:
            self.abort()

    def writeConnectionLost(self) -> None:
        """The answer is out; what the peer still sends is discarded until it closes."""
        self._close_if_taken()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leave(ConnectionEvent.LOST)
        count_end(self.site, reason)
        request = self._request
        self._forget()
        if request is not None:
            request.connectionLost(reason)

    def getPeer(self) -> IAddress:
        visitor = self._visitor
        if visitor is None or visitor.address == NO_ADDRESS:
            return self.transport.getPeer()
        return address_named(visitor.address)

    @property
    def network(self) -> bytes:
        """What its visitor counts as, the one that a trusted proxy names: :mod:`edge.shares`."""
        if not self.site.pools.buffers.told_apart:
            return NOBODY
        visitor = self._visitor
        if visitor is None or visitor.address == NO_ADDRESS or self.site.trusted.holds(visitor.address):
            return self.holding.network
        return network_of(self._address(), self.site.limits.ipv6_prefix)

    def getHost(self) -> IAddress:
        return self.transport.getHost()

    def isSecure(self) -> bool:
        if self._visitor is not None and self._visitor.secure is not None:
            return self._visitor.secure
        return self._secure

    def loseConnection(self) -> None:
        self.drain()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._output.register(producer, streaming)

    def unregisterProducer(self) -> None:
        self._output.unregister()

    def pauseProducing(self) -> None:
        self._output.pause()
        if self._life.is_serving and self._keeps():
            self._watch()

    def resumeProducing(self) -> None:
        self._output.resume()
        if self._life.is_serving:
            self._advance()

    def stopProducing(self) -> None:
        self._output.stop()
