"""The layer before an application that holds answers: of those who write.

An answer to an unsafe method may say what has changed: its target and, of a success, what its ``Location``
and ``Content-Location`` name (RFC 9111 section 4.4), and the cache groups in ``Cache-Group-Invalidation``
(RFC 9875), in its head or its trailers.  That change is put in force on all connected nodes first; until then
the head, or the end, of the answer is held, and the application is asked to send no more.

A field that cannot be read makes everything of the application doubtful: what it meant is unknown, and an
answer too many costs less than an old one.  It is logged.  A visitor who goes away after he has asked does
not keep his change from being told: the application is listened to until it has said what it was, in trailers
too if its body has no more than :data:`UNHEARD_BYTES` left.

It stands inside of the cache's layer, which does not pass these fields on to visitors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from twisted.logger import Logger

from edge.cache.group_changes import Change
from edge.cache.group_fields import CACHE_GROUP_INVALIDATION, GroupsError, groups_of
from edge.http.fields import lines_of
from edge.node.applications.origin import Layer
from edge.node.process.counted_log import CountedLog
from edge.node.resources.origins import SAFE

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from edge.node.applications.origin import Exchange, Fields, Origin, OriginError, Question, Receiver

#: Fields that name what else was changed.
_NAMING = (b"location", b"content-location")
#: Of an answer whose visitor has gone, what is read for the sake of its trailers.
UNHEARD_BYTES = 256 * 1024


class SettlingOrigin(Layer):
    """*inner*, whose writers are answered when their change is settled; implements :class:`.origin.Origin`.

    *changed*: puts a change in force everywhere.  *address_of*: the address that a target may be stored
    under; None: it is too long to be.
    """

    _log = Logger()

    def __init__(
        self,
        inner: Origin,
        application: str,
        changed: Callable[[Change], Deferred[int]],
        address_of: Callable[[bytes], bytes | None],
        clock: Any,
    ) -> None:
        super().__init__(inner)
        self.application = application
        self.changed = changed
        self.address_of = address_of
        self.said = CountedLog(self._log, clock)

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask; what a writer is answered waits for what it has changed."""
        if question.method in SAFE or question.upgrade:
            return self.inner.ask(question, receiver)
        holding = Holding(self, question, receiver)
        holding.exchange = self.inner.ask(question, holding)
        return holding

    def change_of(self, question: Question, status: int, fields: Fields) -> Change | None:
        """What an answer with these *fields* to *question* says to have changed; None: nothing."""
        groups: frozenset[str] | None
        try:
            groups = groups_of(lines_of(fields, CACHE_GROUP_INVALIDATION))
        except GroupsError as error:
            groups = None
            self.said.warn(
                "groups",
                f"{self.application}: Cache-Group-Invalidation cannot be read, so everything stored of it is "
                f"asked for anew: {error}",
            )
        addresses = self._addresses(question, fields) if 200 <= status < 400 else ()
        return Change(self.application, groups, addresses) if groups is None or groups or addresses else None

    def _addresses(self, question: Question, fields: Fields) -> tuple[bytes, ...]:
        targets = {question.target}
        for field in _NAMING:
            for value in lines_of(fields, field):
                targets |= _same_origin(question, value)
        return tuple(sorted({one for one in map(self.address_of, targets) if one is not None}))


class Holding:
    """One writer's exchange: a receiver before its receiver, an exchange before the application's."""

    def __init__(self, origin: SettlingOrigin, question: Question, receiver: Receiver) -> None:
        self._origin = origin
        self._question = question
        self._receiver = receiver
        self.exchange: Exchange
        #: What is to be heard when it is settled; None: nothing is held.
        self._held: list[Callable[[], None]] | None = None
        #: The end of the answer, if that is held, too.
        self._trailers: Fields | None = None
        self._paused = self._over = False
        #: The application has the whole question: it may act on it, whoever listens.
        self._asked = not question.has_body
        #: Bytes that come for nobody.
        self._unheard = 0

    # As edge.node.applications.origin.Receiver has it

    def informational(self, status: int, fields: Fields) -> None:
        """Pass it on."""
        self._receiver.informational(status, fields)

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """The head, once what it says to have changed is settled."""
        change = self._origin.change_of(self._question, status, fields)
        self._settle(change)
        self._hear(lambda: self._receiver.started(status, fields, length))

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """Likewise, the whole answer."""
        self._settle(self._origin.change_of(self._question, status, fields))
        self._hear(lambda: self._receiver.answered(status, fields, length, body))

    def switched(self, fields: Fields) -> None:
        """Pass it on."""
        self._hear(lambda: self._receiver.switched(fields))

    def data(self, data: bytes) -> None:
        """In its turn."""
        if self._over:
            self._unheard += len(data)
            if self._unheard > UNHEARD_BYTES:
                self.exchange.cancel()
        self._hear(lambda: self._receiver.data(data))

    def ended(self, trailers: Fields) -> None:
        """In its turn; what the trailers say to have changed first."""
        if self._held is None:
            self._settle(self._origin.change_of(self._question, 0, trailers))
            self._hear(lambda: self._receiver.ended(trailers))
        else:
            self._trailers = trailers

    def failed(self, error: OriginError) -> None:
        """In its turn."""
        self._hear(lambda: self._receiver.failed(error))

    def pause_body(self) -> None:
        """Pass it on."""
        self._receiver.pause_body()

    def resume_body(self) -> None:
        """Pass it on."""
        self._receiver.resume_body()

    # Holding

    def _hear(self, what: Callable[[], None]) -> None:
        if self._held is not None:
            self._held.append(what)
        elif not self._over:
            what()

    def _settle(self, change: Change | None) -> None:
        if change is None:
            return
        self._held = []
        self.exchange.pause()
        settled = self._origin.changed(change)
        settled.addErrback(self._not_settled)
        settled.addCallback(self._release)

    def _not_settled(self, failure: Failure) -> None:
        """The supervisor is going: nobody reads here any more soon."""
        self._origin.said.warn("unsettled", f"a change cannot be told: {failure.getErrorMessage()}")

    def _release(self, unsettled: object) -> None:
        held, self._held = self._held or [], None
        if not self._paused or self._over:
            self.exchange.resume()
        for what in held:
            self._hear(what)
        if self._trailers is not None:  # heard also if the visitor has gone meanwhile
            trailers, self._trailers = self._trailers, None
            self.ended(trailers)

    # As edge.node.applications.origin.Exchange has it

    def send(self, data: bytes) -> None:
        """Pass it on."""
        self.exchange.send(data)

    def finish(self) -> None:
        """Pass it on."""
        self._asked = True
        self.exchange.finish()

    def pause(self) -> None:
        """Give no more for now."""
        self._paused = True
        self.exchange.pause()

    def resume(self) -> None:
        """Go on, unless something is being settled."""
        self._paused = False
        if self._held is None:
            self.exchange.resume()

    def cancel(self) -> None:
        """The visitor has gone; what he has changed is told all the same."""
        self._over = True
        if self._asked:
            self.exchange.resume()
        else:
            self.exchange.cancel()


def _same_origin(question: Question, value: bytes) -> set[bytes]:
    """The target that *value*, a reference in an answer to *question*, names on the same host; or nothing."""
    scheme = "https" if question.secure else "http"
    host = question.host.decode("latin-1").lower()
    base = f"{scheme}://{host}{question.target.decode('latin-1')}"
    try:
        parts = urlsplit(urljoin(base, value.decode("latin-1")))
    except ValueError:
        return set()
    if (parts.scheme, parts.netloc.lower()) != (scheme, host):
        return set()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return {target.encode("latin-1")}
