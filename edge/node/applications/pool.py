"""One application that is several servers or processes: an origin around origins.

Who is asked, who waits, and for how long, is decided by :mod:`edge.upstream.dispatch`; which questions are
asked again, by :mod:`edge.upstream.retry`.  Here are the exchanges, one timer, and the log.

A question that fails before its answer has begun is asked once more, somebody else if there is one, if it
was not acted on for certain (``OriginError.reached``) or may be repeated.  For that its body is kept until
then, as far as it is not longer than :data:`edge.upstream.retry.KEPT_BODY`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from edge.node.applications.origin import Failure, OriginError
from edge.node.process.counted_log import CountedLog
from edge.upstream.dispatch import Dispatch, FullError, Outcome, ShareError, Ticket
from edge.upstream.health import FAILURE_STATUSES
from edge.upstream.retry import ATTEMPTS, KEPT_BODY, may_repeat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.node.applications.origin import Exchange, Fields, Origin, Question, Receiver
    from edge.node.applications.relayed import Relayed, RelayedApplication
    from edge.upstream.dispatch import Member

#: For how long an answer that has begun may stand still, at least and twice at most; as much as in other
#: proxies. Events (``text/event-stream``) may rest for longer, and what a visitor holds back does not stand
#: still.
STILL_SECONDS = 60.0
#: Unanswered questions that one HTTP server, or one process, is given at once by a worker, with those that
#: are relayed in C; the others wait here, where they can go to whoever is free first.
MOST_OF_A_MEMBER = 64


class OriginPool:
    """The application *name*; implements :class:`~edge.node.applications.origin.Origin`."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        members: Sequence[Origin],
        clock: Any,
        *,
        timeout: float = 30.0,
        queue: int = 256,
        most: int = MOST_OF_A_MEMBER,
        draw: random.Random | None = None,
    ) -> None:
        """*timeout*: seconds until an answer has to begin; *queue*: unanswered questions at once.

        *most*: of these, per member; *draw*: what members are chosen with.
        """
        self.name = name
        self.dispatch: Dispatch[Origin] = Dispatch(list(members), queue, most, draw or random.Random())
        self._clock = clock
        self._timeout = timeout
        self._queue = queue
        self._timer: Any = None
        self._answering: set[PooledExchange] = set()
        self._looking: Any = None  # IDelayedCall: at which of these stand still
        #: What the fast path relays to the same members; None: nothing.
        self._relayed: RelayedApplication | None = None
        self._relayed_members: dict[Member[Origin], Relayed] = {}
        self._said = CountedLog(self._log, clock)

    @property
    def available(self) -> bool:
        """Whether some member is."""
        return any(member.item.available for member in self.dispatch.members)

    def relay_by(self, application: RelayedApplication, members: Sequence[Relayed]) -> None:
        """Questions are asked by the relay, too, of its *members*: ours count there, and its here."""
        self._relayed = application
        self.dispatch.beside = application.unanswered
        self.dispatch.beside_of = application.unanswered_from
        self._relayed_members = dict(zip(self.dispatch.members, members, strict=True))
        for member, relayed in self._relayed_members.items():
            member.beside = relayed.unanswered

    def heard(self, item: Origin, outcome: Outcome, sentence: str) -> None:
        """What has become of questions that were relayed to *item*; there may be room for one that waits."""
        for member in self.dispatch.members:
            if member.item is item:
                self.outcome(member, outcome, sentence)
        self.go_on()

    def ask(self, question: Question, receiver: Receiver) -> Exchange:
        """Ask whoever is best."""
        now = self._clock.seconds()
        exchange = PooledExchange(self, question, receiver, now + self._timeout)
        if question.met is not None and not exchange.may_follow(question.met):
            self._fail_later(exchange, question.met)
            return exchange
        if not question.has_body and (question.deadline is None or question.deadline > exchange.deadline):
            question.deadline = exchange.deadline
        self._look_who_is_there()
        if self.dispatch.is_away(now):
            self._fail_later(exchange, OriginError(Failure.AWAY, f"{self.name}: nobody is there", False))
            return exchange
        try:
            member = self.dispatch.admit(exchange, now)
        except FullError as error:
            self._refuse(exchange, error)
            return exchange
        if member is not None:
            exchange.put(member)
        self._watch()
        return exchange

    def wake(self) -> None:
        """A member has become available, or is so no longer."""
        self._look_who_is_there()
        self.go_on()

    def stop(self) -> None:
        """Nothing is asked any more."""
        for timer in (self._timer, self._looking):
            if timer is not None:
                timer.cancel()
        self._timer = self._looking = None

    def probed(self, member: Member[Origin], well: bool) -> None:
        """*member* was probed, and does *well* or not."""
        self.outcome(member, Outcome.ANSWERED if well else Outcome.FAILED, "it does not answer probes")
        self.go_on()

    # What exchanges tell

    def now(self) -> float:
        """The time, in seconds."""
        return float(self._clock.seconds())

    def outcome(self, member: Member[Origin], outcome: Outcome, sentence: str = "") -> None:
        """*member* has answered or failed, and how."""
        now = self.now()
        until = self.dispatch.outcome(member, outcome, now)
        relayed = self._relayed_members.get(member)
        if relayed is not None:
            relayed.use(member.health.is_well)
        if outcome is Outcome.FAILED:
            said = (
                sentence
                if sentence.startswith(f"{member.item.name}: ")
                else f"{member.item.name}: {sentence}"
            )
            self._said.warn(said, said)  # each of them once a minute
        if until is not None:
            name = member.item.name
            self._said.warn(f"{name} out", f"{name} fails, and is not asked for {until - now:.0f} s")

    def go_on(self) -> None:
        """Ask for those that wait and no longer have to."""
        while (found := self.dispatch.next(self.now())) is not None:
            ticket, member = found
            assert isinstance(ticket, PooledExchange)
            ticket.put(member)
        self._watch()

    def answers(self, exchange: PooledExchange) -> None:
        """Its answer has begun, and must not stand still from now on."""
        self._answering.add(exchange)
        if self._looking is None:
            self._looking = self._clock.callLater(STILL_SECONDS, self._look_who_stands_still)

    def postpone(self, exchange: PooledExchange) -> None:
        """More of its body has come."""
        self.dispatch.postpone(exchange, self.now() + self._timeout)

    def over(self, exchange: PooledExchange) -> None:
        """The question of *exchange* is over, one way or the other."""
        self._answering.discard(exchange)
        self.dispatch.over(exchange)

    # Time

    def _look_who_stands_still(self) -> None:
        self._looking = None
        for exchange in [one for one in self._answering if one.stands_still()]:
            exchange.give_up()
        if self._answering:
            self._looking = self._clock.callLater(STILL_SECONDS, self._look_who_stands_still)

    def _watch(self) -> None:
        if self._relayed is not None:
            self._relayed.others(self.dispatch.unanswered, self.dispatch.waiting)
            for network in self.dispatch.changed:
                self._relayed.others_from(network, self.dispatch.held(network))
            for member, relayed in self._relayed_members.items():
                relayed.others(member.unanswered)
        self.dispatch.changed.clear()
        wake_at = self.dispatch.wake_at()
        if wake_at is None or (self._timer is not None and self._timer.getTime() <= wake_at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.callLater(max(0.0, wake_at - self._clock.seconds()), self._time_passed)

    def _time_passed(self) -> None:
        self._timer = None
        self._look_who_is_there()
        now = self.now()
        away = self.dispatch.is_away(now)
        for ticket in self.dispatch.expired(now):
            assert isinstance(ticket, PooledExchange)
            ticket.expire(away, self._timeout)
        self.go_on()

    def _look_who_is_there(self) -> None:
        for member in self.dispatch.members:
            member.available = member.item.available

    def _refuse(self, exchange: PooledExchange, error: FullError) -> None:
        """There is no room for *exchange*, and why."""
        unanswered = self.dispatch.unanswered + self.dispatch.beside()
        if isinstance(error, ShareError):
            of_one = self.dispatch.held(exchange.network) + self.dispatch.beside_of(exchange.network)
            sentence = (
                f"{self.name}: {of_one} of its {unanswered} unanswered requests are of one address, "
                f"which has no more than it leaves free of {self._queue} (queue), so more of it are "
                "answered 503: raise queue if one address may have more"
            )
        else:
            sentence = (
                f"{self.name}: {unanswered} requests are unanswered, as many as queue allows, so more are "
                "answered 503: give it more processes or threads, or raise queue"
            )
        self._fail_later(exchange, OriginError(Failure.FULL, sentence, False), type(error).__name__)

    def _fail_later(self, exchange: PooledExchange, error: OriginError, kind: str = "") -> None:
        """The law of origins: nothing is heard before ``ask`` has returned."""
        self._said.warn(kind or error.failure.name, error.sentence)
        self._clock.callLater(0, exchange.fail, error)


class PooledExchange(Ticket["Origin"]):
    """One question to a pool: an exchange to who asks, a receiver to the member that is asked."""

    __slots__ = (
        "_asked",
        "_finished",
        "_heard",
        "_held",
        "_inner",
        "_kept",
        "_kept_size",
        "_over",
        "_paused",
        "_pool",
        "_question",
        "_receiver",
        "_started",
    )

    def __init__(self, pool: OriginPool, question: Question, receiver: Receiver, deadline: float) -> None:
        super().__init__(deadline, question.network)
        self._pool = pool
        self._question = question
        self._receiver = receiver
        self._inner: Exchange | None = None
        #: Pieces of the body, as long as they may be needed again; None: no longer.
        self._kept: list[bytes] | None = []
        self._kept_size = 0
        self._held = False  # the receiver was told to send no more
        self._finished = False
        self._paused = False
        #: How often it was asked, and whether the answer has begun, and is over.
        self._asked = 0
        self._started = False
        self._over = False
        self._heard = False  # something, since the pool last looked

    def may_follow(self, met: OriginError) -> bool:
        """Whether it is asked, though it was once already, and met that."""
        if met.failure is Failure.CLOSED_EARLY:
            return (
                True  # not counted: the first one asked here may be who has just gone, and is not known to be
            )
        self._asked = 1
        return self._may_ask_again(met)

    def put(self, member: Member[Origin]) -> None:
        """Ask *member*, from the beginning."""
        self._asked += 1
        self._question.asked_at = self._pool.now()
        inner = self._inner = member.item.ask(self._question, self)
        if self._paused:
            inner.pause()
        if self._question.has_body:
            for piece in self._kept or ():
                inner.send(piece)
            if self._finished:
                inner.finish()
            elif self._held:
                self._held = False
                self._receiver.resume_body()

    def expire(self, away: bool, seconds: float) -> None:
        """Its time is over before the answer has begun."""
        member = self.member
        if member is not None:
            sentence = f"no answer within {seconds:g} s"
            self._pool.outcome(member, Outcome.FAILED, sentence)
            self._end()
            self._receiver.failed(OriginError(Failure.TIMEOUT, f"{member.item.name}: {sentence}"))
        else:
            self._end()
            failure = Failure.AWAY if away else Failure.FULL
            self._receiver.failed(OriginError(failure, f"{self._pool.name}: nobody had time", False))

    def fail(self, error: OriginError) -> None:
        """Nobody is asked: there is *error* instead of an answer."""
        if not self._over:
            self._over = True
            self._receiver.failed(error)

    def stands_still(self) -> bool:
        """Whether nothing was heard since the pool last looked, though the visitor takes what comes."""
        still, self._heard = not (self._heard or self._paused), False
        return still

    def give_up(self) -> None:
        """The answer stands still."""
        member = self.member
        assert member is not None, "who was asked answers"
        sentence = f"its answer stood still for {STILL_SECONDS:g} s"
        self._pool.outcome(member, Outcome.FAILED, sentence)
        self._end()
        self._receiver.failed(OriginError(Failure.TIMEOUT, f"{member.item.name}: {sentence}"))

    def _end(self) -> None:
        """Nothing more is heard; who was asked is told so."""
        self._over = True
        self._kept = None
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.cancel()
        self._pool.over(self)
        self._pool.go_on()

    # As edge.node.applications.origin.Exchange has it

    def send(self, data: bytes) -> None:
        """Pass it on, and keep it."""
        if self._over:
            return
        if not self._started:
            self._pool.postpone(self)
        kept = self._kept
        if kept is not None:
            self._kept_size += len(data)
            if self._kept_size <= KEPT_BODY or self._inner is None:
                kept.append(data)
            else:
                self._kept = None
        if self._inner is not None:
            self._inner.send(data)
        elif self._kept_size >= KEPT_BODY and not self._held:
            self._held = True
            self._receiver.pause_body()

    def finish(self) -> None:
        """Pass it on, and keep it in mind."""
        self._finished = True
        if self._inner is not None:
            self._inner.finish()

    def pause(self) -> None:
        """Pass it on, and keep it in mind."""
        self._paused = True
        if self._inner is not None:
            self._inner.pause()

    def resume(self) -> None:
        """Pass it on, and keep it in mind."""
        self._paused = False
        if self._inner is not None:
            self._inner.resume()

    def cancel(self) -> None:
        """Nobody wants the answer."""
        if not self._over:
            self._end()

    # As edge.node.applications.origin.Receiver has it

    def informational(self, status: int, fields: Fields) -> None:
        """Pass it on."""
        self._receiver.informational(status, fields)

    def started(self, status: int, fields: Fields, length: int | None) -> None:
        """The answer begins: from here on it is this member's."""
        outcome = Outcome.FAILED if status in FAILURE_STATUSES else Outcome.ANSWERED
        self._begin(outcome, f"it answers {status}")
        if not _is_stream_of_events(fields):
            self._pool.answers(self)
        self._receiver.started(status, fields, length)

    def answered(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """The answer is whole as it begins."""
        member = self.member
        assert member is not None, "who was asked answers"
        self._started = self._over = True
        self._inner = self._kept = None
        outcome = Outcome.FAILED if status in FAILURE_STATUSES else Outcome.ANSWERED
        self._pool.outcome(member, outcome, f"it answers {status}")
        self._pool.over(self)
        self._receiver.answered(status, fields, length, body)
        self._pool.go_on()

    def switched(self, fields: Fields) -> None:
        """The answer begins likewise."""
        self._begin(Outcome.ANSWERED, "")
        self._receiver.switched(fields)

    def data(self, data: bytes) -> None:
        """Pass it on."""
        self._heard = True
        self._receiver.data(data)

    def ended(self, trailers: Fields) -> None:
        """The answer is whole."""
        self._over = True
        self._inner = self._kept = None
        self._pool.over(self)
        self._receiver.ended(trailers)
        self._pool.go_on()

    def failed(self, error: OriginError) -> None:
        """Ask again, or pass it on."""
        member = self.member
        assert member is not None, "who was asked has failed"
        self._inner = None
        if error.failure is not Failure.REFUSED:
            self._pool.outcome(member, Outcome.FAILED, error.sentence)
        if not self._started and self._may_ask_again(error):
            now = self._pool.now()
            next_member = self._pool.dispatch.again(self, now)
            if next_member is not None:
                self.put(next_member)
            self._pool.go_on()
            return
        self._end()
        self._receiver.failed(error)

    def pause_body(self) -> None:
        """Pass it on."""
        self._receiver.pause_body()

    def resume_body(self) -> None:
        """Pass it on."""
        self._receiver.resume_body()

    def _begin(self, outcome: Outcome, sentence: str) -> None:
        self._started = True
        self._kept = None
        member = self.member
        assert member is not None, "who was asked answers"
        self._pool.outcome(member, outcome, sentence)
        self._pool.dispatch.began(self)
        self._pool.go_on()

    def _may_ask_again(self, error: OriginError) -> bool:
        members = len(self._pool.dispatch.members)
        question = self._question
        if self._kept is None or error.failure in (Failure.TIMEOUT, Failure.REFUSED):
            return False
        if not error.reached:
            return self._asked < members
        if self._asked >= ATTEMPTS or (members == 1 and error.failure is not Failure.CLOSED_EARLY):
            return False
        return may_repeat(question.method, question.fields, question.upgrade)


def _is_stream_of_events(fields: Fields) -> bool:
    """Whether an answer with *fields* may rest as long as nothing happens (HTML Standard, section 9.2)."""
    return any(name.lower() == b"content-type" and b"event-stream" in value.lower() for name, value in fields)
