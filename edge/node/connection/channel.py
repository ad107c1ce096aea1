"""One connection on the Twisted side: strict requests in, ordinary ``twisted.web`` answers out.

The bytes go through :class:`edge.http.parser.RequestParser`; each request becomes an
:class:`~edge.node.connection.request.EdgeRequest`, for which this channel plays the part that Twisted's own
channels play.  The law:

* One request at a time.  The next one is not even parsed before the answer to the former is
  written, therefore answers, and an error after them, are in the order of the requests.
* Whatever the parser refuses is answered with its status and ``Connection: close``, and nothing
  after it is read as a request.  The channel then *lingers*: it closes its own direction and
  discards what still comes, so that the kernel does not throw the answer away with a reset.
* Everything has a bound: see :class:`edge.node.process.channel_limits.ChannelLimits`.

::

    idle --first byte--> head --whole head--> body --whole body--> answering --written--> idle
      ^                   |  408, refusals     |  408, 413              |  close
      +---- fast path     +---------+----------+------------------------+--> lingering --> closed
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from zope.interface import implementer

from edge.http import answer
from edge.http.errors import ProtocolError
from edge.http.parser import NEED_DATA, Data, EndOfMessage, Event, Limits, RequestHead, RequestParser
from edge.node.connection.framing import OutgoingAnswer
from edge.node.connection.output import Output
from edge.node.connection.request import EdgeRequest
from edge.node.connection.upgraded import UpgradedChannel
from edge.node.process.channel_limits import BODY_PROGRESS
from edge.node.process.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure
    from twisted.web.http_headers import Headers

    from edge.node.connection.site import EdgeSite
    from edge.node.connection.upgraded import Upgraded

#: Bytes of later requests that are read while one is being answered; then reading pauses.
PIPELINED_BYTES = 64 * 1024
#: While lingering, at most this much is discarded and this long is waited.
LINGER_BYTES = 64 * 1024
LINGER_SECONDS = 2.0


@implementer(IHalfCloseableProtocol, IPushProducer)
class EdgeChannel(Protocol):
    """See the module's docstring."""

    _log = Logger()
    transport: Any

    def __init__(self, site: EdgeSite, secure: bool = False) -> None:
        self.site = self.factory = site
        self._secure = secure
        self._limits = site.limits
        self._parser = RequestParser(Limits(body=site.limits.body_bytes))
        #: The request whose head has been read and whose answer is not complete.
        self._request: EdgeRequest | None = None
        self._head: RequestHead | None = None
        self._answer: OutgoingAnswer | None = None
        self._answering = False  # the request is whole: the application has it
        self._output: Output  # from connectionMade on
        self._reading = True
        self._advancing = False
        self._ended = False  # no request is read any more
        self._peer_ended = False  # the peer has closed its direction
        self._discarded = 0
        self._phase: tuple[str, int] = ("", 0)
        self._requests = 0
        self._body_seen = 0
        self._body_noted = 0
        self._arrival = Deadline(site.clock, self._too_slow)

    @property
    def closing(self) -> bool:
        """Whether the connection ends with the answer that is being made."""
        return self._ended or self._answer is None or self._answer.closing

    def drain(self) -> None:
        """The server is about to stop: end after the present answer, at once if there is none."""
        if self._answer is not None:
            self._answer.closing = True
        elif not self._ended:
            self._end()

    # Requests in

    def _advance(self) -> None:
        """Take what the parser has until an answer is outstanding or there is nothing more."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while not (self._answering or self._ended or self._output.full):
                event = self._parser.next_event()
                if event is NEED_DATA:
                    break
                self._take(event)
        except ProtocolError as refusal:
            self._refuse(refusal.status, refusal.explanation, refusal.lines)
        finally:
            self._advancing = False
        if not self._ended:
            self._watch()

    def _take(self, event: Event) -> None:
        """One event from the parser."""
        if isinstance(event, RequestHead):
            self._begin_request(event)
            return
        request = self._request
        assert request is not None
        if isinstance(event, Data):
            self._body_seen += len(event.data)
            request.handleContentChunk(event.data)
        elif isinstance(event, EndOfMessage):
            head, self._answering = self._head, True
            assert head is not None
            target = head.path if head.query is None else head.path + b"?" + head.query
            request.requestReceived(head.method, target, head.version)

    def _begin_request(self, head: RequestHead) -> None:
        self._requests += 1
        self._head = head
        self._answer = OutgoingAnswer(head.method == b"HEAD", not head.keep_alive or self.site.draining)
        request = self._request = EdgeRequest(self)
        for name, value in head.headers:
            request.requestHeaders.addRawHeader(name, value)
        if head.host is not None:
            request.requestHeaders.setRawHeaders(b"Host", [head.host])
        request.head = head
        request.parseCookies()
        request.gotLength(head.content_length)
        if head.expect_continue and not self._parser.buffered:
            self._output.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _watch(self) -> None:
        """Set the deadline that belongs to what is waited for, and read only if there is room."""
        if self._answering:
            phase = "answer"
        elif self._request is not None:
            phase = "body"
        else:
            phase = "idle" if self._parser.idle else "head"
        if (phase, self._requests) != self._phase:
            self._phase = (phase, self._requests)
            self._body_noted = self._body_seen
            seconds = {
                "idle": self._limits.idle_seconds,
                "head": self._limits.head_seconds,
                "body": self._limits.body_seconds,
            }.get(phase)
            if seconds is None:
                self._arrival.clear()
            else:
                self._arrival.set(seconds)
        room = not self._output.full and not (self._answering and self._parser.buffered > PIPELINED_BYTES)
        if room != self._reading:
            self._reading = room
            (self.transport.resumeProducing if room else self.transport.pauseProducing)()

    def _too_slow(self) -> None:
        """What was waited for has not come."""
        phase = self._phase[0]
        if self._ended:
            self._linger_over()
        elif phase == "body" and self._body_seen - self._body_noted >= BODY_PROGRESS:
            self._body_noted = self._body_seen
            self._arrival.set(self._limits.body_seconds)
        elif phase == "idle":
            self.site.count("timeouts_idle")
            self._end()
        else:
            self.site.count("timeouts_head")
            self._refuse(408, f"The {phase} of the request did not arrive in time.")

    def _refuse(self, status: int, explanation: str, lines: bytes = b"") -> None:
        """Answer what is no request, or is no longer wanted, and read no other."""
        if self._answer is None:
            self._answer = OutgoingAnswer(head_only=self._parser.method == b"HEAD", closing=True)
        self._answer.closing = True
        self.write_error(status, explanation, lines)
        head = self._head if self._request is not None else None
        method, target = (head.method, head.target) if head is not None else (b"-", b"-")
        self.site.answered(self, method, target, status, self._answer.sent)
        self._forget_request()
        self._end()

    def _forget_request(self) -> None:
        request, self._request, self._answer, self._answering = self._request, None, None, False
        if request is not None and request.content is not None:
            request.content.close()

    # Answers out: what a request asks of its channel

    def write_head(self, head: bytes) -> None:
        """Send a head that was composed with :attr:`closing` in mind."""
        self._output.send(head)

    def write_error(self, status: int, explanation: str, lines: bytes = b"") -> None:
        """Send a whole error answer in the common form."""
        head, body = answer.error(status, explanation, self.site.date(), lines, self.closing)
        self._output.send(head)
        self.write(body)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        assert self._answer is not None
        self._output.send(self._answer.head(int(code), reason, headers))

    def write(self, data: bytes) -> None:
        """Send a piece of the body; the answer's framing decides how much of it goes out."""
        if self._answer is None:
            return
        self._output.send(self._answer.body(data))
        self._output.offered(len(data))

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.write(b"".join(iovec))

    def requestDone(self, request: EdgeRequest) -> None:
        finished = self._answer
        self._request, self._answer, self._answering = None, None, False
        if finished is None:
            return
        if finished.short:
            self.transport.abortConnection()
        elif finished.closing or self.site.draining:
            self._end()
        else:
            self._parser.start_next_cycle()
            self._advance()

    def abort_answer(self) -> None:
        """The answer cannot be completed: end the connection so that the client notices."""
        self._ended = True
        self.transport.abortConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        """``http.Request`` found that a form cannot be read."""
        self._refuse(400, "The form in the body of the request is malformed.")

    def upgrade(self, head: bytes, protocol: Upgraded) -> None:
        """Answer with *head* (101); from then on the connection is that of *protocol*."""
        rest = self._parser.trailing
        if self._request is not None:
            self.site.answered(self, self._request.method, self._request.uri, 101, 0)
        self._request, self._answer, self._answering = None, None, False
        self._let_go()
        if getattr(self.transport, "returns", False):
            self.transport.flushed = None
        self.transport.unregisterProducer()
        self.transport.resumeProducing()
        UpgradedChannel(self.site, self.transport, protocol)
        self.transport.write(head)
        protocol.connected(self.transport)
        protocol.received(rest)

    # The end of the connection

    def _end(self) -> None:
        """Read no more requests; close when what was written is out and the peer had time to read it."""
        self._ended = True
        self.transport.unregisterProducer()
        self._output.full = False
        self._arrival.set(LINGER_SECONDS)
        if self._secure or self._peer_ended:
            self.transport.loseConnection()
            return
        self.transport.loseWriteConnection()
        if not self._reading:
            self._reading = True
            self.transport.resumeProducing()

    def _linger_over(self) -> None:
        """The peer has had its time to read the last answer, unless that is still on its way."""
        if self.transport.unsent:
            self._arrival.set(LINGER_SECONDS)
        elif self._secure:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    def _discard(self, count: int) -> None:
        """More came after the last request."""
        self._discarded += count
        if self._discarded > LINGER_BYTES and self._reading:
            self._reading = False
            self.transport.pauseProducing()

    def _flushed(self) -> None:
        """All is written: let the fast path have the connection until the next request."""
        idle = self._request is None and self._parser.idle and not self._ended
        if idle and not self.site.draining and not self._peer_ended:
            self.transport.unregisterProducer()
            if self.transport.return_to_fast_path():
                self._let_go()
            else:
                self.transport.registerProducer(self, True)

    def _let_go(self) -> None:
        """This channel has no connection any more."""
        self._ended = True
        self._arrival.clear()
        self._output.clear()
        self.site.channels.discard(self)

    # Twisted's overrides

    def connectionMade(self) -> None:
        self.site.channels.add(self)
        self._output = Output(self.transport, self.site, self.abort_answer)
        self.transport.registerProducer(self, True)
        if getattr(self.transport, "returns", False):
            self.transport.flushed = self._flushed
        self._watch()

    def dataReceived(self, data: bytes) -> None:
        if self._ended:
            self._discard(len(data))
            return
        self.site.count("twisted_bytes_in", len(data))
        self._parser.receive(data)
        self._advance()

    def readConnectionLost(self) -> None:
        self._peer_ended = True
        self._reading = False
        if self._ended:
            self.transport.loseConnection()
        elif self._request is None:
            self._end()
        elif not self._request.startedWriting:
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """The answer is out; what the peer still sends is discarded until it closes."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._let_go()
        request, self._request, self._answer = self._request, None, None
        if request is not None:
            request.connectionLost(reason)

    def getPeer(self) -> IAddress:
        return self.transport.getPeer()  # type: ignore[no-any-return]

    def getHost(self) -> IAddress:
        return self.transport.getHost()  # type: ignore[no-any-return]

    def isSecure(self) -> bool:
        return self._secure

    def loseConnection(self) -> None:
        """A resource wants the connection to end after its answer."""
        if self._answer is not None:
            self._answer.closing = True
        elif not self._ended:
            self._end()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._output.register(producer, streaming)

    def unregisterProducer(self) -> None:
        self._output.unregister()

    def pauseProducing(self) -> None:
        self._output.pause()
        if not self._ended:
            self._watch()

    def resumeProducing(self) -> None:
        self._output.resume()
        if not self._ended:
            self._advance()

    def stopProducing(self) -> None:
        self._output.stop()
