"""What the fast path relays to applications by itself, as far as Python has its hand in it.

The relay (:class:`edge.fastpath.interface.Relay`) passes GETs and HEADs of single addresses on, each for as
long as is known of it that every visitor is answered for himself (:meth:`RelayedApplication.pass_on`).  For
that it has a connection of its own to each process (:class:`RelayedProcess`), which is made anew with each
new process.  Everything else of an application goes through the layers of this package, and so does what the
relay gives back: a request that was not answered is asked once more here, or told why not.
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

#: Seconds after which a connection is made again that has ended.
AGAIN_SECONDS = 1.0


class Relaying:
    """The relay of a worker, and who hears its news."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.processes: dict[int, RelayedProcess] = {}

    def hear(self, news: News) -> None:
        """Tell whom it concerns; a process that is not asked any more has no news."""
        process = self.processes.get(news.carrier)
        if process is None:
            return
        if news.kind is NewsKind.LOST:
            del self.processes[news.carrier]
        process.hear(news)


class RelayedApplication:
    """One application that is relayed to."""

    def __init__(self, relaying: Relaying, host: bytes, at: bytes, timeout: float, queue: int) -> None:
        """Parameters as of :meth:`edge.fastpath.interface.Relay.application`."""
        self.relaying = relaying
        self.number = relaying.relay.application(host, at, timeout, queue)

    def pass_on(self, question: Question, name: bytes, seconds: float) -> None:
        """Whoever asks what *question* asks, under the *name* of its key, is passed on for so long."""
        if question.unpublished is not None:
            self.relaying.relay.pass_on(self.number, name, question.unpublished, seconds, question.secure)
            question.is_relayed = True

    def others(self, unanswered: int, waiting: int) -> None:
        """So many questions are unanswered here, and so many of them wait."""
        self.relaying.relay.others(self.number, unanswered, waiting)

    def unanswered(self) -> int:
        """Questions that the relay has not had answered."""
        return self.relaying.relay.unanswered(self.number)


class RelayedProcess:
    """The relay's connection to one process, *name*."""

    _log = Logger()

    def __init__(
        self,
        application: RelayedApplication,
        name: str,
        connect: Callable[[], Awaitable[int]],
        reactor: Any,
        changed: Callable[[frozenset[str] | None], Deferred[int]] | None,
        heard: Callable[[Outcome, str], None],
    ) -> None:
        """*connect*, *changed*: as of :class:`.app_origin.AppOrigin`; *heard*: told how it does."""
        self._application = application
        self._name = name
        self._connect = connect
        self._reactor = reactor
        self._changed = changed
        self._heard = heard
        self._carrier: int | None = None
        self._is_well = True
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
        """Ask it no more."""
        self._is_wanted = False
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._retire()

    def use(self, is_well: bool) -> None:
        """Ask it while it does well; else it is tried by others."""
        if is_well is not self._is_well:
            self._is_well = is_well
            if self._carrier is not None:
                self._application.relaying.relay.use(self._carrier, is_well)

    def hear(self, news: News) -> None:
        """What the relay says of the connection."""
        if news.kind is NewsKind.FRAME:
            self._take(news.carrier, news.data)
        elif news.kind is NewsKind.FAILED:
            answered = f"it answers {news.status}" if news.status >= 100 else "it gave no whole answer"
            self._heard(Outcome.FAILED, answered)
        elif news.kind is NewsKind.ANSWERED:
            self._heard(Outcome.ANSWERED, "")
        elif news.carrier == self._carrier:
            self._carrier = None
            if news.status:
                self._said.warn("broken", f"{self._name}: it breaks the rules of edge-app/1")
                self._heard(Outcome.FAILED, "it breaks the rules of edge-app/1")
            self._later()

    def _retire(self) -> None:
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            self._application.relaying.relay.retire(carrier)

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
        relaying = self._application.relaying
        if not self._is_wanted or self._carrier is not None:
            os.close(descriptor)
            return
        try:
            self._carrier = relaying.relay.carry(self._application.number, descriptor)
        except OSError:
            os.close(descriptor)
            raise
        relaying.processes[self._carrier] = self
        relaying.relay.use(self._carrier, self._is_well)

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
            self._application.relaying.relay.retire(carrier)
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
        self._application.relaying.relay.say(carrier, encode(Settled(number, unsettled)))
