"""The shared cache before an application: an origin around an origin.

GET and HEAD are answered from the table while what is there is fresh; a GET that is not goes to the desk
(:mod:`edge.node.applications.fills`), which fills the table or has the request passed whole.  Everything else
is passed whole: other methods, upgrades, a GET with a body ("fat GET"), a HEAD or a range that is not in the
table.  What is passed is looked at on its way: whether it may be shared.

The clean question (:meth:`CachingOrigin.question`) holds the target, Host as configured, the buckets of
configured fields, and nothing that a visitor sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.addresses.globs import GlobRules, whole_glob
from edge.cache.keys import Key, KeyMaker
from edge.cache.policy import HOP_BY_HOP, Refusal, Rules, judge, vary_of
from edge.cache.record import SUFFIXES
from edge.cache.status import BYPASS, COLLAPSED, METHOD, MISS, STALE, STORED, status_field
from edge.http.fields import combine, lines_of
from edge.http.negotiation import choose_variant
from edge.node.applications.fills import MOST_LOOKS
from edge.node.applications.origin import Failure, Layer, OriginError, Question
from edge.node.applications.stored import STALE as GIVEN_STALE
from edge.node.applications.stored import Given, give
from edge.remembered import remembered
from edge.table.counters import INDEX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from edge.config.applications import Application
    from edge.node.applications.fills import FillDesk, Wanting
    from edge.node.applications.making import Whole
    from edge.node.applications.origin import Exchange, Fields, Origin, Receiver
    from edge.node.applications.relayed import RelayedApplication
    from edge.node.process.answers import FilledAnswer
    from edge.table.reader import Answer, Reader
    from edge.table.segment import CounterBlock
    from edge.traces.context import Context

#: Host of the clean question, where none is configured: the visitor's is not part of the key.
DEFAULT_HOST = b"localhost"
#: Seconds for which a reader waits for an application that would have been answered for, if it had failed.
PATIENCE_SECONDS = 2.0
#: Statuses that are owed to what one visitor's request says besides, like a condition.
_OF_ONE_REQUEST = frozenset((206, 304, 412, 416, 417, 429))
#: Fields of a GET that make it mean something else, if it is not answered from the table.
_NOT_FILLING = (b"range", b"if-match", b"if-unmodified-since", b"if-range")
_HIT, _STALE, _FILLED, _COALESCED, _PASSED = (
    INDEX[f"answers_{name}"] for name in ("hit", "stale", "filled", "coalesced", "passed")
)


class CachingOrigin(Layer):
    """The application *inner* with the shared cache before it; implements :class:`.origin.Origin`."""

    def __init__(
        self,
        inner: Origin,
        application: Application,
        desk: FillDesk,
        reader: Reader,
        counters: CounterBlock,
        origins: Collection[bytes],
        now_ms: Callable[[], int],
        host: bytes = DEFAULT_HOST,
        secure: bool = False,
    ) -> None:
        """*origins*: those whose pages may read stored answers; *now_ms*: CLOCK_MONOTONIC in milliseconds.

        *host*, *secure*: what the clean question says, whoever asks first: the name, and whether by HTTPS.
        """
        super().__init__(inner)
        self.application = application.name
        self.desk = desk
        self.reader = reader
        self.counters = counters
        self.origins = origins
        self.now_ms = now_ms
        #: What the fast path relays; None: nothing.
        self.relayed: RelayedApplication | None = None
        self.makes_zstd = True
        #: Whether no rule changes the fields of answers.
        self.is_plain: Callable[[], bool] = lambda: True
        self._host = host
        self._secure = secure
        self._prefix = application.site.encode("ascii")
        self._maker = KeyMaker(
            application.ignore_query,
            [
                (field.encode("ascii"), [value.encode("ascii") for value in told])
                for field, told in application.vary
            ],
            self._prefix,
        )
        #: Whether the name of a key is its target.
        self._is_exact = not application.ignore_query and not application.vary
        share = GlobRules((whole_glob(pattern), True) for pattern in application.share)
        #: Whether the operator has said that what is asked under a path is the same for all.
        self.is_shared: Callable[[bytes], bool] = remembered(256)(
            lambda path: share.first(path.decode("latin-1")) is not None
        )
        self._trusting, self._strict = (
            Rules(trusting, self._maker.fields, application.stale_if_error) for trusting in (True, False)
        )

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Answer from the table, or have it filled, or pass the question."""
        asked = combine(question.fields)
        if question.method not in (b"GET", b"HEAD") or question.upgrade:
            return self.inner.ask(question, Observing(receiver, METHOD))
        path, mark, query = question.target.partition(b"?")
        key = self._maker.key(path, query if mark else None, asked)
        if key is None or question.has_body:
            return self.inner.ask(question, Observing(receiver, BYPASS))
        name = key.name
        waiter = question.waiter
        if waiter is not None and waiter.is_decided:
            asking = Asking(self, question, receiver, key, name, asked)
            waiter.arrived(asking)
            return asking
        if self.desk.is_passed(name) and not self.reader.has_answer(name):
            self.counters.add(_PASSED)
            self._relay(question, key)
            return self.inner.ask(question, Observing(receiver, BYPASS))
        asking = Asking(self, question, receiver, key, name, asked)
        asking.begin()
        return asking

    def hold(self, wanting: Wanting, path: bytes, target: bytes) -> bool:
        """Have *wanting*, which the fast path holds, wait for what *target* is answered; false: not here."""
        name = self._prefix + target
        if not self._is_exact or self.desk.is_passed(name):
            return False
        self.desk.want(self, name, self.is_shared(path), wanting)
        return True

    def suits(self, path: bytes, name: bytes, asked: dict[bytes, bytes], status: int, fields: Fields) -> bool:
        """Whether the operator says that all get the same under *path*, and nothing hints at the contrary.

        *asked*: fields of the request, by lower-case name; *status*, *fields*: of the answer.
        """
        if not self.is_shared(path):
            return False
        varies = vary_of(lines_of(fields, b"vary")) & asked.keys()
        varies -= {b"accept-encoding", *self.rules(name).vary}
        known = not {b"cookie", b"authorization"}.isdisjoint(asked)
        # A cookie may begin a session, in place of the one that the visitor has.
        other = status in (401, 403, 407) or bool(lines_of(fields, b"set-cookie"))
        return not varies and not (known and other)

    def _relay(self, question: Question, key: Key) -> None:
        """Whoever asks for the same, which is passed whole, need not come here, if the address says it."""
        if self.relayed is not None and question.target == key.target and not key.buckets and self.is_plain():
            self.relayed.pass_on(question, key.name, self.desk.passed_for(key.name))

    def address(self, target: bytes) -> bytes | None:
        """The address that *target* may be stored under (:func:`edge.cache.keys.address_of`)."""
        path, mark, query = target.partition(b"?")
        return self._maker.address(path, query if mark else None)

    # As edge.node.applications.fills.Clean has it

    def rules(self, name: bytes) -> Rules:
        """What the operator has said of the path in *name*."""
        return self._trusting if self.is_shared(Key.of_name(name).path) else self._strict

    def question(self, name: bytes, validators: Fields) -> Question:
        """The clean question of the key *name*."""
        key = Key.of_name(name)
        buckets = [(field, value) for field, value in key.buckets if value]
        fields = [*buckets, *validators]
        return Question(b"GET", key.target, fields, self._host, self._secure, clean=True)

    def filled(self) -> None:
        """An answer was stored."""
        self.counters.add(_FILLED)

    def stored(self, name: bytes) -> dict[int, Answer]:
        """What is stored under *name*, fresh or not."""
        first = self.reader.find_answer(name)
        if first is None:
            return {}
        found = {0: first}
        for variant in range(1, len(SUFFIXES)):
            other = self.reader.find_answer(name, lambda mask, one=variant: one if mask >> one & 1 else 0)  # type: ignore[misc]
            if other is not None and first.variants >> variant & 1 and other.etag != first.etag:
                found[variant] = other
        return found


class Asking:
    """One GET or HEAD on its way through the cache: an exchange, and one of those who want a key."""

    #: It is given what is filled, wherever that is.
    reads_table = False

    __slots__ = (
        "_answer",
        "_asked",
        "_exchange",
        "_key",
        "_looks",
        "_name",
        "_observer",
        "_origin",
        "_patience",
        "_paused",
        "_question",
        "_receiver",
        "over",
    )

    def __init__(
        self,
        origin: CachingOrigin,
        question: Question,
        receiver: Receiver,
        key: Key,
        name: bytes,
        asked: dict[bytes, bytes],
    ) -> None:
        """*name*: of *key*; *asked*: the fields of *question*, by lower-case name."""
        self._origin = origin
        self._question = question
        self._receiver = receiver
        self._key = key
        self._name = name
        self._asked = asked
        self._exchange: Exchange | None = None
        #: What is stored and no longer fresh.
        self._answer: Answer | None = None
        self._looks = 0
        self._observer: Observer | None = None
        #: When what is there is given although the application has not failed yet.
        self._patience: Any = None
        self._paused = False
        #: The visitor has gone, or has his answer.
        self.over = False

    def begin(self) -> None:
        """Look; what is there is given in a turn of its own: who asks hears nothing before he is back."""
        answer = self._find()
        if answer is None:
            self._take(None)
        else:
            self._origin.desk.reactor.callLater(0, self.look)

    # As edge.node.applications.fills.Wanting has it

    @property
    def trace(self) -> Context | None:
        """The place of the request in a trace."""
        return self._question.trace

    @property
    def network(self) -> bytes:
        """What its visitor counts as."""
        return self._question.network

    @property
    def has_found(self) -> bool:
        """Whether something is stored that is no longer fresh."""
        return self._answer is not None

    def look(self) -> None:
        """Answer from the table, or want it filled."""
        if not self.over:
            self._take(self._find())

    def _take(self, answer: Answer | None) -> None:
        """*answer* is in the table."""
        self._answer = answer
        self._looks += 1
        if answer is not None and answer.fresh:
            self._count(_HIT if self._looks == 1 else _COALESCED)
            self._give_stored(answer, None)
            return
        origin, name = self._origin, self._name
        if (
            answer is not None
            and not answer.doubtful
            and answer.overdue < answer.record.stale_while_revalidate
        ):
            self._give_stale(answer)
            origin.desk.refresh(origin, name, True, self.network)
        elif self._question.method != b"GET" or not self._asked.keys().isdisjoint(_NOT_FILLING):
            self._pass(BYPASS if answer is None else STALE, None)
        elif self._looks > MOST_LOOKS:
            self._pass(BYPASS, None)
        else:
            # What Authorization comes with may matter after all: the answer says so, or it is not shared.
            share = origin.is_shared(self._key.path) and b"authorization" not in self._asked
            origin.desk.want(origin, name, share or answer is not None, self)
            if answer is not None and answer.record.stale_if_error and not self.over:
                self._patience = origin.desk.reactor.callLater(PATIENCE_SECONDS, self._lose_patience)

    def _lose_patience(self) -> None:
        """Give what is there: an application that takes too long has failed."""
        self._patience = None
        stored = self._find()
        if not self.over and stored is not None and (stored.fresh or _may_be_given_on_error(stored)):
            self._give_stale(stored)

    def filled(self, answer: FilledAnswer, first: bool) -> None:
        """Here it is."""
        if self.over:
            return
        if not first:
            self._count(_COALESCED)
        origin = self._origin
        mask = 0
        for one in answer.representations:
            mask |= 1 << one.variant
        variant = choose_variant(mask, None, self._asked.get(b"accept-encoding"))
        given = Given.filled(answer, variant, origin.now_ms())
        how = (STALE if self._answer is not None else MISS) if first else COLLAPSED
        self._give(given, (*how, STORED) if first else how)

    def informed(self, status: int, fields: Fields) -> None:
        """Pass it on."""
        self._receiver.informational(status, fields)

    def suits(self, status: int, fields: Fields) -> bool:
        """Whether the operator says that all get the same here, and nothing hints at the contrary."""
        return self._origin.suits(self._key.path, self._name, self._asked, status, fields)

    def adopted(self, exchange: Exchange, status: int, fields: Fields, length: int | None) -> Receiver:
        """Hear it as if it had been asked for this request alone."""
        self._count(_PASSED)
        self._stop_waiting()
        self._exchange = exchange
        if self._paused:
            exchange.pause()
        self._receiver.started(status, _passed(fields, MISS if self._answer is None else STALE), length)
        return self._receiver

    def pass_whole(self, token: int | None) -> None:
        """Ask the application oneself."""
        if self.over:
            if token is not None:
                self._origin.desk.not_observed(token)
            return
        self._pass(MISS if token is not None else BYPASS, token)

    def failed(self, error: OriginError | None, answer: Whole | None) -> None:
        """A stale copy, if that is allowed; else what the application said, or that it said nothing."""
        if self.over:
            return
        before, stored = self._answer, self._find()
        if (
            stored is not None and stored.fresh
        ):  # a new one; or the same, prolonged while the application fails
            is_old = before is not None and before.etag == stored.etag
            self._give_stored(stored, GIVEN_STALE if is_old else None)
        elif stored is not None and _may_be_given_on_error(stored):
            self._give_stale(stored)
        elif answer is not None:
            self._end()
            fields = _passed(answer.fields, MISS)
            self._receiver.answered(answer.status, fields, len(answer.body), answer.body)
        else:
            self._end()
            sentence = f"{self._origin.name}: it has failed just now"
            self._receiver.failed(error or OriginError(Failure.AWAY, sentence, reached=False))

    def _find(self) -> Answer | None:
        coding = self._asked.get(b"accept-encoding")
        return self._origin.reader.find_answer(self._name, lambda mask: choose_variant(mask, None, coding))

    def _give_stored(self, answer: Answer, status: tuple[bytes, ...] | None) -> None:
        self._origin.reader.mark_hit(answer.number)
        self._give(Given.stored(answer), status)

    def _give(self, given: Given, status: tuple[bytes, ...] | None) -> None:
        self._end()
        origin = self._origin
        now = int(origin.desk.wall())
        give(given, self._question, self._asked, self._receiver, origin.origins, now, status)

    def _give_stale(self, answer: Answer) -> None:
        self._count(_STALE)
        self._give_stored(answer, GIVEN_STALE)

    def _pass(self, how: tuple[bytes, ...], token: int | None) -> None:
        self._count(_PASSED)
        origin = self._origin
        observer = self._observer = (
            None if token is None else Observer(origin, self._name, self._asked, token)
        )
        self._stop_waiting()
        otherwise = self.failed if self._answer is not None else None
        self._exchange = origin.inner.ask(self._question, Observing(self._receiver, how, observer, otherwise))
        if self._paused:
            self._exchange.pause()

    def _count(self, counter: int) -> None:
        self._origin.counters.add(counter)

    # As edge.node.applications.origin.Exchange has it

    def send(self, data: bytes) -> None:
        """There is no body."""

    def finish(self) -> None:
        """There is no body."""

    def pause(self) -> None:
        """Give no more of the answer for now."""
        self._paused = True
        if self._exchange is not None:
            self._exchange.pause()

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        if self._exchange is not None:
            self._exchange.resume()

    def cancel(self) -> None:
        """The visitor has gone; who waits for the same goes on waiting."""
        self._end()
        if self._observer is not None:
            self._observer.failed()
        if self._exchange is not None:
            self._exchange.cancel()

    def _end(self) -> None:
        self.over = True
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Observer:
    """What the answer to the first request for a key says of sharing it."""

    __slots__ = ("_asked", "_at", "_name", "_origin", "_token")

    def __init__(self, origin: CachingOrigin, name: bytes, asked: dict[bytes, bytes], token: int) -> None:
        self._origin = origin
        self._name = name
        self._asked = asked
        self._token: int | None = token
        self._at: float = origin.desk.reactor.seconds()

    def started(self, status: int, fields: Fields) -> None:
        """Its head is here."""
        if self._token is None:
            return
        token, self._token = self._token, None
        desk = self._origin.desk
        rules = self._origin.rules(self._name)
        if b"authorization" in self._asked:
            rules = Rules(False, rules.vary, rules.stale_if_error)
        # The clean question asks for no coding.
        plain = [field for field in fields if field[0].lower() != b"content-encoding"]
        judged = judge(status, plain, rules, self._at, desk.reactor.seconds(), int(desk.wall()))
        if status >= 500 or status in _OF_ONE_REQUEST:
            desk.not_observed(token)
        else:
            desk.observed(token, self._name, judged if isinstance(judged, Refusal) else None)

    def failed(self) -> None:
        """There is no answer."""
        if self._token is not None:
            token, self._token = self._token, None
            self._origin.desk.not_observed(token)


def _may_be_given_on_error(answer: Answer) -> bool:
    return answer.overdue < answer.record.stale_if_error


def _passed(fields: Fields, how: tuple[bytes, ...]) -> Fields:
    """*fields* of an application's answer as a visitor gets them."""
    return [*(field for field in fields if field[0].lower() not in HOP_BY_HOP), status_field(*how)]


class Observing:
    """A receiver before a receiver: answers that pass are told of, and say what the cache made of them."""

    __slots__ = ("_has_begun", "_how", "_observer", "_otherwise", "_receiver")

    def __init__(
        self,
        receiver: Receiver,
        how: tuple[bytes, ...],
        observer: Observer | None = None,
        otherwise: Callable[[OriginError, None], None] | None = None,
    ) -> None:
        """*otherwise*: hears of a failure before the answer has begun, in place of *receiver*."""
        self._receiver: Any = receiver
        self._how = how
        self._observer = observer
        self._otherwise = otherwise
        self._has_begun = False

    def informational(self, status: int, fields: Fields) -> None:
        """Pass it on."""
        self._receiver.informational(status, fields)

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """Tell of it, and pass it on."""
        self._has_begun = True
        if self._observer is not None:
            self._observer.started(status, fields)
        self._receiver.started(status, _passed(fields, self._how), length)

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """Tell of it, and pass it on."""
        self._has_begun = True
        if self._observer is not None:
            self._observer.started(status, fields)
        self._receiver.answered(status, _passed(fields, self._how), length, body)

    def switched(self, fields: Fields) -> None:
        """Pass it on."""
        self._receiver.switched(fields)

    def data(self, data: bytes) -> None:
        """Pass it on."""
        self._receiver.data(data)

    def ended(self, trailers: Fields) -> None:
        """Pass it on."""
        self._receiver.ended(trailers)

    def failed(self, error: OriginError) -> None:
        """Tell of it, and pass it on."""
        if self._observer is not None:
            self._observer.failed()
        if self._otherwise is not None and not self._has_begun:
            self._otherwise(error, None)
        else:
            self._receiver.failed(error)

    def pause_body(self) -> None:
        """Pass it on."""
        self._receiver.pause_body()

    def resume_body(self) -> None:
        """Pass it on."""
        self._receiver.resume_body()
