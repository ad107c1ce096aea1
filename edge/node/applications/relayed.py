"""What the fast path relays to applications by itself, as far as Python has its hand in it.

The relay (:class:`edge.fastpath.interface.Relay`) passes GETs and HEADs of single addresses on, each for as
long as is known of it that every visitor is answered for himself (:meth:`RelayedApplication.pass_on`).  For
that it has connections of its own.  To each process there is one (:class:`RelayedProcess`), which is made
anew with each new process.  To an HTTP server (:class:`RelayedServer`) it has those that the Twisted side has
used, one more whenever a request found none free: a connection on which nothing was asked yet would keep a
server busy that serves one at a time (gunicorn's default), and one that cannot be used again is of no use.

Everything else of an application goes through the layers of this package, and so does what the relay gives
back: a request that was not answered is asked once more here, or told why not.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.app.messages import FROM_APPLICATION, MAX_CHANGES, Changed, Malformed, Settled, decode, encode
from edge.errors import NotConnected
from edge.fastpath.interface import NewsKind
from edge.node.process.counted_log import CountedLog
from edge.upstream.dispatch import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from twisted.python.failure import Failure

    from edge.fastpath.interface import News, Relay
    from edge.node.applications.origin import Question

#: What the relay has room for: ``edge/fastpath/src/edge_members.h``.
MOST_APPLICATIONS, MOST_MEMBERS = 1024, 2048
#: Seconds after which a connection is made again that has ended.
AGAIN_SECONDS = 1.0


class Relayed:
    """One process or server that is relayed to: its number there, and how it does."""

    def __init__(
        self,
        application: RelayedApplication,
        speaks_http: bool,
        at_once: int,
        heard: Callable[[Outcome, str], None],
    ) -> None:
        """*at_once*: questions to it that may be unanswered, whoever asks; *heard* is told how it does."""
        self._relay = application.relay
        self._heard = heard
        self._number = application.member(self, speaks_http, at_once)
        self._others = 0

    def hear(self, news: News) -> None:
        """What the relay says of it."""
        if news.kind is NewsKind.ANSWERED:
            self._heard(Outcome.ANSWERED, "")
        elif news.kind is NewsKind.ROOM:
            self._heard(Outcome.NEITHER, "")
        elif news.status >= 100:
            self._heard(Outcome.FAILED, f"it answers {news.status}")
        else:
            self._heard(Outcome.FAILED, news.data.decode("ascii") or "it gave no whole answer")

    def use(self, is_well: bool) -> None:
        """Ask it while it does well; else it is tried by others."""
        self._relay.use(self._number, is_well)

    def others(self, unanswered: int) -> None:
        """So many questions to it are unanswered here."""
        if unanswered != self._others:
            self._others = unanswered
            self._relay.others_of(self._number, unanswered)

    def unanswered(self) -> int:
        """Questions to it that the relay has not had answered."""
        return self._relay.unanswered_of(self._number)

    def end(self) -> None:
        """Ask it no more."""
        self._relay.retire_all(self._number)


class Relaying:
    """The relay of a worker, and who hears its news."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        #: By their numbers.
        self.members: dict[int, Relayed] = {}
        #: Applications for which there is no room, and what the relay has said.
        self.left_out: dict[str, str] = {}

    @property
    def sentence(self) -> str:
        """What an operator has to know of those that are left out; empty: none are."""
        if not self.left_out:
            return ""
        names, reasons = list(self.left_out), sorted(set(self.left_out.values()))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return (
            f"requests to {', '.join(names[:3])}{more} are passed on by Python alone, which takes about ten "
            f"times the CPU: the fast path has no room for them ({', '.join(reasons)}), it relays to "
            f"{MOST_APPLICATIONS:,} applications with {MOST_MEMBERS:,} processes and servers; have other "
            "nodes run some, or give them fewer"
        )

    def hear(self, news: News) -> None:
        """Tell whom it concerns."""
        self.members[news.member].hear(news)


class RelayedApplication:
    """One application that is relayed to."""

    def __init__(self, relaying: Relaying, host: bytes, at: bytes, timeout: float, queue: int) -> None:
        """Parameters as of :meth:`edge.fastpath.interface.Relay.application`."""
        self.relaying = relaying
        self.relay = relaying.relay
        self.number = self.relay.application(host, at, timeout, queue)
        self._others = 0, 0

    def member(self, relayed: Relayed, speaks_http: bool, at_once: int) -> int:
        """The number of *relayed*, which speaks HTTP/1.1 or edge-app/1.

        Before there is another application; *at_once*: as of :class:`Relayed`.
        """
        number = self.relay.member(speaks_http, at_once)
        self.relaying.members[number] = relayed
        return number

    def pass_on(self, question: Question, name: bytes, seconds: float) -> None:
        """Whoever asks what *question* asks, under the *name* of its key, is passed on for so long."""
        if question.unpublished is not None:
            self.relay.pass_on(self.number, name, question.unpublished, seconds, question.secure)
            question.is_relayed = True

    def others(self, unanswered: int, waiting: int) -> None:
        """So many questions are unanswered here, and so many of them wait."""
        if (unanswered, waiting) != self._others:
            self._others = unanswered, waiting
            self.relay.others(self.number, unanswered, waiting)

    def others_from(self, network: bytes, unanswered: int) -> None:
        """So many questions of *network* are unanswered here."""
        self.relay.others_from(self.number, network, unanswered)

    def unanswered_from(self, network: bytes) -> int:
        """Questions of *network* that the relay has not had answered."""
        return self.relay.unanswered_from(self.number, network)

    def unanswered(self) -> int:
        """Questions that the relay has not had answered."""
        return self.relay.unanswered(self.number)


class RelayedServer(Relayed):
    """The relay's connections to one HTTP server."""

    def __init__(
        self, application: RelayedApplication, at_once: int, heard: Callable[[Outcome, str], None]
    ) -> None:
        super().__init__(application, True, at_once, heard)
        self._is_ended = False

    @property
    def wants(self) -> bool:
        """Whether a request found no connection free."""
        return not self._is_ended and self._relay.wants(self._number)

    def carry(self, descriptor: int, seconds: float) -> None:
        """Ask on the connection *descriptor*, too, which has answered and may rest for so many *seconds*."""
        try:
            self._relay.carry(self._number, descriptor, seconds)
        except OSError:  # there are too many, or there is no memory
            os.close(descriptor)

    def end(self) -> None:
        """Overrides: and ask for no more connections."""
        self._is_ended = True
        super().end()


class RelayedProcess(Relayed):
    """The relay's connection to one process, *name*."""

    _log = Logger()

    def __init__(
        self,
        application: RelayedApplication,
        at_once: int,
        name: str,
        connect: Callable[[], Awaitable[int]],
        reactor: Any,
        changed: Callable[[frozenset[str] | None], Deferred[int]] | None,
        heard: Callable[[Outcome, str], None],
    ) -> None:
        """*connect*, *changed*: as of :class:`.app_origin.AppOrigin`; the others: of :class:`Relayed`."""
        super().__init__(application, False, at_once, heard)
        self._name = name
        self._connect = connect
        self._reactor = reactor
        self._changed = changed
        self._carrier: int | None = None
        self._is_wanted = False
        self._connecting = False
        self._again: Any = None
        #: Changes that are not settled: by carrier and number, which each carrier counts from 1.
        self._unsettled: set[tuple[int, int]] = set()
        self._said = CountedLog(self._log, reactor)

    def renew(self) -> None:
        """The application is ready, in a new process or the same: ask that one."""
        self._is_wanted = True
        self._retire()
        self._begin()

    def end(self) -> None:
        """Overrides: and connect no more."""
        self._is_wanted = False
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._retire()

    def hear(self, news: News) -> None:
        """Overrides: frames are read here, and a carrier that is lost is replaced."""
        if news.kind is NewsKind.FRAME:
            self._take(news.carrier, news.data)
        elif news.kind is not NewsKind.LOST:
            super().hear(news)
        elif news.carrier == self._carrier:
            self._carrier = None
            if news.status:
                self._said.warn("broken", f"{self._name}: it breaks the rules of edge-app/1")
                self._heard(Outcome.FAILED, "it breaks the rules of edge-app/1")
            self._later()

    def _retire(self) -> None:
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            self._relay.retire(carrier)

    def _later(self) -> None:
        if self._is_wanted and self._again is None:
            self._again = self._reactor.callLater(AGAIN_SECONDS, self._begin)

    def _begin(self) -> None:
        if self._again is not None and self._again.active():
            self._again.cancel()
        self._again = None
        if self._is_wanted and self._carrier is None and not self._connecting:
            self._connecting = True
            Deferred.fromCoroutine(self._make()).addErrback(self._not_made)

    async def _make(self) -> None:
        try:
            descriptor = await self._connect()
        finally:
            self._connecting = False
        if not self._is_wanted or self._carrier is not None:
            os.close(descriptor)
            return
        try:
            self._carrier = self._relay.carry(self._number, descriptor)
        except OSError:
            os.close(descriptor)
            raise

    def _not_made(self, reason: Failure) -> None:
        if not reason.check(NotConnected):
            why = reason.getErrorMessage()
            self._said.warn("carrier", f"{self._name}: no second connection to it: {why}")
        self._later()

    def _take(self, carrier: int, array: bytes) -> None:
        """The application says what has changed."""
        try:
            message = decode(array, FROM_APPLICATION)
        except Malformed as error:
            self._said.warn("broken", f"{self._name}: {error}")
            self._relay.retire(carrier)
            return
        if not isinstance(message, Changed) or (carrier, message.number) in self._unsettled:
            return
        if self._changed is None or len(self._unsettled) >= MAX_CHANGES:
            self._settled(0 if self._changed is None else 1, carrier, message.number)
            return
        self._unsettled.add((carrier, message.number))
        groups = None if message.groups is None else frozenset(one.decode("ascii") for one in message.groups)
        told = self._changed(groups)
        told.addErrback(self._not_settled)
        told.addCallback(self._settled, carrier, message.number)

    def _not_settled(self, reason: Failure) -> int:
        self._said.warn("changed", f"{self._name}: a change is not settled: {reason.getErrorMessage()}")
        return 1

    def _settled(self, unsettled: int, carrier: int, number: int) -> None:
        self._unsettled.discard((carrier, number))
        self._relay.say(carrier, encode(Settled(number, unsettled)))
