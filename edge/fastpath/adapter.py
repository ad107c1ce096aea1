"""A fast path with a Twisted reactor, and connections on their way to Twisted and back.

:class:`Adapter` has the fast path's turns taken: in a worker, where the reactor is a
:class:`~edge.fastpath.reactor.FastPathReactor`, the wait of both is the fast path's; in any other reactor, it
is the one descriptor that the reactor watches for all listeners and all resting connections.  Each turn says
which connections are to move to Twisted.  Each of these becomes a
:class:`~edge.fastpath.transports.HandedOffTransport`: an ordinary Twisted stream transport that owns the
descriptor itself (no ``dup``: a second descriptor for each connection would halve the connection limit) and
that can give it back; a TLS connection whose handshake is over, a
:class:`~edge.fastpath.sealed.SealedTransport`.

Ownership of a descriptor is never shared: from :class:`~edge.fastpath.interface.Handoff` until ``adopt`` has
succeeded it belongs to this side, else to the fast path.  This side closes what it owns once, and before that
tells the fast path so (``release``): afterwards the number may already be that of another connection.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from edge.fastpath.introducing import Introductions
from edge.fastpath.reactor import FastPathReactor
from edge.fastpath.sealed import SealedTransport
from edge.fastpath.transports import HandedOffTransport, address_named, address_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocolFactory

    from edge.fastpath.interface import FastPath, Handoff, Held, Met, News, Relay, SocketState
    from edge.tls.interface import RecordLayer

#: Seconds between two looks at the deadlines of the resting connections.
TICK_SECONDS = 1.0


class Waiter(Protocol):
    """Who stood for a request that was held, and hears of it when it is handed off."""

    def delivered(self) -> None:
        """Its protocol has it."""


class ResumingProtocol(Protocol):
    """The protocol of a connection of which the fast path knows something."""

    def meet(self, met: Met) -> None:
        """Its first request was passed on to an application, and met that."""

    def go_on_for(self, waiter: Waiter) -> None:
        """Its first request was held, and *waiter* knows what is to become of it."""

    def has_waited(self, seconds: float) -> None:
        """Its first request has waited for so long already."""

    def resume(self, socket: SocketState) -> None:
        """The connection is this WebSocket of the push service."""


class _Listener(NamedTuple):
    """What becomes of the connections of one listener that the fast path lets go of."""

    #: Of their protocols.
    factory: IProtocolFactory
    #: The fast path takes them back.
    returns: bool
    #: Of the protocols of those that have a record layer; these always return.
    sealed: IProtocolFactory | None = None


@implementer(IReadDescriptor)
class Adapter:
    """Turns one fast path within a reactor and gives handed-off connections their protocols."""

    _log = Logger()

    def __init__(
        self,
        fast_path: FastPath,
        reactor: Any,
        on_failure: Callable[[Failure], None],
        head_seconds: float = 10.0,
    ) -> None:
        """*on_failure* is called when the fast path itself fails: nothing is served after that.

        *head_seconds*: within which a header of the PROXY protocol has to come.
        """
        #: What passes requests on, if something does, and who is told its news.
        self.relay: Relay | None = None
        self.on_news: Callable[[News], None] = lambda news: None
        #: Who is told of requests that are held, and who stands for one with a ticket.
        self.on_held: Callable[[Held], None] = lambda held: None
        self.waiter_of: Callable[[int], Waiter | None] = lambda ticket: None
        self._introductions = Introductions(fast_path, reactor, head_seconds)
        self.fast_path = fast_path
        self._reactor = reactor
        self._on_failure = on_failure
        self._listeners: dict[int, _Listener] = {}
        self._ticking = LoopingCall(fast_path.tick)
        self._ticking.clock = reactor
        self._running = False

    def listen(
        self,
        fd: int,
        number: int,
        factory: IProtocolFactory,
        recognise: bool,
        shared: bool = False,
        sealed: IProtocolFactory | None = None,
    ) -> None:
        """Accept on *fd*; what the fast path does not answer goes to *factory*'s protocols.

        *sealed*: of a TLS listener, the factory for connections whose handshake the fast path has done;
        *factory* is for the others then, which do not return.
        """
        self._listeners[number] = _Listener(factory, recognise and sealed is None, sealed)
        self.fast_path.listen(fd, number, recognise, shared)

    def start(self) -> None:
        """Begin to serve."""
        self._running = True
        if isinstance(self._reactor, FastPathReactor):
            self.fast_path.watch(self._reactor.fileno())
            self._reactor.wait_with(self._wait)
        else:
            self._reactor.addReader(self)
        self._ticking.start(TICK_SECONDS, now=False).addErrback(self._failed)

    def stop(self) -> None:
        """Stop serving and close what rests in the fast path; handed-off connections stay."""
        self._halt()
        self._introductions.stop()
        self.fast_path.close()

    def turn_soon(self) -> None:
        """Have what is handed off between two turns dealt out; a reactor that turns with us needs no word."""
        if not isinstance(self._reactor, FastPathReactor):
            self._reactor.callLater(0, self.doRead)

    def _halt(self) -> None:
        """Turn the fast path no longer."""
        self._running = False
        if isinstance(self._reactor, FastPathReactor):
            self._reactor.wait_with(None)
        else:
            self._reactor.removeReader(self)
        if self._ticking.running:
            self._ticking.stop()

    def _wait(self, timeout: float | None) -> None:
        """Wait and serve up to *timeout* seconds, or until the reactor has something to do."""
        try:
            self._run(timeout)
        except Exception:
            self.connectionLost(Failure())

    def _run(self, timeout: float | None) -> None:
        """The same; then deal out what the fast path let go."""
        for handoff in self.fast_path.run(timeout):
            try:
                self._take(handoff)
            except Exception:
                self._log.failure("A connection could not be given to its protocol")
        for news in self.relay.news() if self.relay is not None else ():
            try:
                self.on_news(news)
            except Exception:
                self._log.failure("What the relay tells could not be dealt with")
        for held in self.relay.held() if self.relay is not None else ():
            try:
                self.on_held(held)
            except Exception:
                self._log.failure("A request that is held could not be dealt with")

    def _take(self, handoff: Handoff) -> None:
        """Give the connection of *handoff* its transport and protocol."""
        waiter = self.waiter_of(handoff.ticket) if handoff.ticket else None
        try:
            self._deal(handoff, waiter)
        finally:
            if waiter is not None:
                waiter.delivered()

    def _deal(self, handoff: Handoff, waiter: Waiter | None) -> None:
        if handoff.unnamed:
            self._introductions.begin(handoff.fd)
            return
        try:
            sock = socket.socket(fileno=handoff.fd)
        except OSError:
            self.fast_path.release(handoff.fd)
            os.close(handoff.fd)
            raise
        try:
            transport = self._transport(sock, self._listeners[handoff.listener], handoff)
        except BaseException:
            self._drop(sock, handoff.layer)
            raise
        if transport is None:
            self._drop(sock, handoff.layer)
            return
        transport.protocol.makeConnection(transport)
        if handoff.met is not None:
            cast("ResumingProtocol", transport.protocol).meet(handoff.met)
        if waiter is not None:
            cast("ResumingProtocol", transport.protocol).go_on_for(waiter)
        if handoff.waited:
            cast("ResumingProtocol", transport.protocol).has_waited(handoff.waited)
        if handoff.socket is not None:
            cast("ResumingProtocol", transport.protocol).resume(handoff.socket)
        transport.deliver(handoff.data)

    def _transport(
        self, sock: socket.socket, listener: _Listener, handoff: Handoff
    ) -> HandedOffTransport | None:
        """The transport of the connection *sock*, not connected yet; None: it is not wanted, or has gone."""
        layer = handoff.layer
        try:
            peer = sock.getpeername() if sock.family != socket.AF_UNIX else ("", None)
            if sock.family != socket.AF_UNIX:
                # Answers leave in one piece; Nagle would only hold back the last segment.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # the peer has gone already
            return None
        factory = listener.factory if layer is None or listener.sealed is None else listener.sealed
        named = None if handoff.client is None else address_named(handoff.client)
        protocol = factory.buildProtocol(named or address_of(sock.family, peer))
        if protocol is None:
            return None
        transport: HandedOffTransport
        if layer is not None:
            transport = SealedTransport(sock, protocol, peer, self._reactor, self.fast_path, layer)
            transport.shown = handoff.shown
        else:
            returns = listener.returns
            transport = HandedOffTransport(sock, protocol, peer, self._reactor, self.fast_path, returns)
        transport.named = named
        return transport

    def _drop(self, sock: socket.socket, layer: RecordLayer | None) -> None:
        if layer is not None:
            layer.discard()
        self.fast_path.release(sock.fileno())
        sock.close()

    def _failed(self, reason: Failure) -> None:
        self._log.failure("The fast path failed", failure=reason)
        self._on_failure(reason)

    # Twisted's overrides

    def fileno(self) -> int:
        return self.fast_path.fileno()

    def doRead(self) -> None:
        self._run(0.0)

    def connectionLost(self, reason: Failure) -> None:
        if self._running:
            self._halt()
            self._failed(reason)

    def logPrefix(self) -> str:
        return "fast path"
