"""The desk of a worker where answers of applications are filled in: who asks, who waits, what is stored.

For each key that is not answered from the table the desk asks the supervisor, once for all who want it here,
and does what it is told (:class:`~edge.node.process.answers.Kind`).  A *fill* is the desk's own exchange with
the application: it asks the clean question, keeps the answer until that is whole, has it coded in a thread,
and sends it to the supervisor.

Who wants a key that is being filled joins those who wait, until the answer is sent: from then on it is looked
for in the table.  Who wanted it before the application was asked gets its answer at once, stored or not: no
change that he can know of came after the question.  The others get an answer that the supervisor has stored,
and look again if it did not, since something has changed meanwhile.  So who asks after a change never gets
what was made before it; and however often there is one, those who wait are answered, and not sent one by one
to the application.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure as TwistedFailure

from edge.cache.group_fields import CACHE_GROUPS
from edge.cache.marks import PASS_SECONDS, Marks
from edge.cache.policy import Refusal, judge
from edge.node.applications.making import (
    Whole,
    coded,
    confirmed,
    is_slow_to_code,
    make,
    reconfirmed,
)
from edge.node.applications.origin import Failure, OriginError
from edge.node.process.answers import LONGEST_BODY, Kind, Outcome, Verdict, pack
from edge.node.process.counted_log import CountedLog
from edge.shares import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.defer import Deferred

    from edge.cache.group_changes import Change
    from edge.cache.policy import Rules, Terms
    from edge.node.applications.origin import Exchange, Fields, Origin, Question, Receiver
    from edge.node.process.answers import FilledAnswer
    from edge.table.reader import Answer
    from edge.traces.context import Context

#: A worker's own memory of keys that are passed whole, so that it need not ask.
_LOCAL_MARKS = 16_384
#: Bytes of all answers that a worker holds until they are whole: what comes beyond them passes as it comes.
HELD_BYTES = 64 * 1024 * 1024
#: Of so many who want one key, those who have gone are forgotten before it is filled.
MANY_WANTING = 256
#: How often a key is looked for again before the request is passed whole.
MOST_LOOKS = 4


class FillControl(Protocol):
    """The supervisor, as a desk asks it."""

    def ask(self, application: str, name: bytes, share: bool, told: Callable[[Verdict | None], None]) -> None:
        """What to do for the key *name*: *told* when there is something; None: nobody can say.

        *share*: the first answer may fill.
        """

    def store(self, token: int, application: str, packed: bytes, kept: Callable[[bool], None]) -> None:
        """Store an answer (:func:`edge.node.process.answers.pack`); *kept* hears whether it is."""

    def end(self, token: int, outcome: Outcome, why: str = "") -> None:
        """The question under *token* led to nothing that is stored."""

    def changed(self, change: Change) -> Deferred[int]:
        """A request has changed something; fires when no connected node answers what was before.

        Or when that has been waited for long enough, with how many nodes have not said so.
        """


class Wanting(Protocol):
    """One request that waits for an answer."""

    @property
    def over(self) -> bool:
        """The visitor has gone."""

    @property
    def reads_table(self) -> bool:
        """Whether what is stored is given to it from the table: it hears of it when it is there."""

    @property
    def trace(self) -> Context | None:
        """The place of the request in a trace."""

    @property
    def network(self) -> bytes:
        """What its visitor counts as: in his name it is asked what is asked for him first."""

    @property
    def has_found(self) -> bool:
        """Whether something is stored that is no longer fresh."""

    def filled(self, answer: FilledAnswer, first: bool) -> None:
        """Here it is; *first*: it was asked for on behalf of this request, and is not stored yet."""

    def informed(self, status: int, fields: Fields) -> None:
        """An interim answer to the question that was begun for this request."""

    def suits(self, status: int, fields: Fields) -> bool:
        """Whether an answer to the clean question, which is not for sharing, is one to this request."""

    def adopted(self, exchange: Exchange, status: int, fields: Fields, length: int | None) -> Receiver:
        """Begin to answer this request with such an answer; who hears the rest."""

    def look(self) -> None:
        """Look into the table, and ask again."""

    def pass_whole(self, token: int | None) -> None:
        """Pass the request whole; *token*: tell by :meth:`FillDesk.observed` what its answer says."""

    def failed(self, error: OriginError | None, answer: Whole | None) -> None:
        """The application gave *error*, or *answer*, a 5xx; None of both: it did so to somebody else."""


class Clean(Protocol):
    """How the clean question of a key is asked, and its answer judged."""

    application: str
    #: Whether what is stored is coded with Zstandard, too.
    makes_zstd: bool

    @property
    def inner(self) -> Origin:
        """Whom to ask."""

    def rules(self, name: bytes) -> Rules:
        """What the operator has said."""

    def question(self, name: bytes, validators: Fields) -> Question:
        """It holds nothing but the key, and *validators* of an answer that is stored."""

    def filled(self) -> None:
        """An answer was stored."""

    def stored(self, name: bytes) -> dict[int, Answer]:
        """Variant -> what is stored under *name*; empty: nothing."""


class Crowd:
    """Those who want one key, in the order in which they came; who has gone is forgotten in time."""

    __slots__ = ("_most", "wanting")

    def __init__(self, *wanting: Wanting) -> None:
        self.wanting = list(wanting)
        #: Beyond so many it is looked who is still there: twice as many as when that was done last.
        self._most = MANY_WANTING

    def add(self, wanting: Wanting) -> None:
        """One more."""
        self.wanting.append(wanting)
        if len(self.wanting) > self._most:
            self.wanting = [one for one in self.wanting if not one.over]
            self._most = max(MANY_WANTING, 2 * len(self.wanting))


class FillDesk:
    """The desk of one worker."""

    _log = Logger()

    def __init__(self, control: FillControl, reactor: Any, wall: Callable[[], float]) -> None:
        """*wall*: Unix seconds."""
        self.control = control
        self.reactor = reactor
        self.wall = wall
        self._wanted: dict[bytes, Crowd] = {}
        self._passing = Marks(PASS_SECONDS, _LOCAL_MARKS)
        self.said = CountedLog(self._log, reactor)
        #: Bytes of answers that are not stored yet.
        self.held = 0

    def want(self, clean: Clean, name: bytes, share: bool, wanting: Wanting) -> None:
        """*wanting* wants the answer under *name*."""
        if self.is_passed(name):
            wanting.pass_whole(None)
            return
        others = self._wanted.get(name)
        if others is not None:
            others.add(wanting)
            return
        self._wanted[name] = Crowd(wanting)
        self._ask(clean, name, share, wanting.network)

    def is_passed(self, name: bytes) -> bool:
        """Whether *name* is known to be passed whole."""
        return self._passing.has(name, self.reactor.seconds())

    def passed_for(self, name: bytes) -> float:
        """Seconds for which that is known still."""
        return self._passing.left(name, self.reactor.seconds())

    def observed(self, token: int, name: bytes, refusal: Refusal | None) -> None:
        """The answer to a request that was passed whole under *token* may be shared; or why it may not."""
        if refusal is None:
            self.control.end(token, Outcome.SHAREABLE)
        else:
            self._passing.add(name, self.reactor.seconds())
            self.control.end(token, Outcome.PASS, refusal.name)

    def not_observed(self, token: int) -> None:
        """There was no such answer."""
        self.control.end(token, Outcome.NOTHING)

    def refresh(self, clean: Clean, name: bytes, share: bool, network: bytes) -> None:
        """Have *name* asked for anew in the name of *network*, if nobody does; nobody waits."""
        if name not in self._wanted:
            self._wanted[name] = Crowd()
            self._ask(clean, name, share, network)

    def refill(self, clean: Clean, name: bytes, token: int) -> None:
        """The supervisor says: ask for *name* under *token*."""
        Fill(self, clean, name, token, None, NOBODY).begin()

    def _ask(self, clean: Clean, name: bytes, share: bool, network: bytes) -> None:
        self.control.ask(clean.application, name, share, partial(self._told, clean, name, share, network))

    def _told(self, clean: Clean, name: bytes, share: bool, network: bytes, verdict: Verdict | None) -> None:
        if verdict is None:
            self.said.warn("supervisor", "the shared cache cannot be asked: the supervisor has gone")
            self.tell(self.take(name), _pass)
            return
        kind, token = verdict
        if kind is Kind.FILL:
            waiting = self.wanting(name)
            Fill(self, clean, name, token, waiting[0] if waiting else None, network).begin()
            return
        if kind is Kind.FIRST:
            self._first(clean, name, share, token)
            return
        if kind is Kind.PASS:
            self._passing.add(name, self.reactor.seconds())
        self.tell(self.take(name), _TOLD[kind])

    def _first(self, clean: Clean, name: bytes, share: bool, token: int) -> None:
        """One request passes whole; the others wait for what its answer says."""
        waiting = self.take(name)
        if not waiting:
            self.not_observed(token)
            return
        if waiting[1:]:
            self._wanted[name] = Crowd(*waiting[1:])
            self._ask(clean, name, share, waiting[1].network)
        self.tell(waiting[:1], lambda wanting: self._pass_first(wanting, token))

    def _pass_first(self, wanting: Wanting, token: int) -> None:
        try:
            wanting.pass_whole(token)
        except Exception:
            self.not_observed(token)  # the others need not wait for what it cannot say
            raise

    def tell(self, waiting: Iterable[Wanting], what: Callable[[Wanting], None]) -> None:
        """Tell *what* to each of those who are *waiting*: a fault of one is his own."""
        for wanting in waiting:
            try:
                what(wanting)
            except Exception:
                self._log.failure("who has waited for an answer of an application cannot be told of it")

    def take(self, name: bytes) -> list[Wanting]:
        """Those who want *name*, and are still there; who comes from now on begins anew."""
        crowd = self._wanted.pop(name, None)
        return [wanting for wanting in crowd.wanting if not wanting.over] if crowd is not None else []

    def wanting(self, name: bytes) -> list[Wanting]:
        """Those who want *name* now."""
        crowd = self._wanted.get(name)
        return list(crowd.wanting) if crowd is not None else []

    def passes(self, name: bytes) -> None:
        """For a while *name* is passed whole."""
        self._passing.add(name, self.reactor.seconds())


class Fill:
    """One clean question and its answer; a receiver."""

    def __init__(
        self,
        desk: FillDesk,
        clean: Clean,
        name: bytes,
        token: int,
        beginner: Wanting | None,
        network: bytes,
    ) -> None:
        """*beginner*: for whose request it is asked, before the token was given; None: for nobody's.

        *network*: who had it asked.
        """
        self._desk = desk
        self._clean = clean
        self._name = name
        self._token = token
        self._beginner = beginner
        self._network = network
        #: Who wanted it before the application was asked.
        self._early: list[Wanting] = []
        self._stored: dict[int, Answer] = {}
        self._exchange: Exchange | None = None
        #: Who hears an answer that is not for sharing.
        self._reader: Receiver | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._status = 0
        self._fields: Fields = []
        self._asked = self._here = 0.0
        self._wall = 0
        self._rules = clean.rules(name)
        #: What was found of the answer when its head was here.
        self._terms: Terms | Refusal | None = None

    def begin(self, validators: bool = True) -> None:
        """Ask; with the *validators* of what is stored, if the application has given any."""
        desk = self._desk
        knows_of_none = self._beginner is not None and not self._beginner.has_found
        self._stored = self._clean.stored(self._name) if validators and not knows_of_none else {}
        self._let_go()
        self._early = desk.wanting(self._name)
        self._asked = desk.reactor.seconds()
        question = self._clean.question(self._name, _validators(self._stored))
        question.network = self._network
        question.trace = self._beginner.trace if self._beginner is not None else None
        self._exchange = self._clean.inner.ask(question, self)

    # As edge.node.applications.origin.Receiver has it

    def informational(self, status: int, fields: Fields) -> None:
        """Pass it on to who began, alone."""
        if self._beginner is not None and not self._beginner.over:
            self._beginner.informed(status, fields)

    def switched(self, fields: Fields) -> None:
        """Not asked for."""
        self._fail(OriginError(Failure.GARBAGE, "it switches protocols unasked"), None)

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """The head is here."""
        self._status, self._fields = status, fields
        self._here = self._desk.reactor.seconds()
        self._wall = int(self._desk.wall())
        too_long = length is not None and length > LONGEST_BODY
        self._terms = self._judged() if status < 500 and status != 304 else None
        if isinstance(self._terms, Refusal) or too_long:
            self._give_up(length)

    def data(self, data: bytes) -> None:
        """A piece of it."""
        if self._reader is not None:
            self._reader.data(data)
            return
        self._size += len(data)
        self._desk.held += len(data)
        self._body.append(data)
        if self._size > LONGEST_BODY or self._desk.held > HELD_BYTES:
            self._give_up(None)

    def ended(self, trailers: Fields) -> None:
        """Store it, if it may be shared."""
        self._done()
        if self._reader is not None:
            self._reader.ended(trailers)
            return
        self._fields = [*self._fields, *(one for one in trailers if one[0].lower() == CACHE_GROUPS)]
        whole = self._whole()
        if self._status == 304 and self._stored:
            self._confirmed(whole)
        elif self._status >= 500 and (self._rules.trusting or self._clean.stored(self._name)):
            self._fail(None, whole)
        elif self._status == 304:
            self._fail(OriginError(Failure.GARBAGE, "it answers 304 to a question without a condition"), None)
        else:
            # A 5xx may be for want of what browsers say, where nobody has said that this does not matter.
            made = make(self._name, whole, self._rules, self._terms)
            if isinstance(made, Refusal):
                self._give_up(len(whole.body))
                if self._reader is not None:
                    self._reader.ended(trailers)
            else:
                self._code(made)

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """An answer that is whole as it begins."""
        self.started(status, fields, length)
        if self._exchange is None and self._reader is None:
            return  # it is not for sharing, and for nobody else
        if body:
            self.data(body)
        if self._exchange is not None or self._reader is not None:
            self.ended([])

    def failed(self, error: OriginError) -> None:
        """There is no answer."""
        self._done()
        if self._reader is not None:
            self._reader.failed(error)
        else:
            self._fail(error, None)

    def pause_body(self) -> None:
        """There is no body."""

    def resume_body(self) -> None:
        """There is no body."""

    # What becomes of it

    def _whole(self) -> Whole:
        return Whole(self._status, self._fields, b"".join(self._body), self._asked, self._here, self._wall)

    def _judged(self) -> Terms | Refusal:
        return judge(self._status, self._fields, self._rules, self._asked, self._here, self._wall)

    def _done(self) -> None:
        self._exchange = None

    def _let_go(self) -> None:
        """What was held of the answer is held no longer."""
        self._desk.held -= self._size
        self._body, self._size = [], 0

    def _confirmed(self, whole: Whole) -> None:
        """304: what is stored is still good; without a lifetime of its own it is asked for as a whole."""
        answer = self._stored[0]
        fields = confirmed(answer, whole.fields)
        renewed = whole._replace(status=answer.record.status, fields=fields, body=answer.body)
        made = make(self._name, renewed, self._rules)
        if isinstance(made, Refusal):
            self.begin(validators=False)
        else:
            self._store(reconfirmed(made, self._stored))

    def _code(self, made: FilledAnswer) -> None:
        if not is_slow_to_code(made):
            self._store(coded(made, self._clean.makes_zstd))
            return
        reactor = self._desk.reactor
        coding = deferToThreadPool(reactor, reactor.getThreadPool(), coded, made, self._clean.makes_zstd)
        coding.addErrback(self._not_coded, made)
        coding.addCallback(self._store)

    def _not_coded(self, failure: TwistedFailure, made: FilledAnswer) -> FilledAnswer:
        self._desk.said.warn("coding", f"an answer cannot be coded: {failure.getErrorMessage()}")
        return made

    def _store(self, made: FilledAnswer) -> None:
        """From here on, who wants the key looks for it in the table."""
        waiting, early = self._desk.take(self._name), set(self._early)
        at_once: list[Wanting] = []
        in_time: list[Wanting] = []
        late: list[Wanting] = []
        for wanting in waiting:
            (late if wanting not in early else in_time if wanting.reads_table else at_once).append(wanting)
        kept = partial(self._kept, made, in_time, late)
        self._desk.control.store(self._token, self._clean.application, pack(made), kept)
        self._give(made, at_once)

    def _give(self, made: FilledAnswer, waiting: list[Wanting]) -> None:
        """Give it to those who were *waiting* before the application was asked."""
        self._desk.tell(waiting, lambda wanting: wanting.filled(made, wanting is self._beginner))

    def _kept(self, made: FilledAnswer, in_time: list[Wanting], late: list[Wanting], stored: bool) -> None:
        self._let_go()
        if stored:
            self._clean.filled()
        self._give(made, in_time)
        # Who came after the question gets no answer that is over already: perhaps it may be given stale.
        is_fresh = made.born_ms / 1000 + made.record.fresh > self._desk.reactor.seconds()
        good = stored and is_fresh
        self._desk.tell(late, (lambda wanting: wanting.filled(made, False)) if good else _look)

    def _give_up(self, length: int | None) -> None:
        """The clean answer is for who began, if it suits him; all others ask themselves."""
        exchange, beginner = self._exchange, self._beginner
        self._done()
        self._desk.passes(self._name)
        waiting = self._desk.take(self._name)
        judged = self._judged()
        why = judged if isinstance(judged, Refusal) else Refusal.TOO_LONG
        self._desk.control.end(self._token, Outcome.PASS, why.name)
        if beginner in waiting:
            waiting.remove(beginner)
            self._desk.tell([beginner], partial(self._hand_over, exchange, length))
        if self._reader is None and exchange is not None:
            exchange.cancel()
        self._let_go()
        self._desk.tell(waiting, _pass)

    def _hand_over(self, exchange: Exchange | None, length: int | None, beginner: Wanting) -> None:
        """The clean answer is that of who began, if it suits him."""
        if not beginner.suits(self._status, self._fields):
            beginner.pass_whole(None)
            return
        self._reader = beginner.adopted(exchange or _OVER, self._status, self._fields, length)
        for piece in self._body:
            self._reader.data(piece)

    def _fail(self, error: OriginError | None, answer: Whole | None) -> None:
        self._let_go()
        waiting = self._desk.take(self._name)
        self._desk.control.end(self._token, Outcome.FAILED)
        self._desk.tell(  # nothing of a failure is shared
            waiting, lambda wanting: wanting.failed(error, answer if wanting is self._beginner else None)
        )


def _look(wanting: Wanting) -> None:
    wanting.look()


def _pass(wanting: Wanting) -> None:
    wanting.pass_whole(None)


def _fail(wanting: Wanting) -> None:
    wanting.failed(None, None)


#: What those who wait are told when nobody here is to ask.
_TOLD = {Kind.LOOK: _look, Kind.PASS: _pass, Kind.FAILED: _fail}


def _validators(stored: dict[int, Answer]) -> Fields:
    """What asks whether the answer is still good."""
    if not stored:
        return []
    record = stored[0].record
    fields = [(b"If-None-Match", record.etag)] if record.etag else []
    return [*fields, (b"If-Modified-Since", record.modified)] if record.modified else fields


class _Over:
    """An exchange that is over."""

    def send(self, data: bytes) -> None:
        pass

    def finish(self) -> None:
        pass

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def cancel(self) -> None:
        pass


_OVER = _Over()
