"""The store of applications' answers: leases, the table, what leaves, what is asked for anew.

It lives in the supervisor, the only writer of the table, and asks no application itself: workers do, under
the leases that it gives (:mod:`edge.cache.leases`).  Per answer it keeps numbers in arrays, no objects: 10**6
answers take 40 MB here, everything else of them lies in the table.

**Refreshing.**  When an answer is stored, its end is put on a wheel of quarter seconds.  A little before it,
the answer is asked for anew if somebody has asked for it since it was looked at last; so readers of what is
hot never wait.  If the application fails then, and the answer may be served stale (stale-if-error), it is
prolonged by a second, and again: the fast path goes on answering while the application is away.

What a change takes away, and was asked for, is asked for anew at once: a crowd that is told of the change
comes soon.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from array import array
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from twisted.internet.defer import succeed
from twisted.logger import Logger

from edge.cache.eviction import S3Fifo
from edge.cache.group_fields import groups_of
from edge.cache.leases import Leases, NoChanges
from edge.cache.marks import PASS_SECONDS, SHAREABLE_SECONDS, Marks
from edge.cache.policy import Refusal
from edge.cache.record import AnswerRecord
from edge.gossip.entries import AGAIN, FAILED, PASS, STORED
from edge.node.process.answers import FilledAnswer, Kind, MalformedAnswer, Outcome, Verdict, unpack
from edge.node.process.counted_log import CountedLog
from edge.node.process.periodic import Periodic
from edge.node.supervisor.explaining import KnownAnswer
from edge.table.layout import APPLICATION_COUNT, TICKS_PER_SECOND, ticks_between, ticks_of
from edge.table.segment import ENDLESS
from edge.table.writer import StoredAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.defer import Deferred

    from edge.cache.group_changes import Change
    from edge.cache.groups import Groups
    from edge.cache.leases import Changes, Grant
    from edge.table.segment import Segment
    from edge.table.writer import Writer

#: Seconds between two turns of the wheel.
TURN_SECONDS = 0.25
_TICKS_A_TURN = int(TICKS_PER_SECOND * TURN_SECONDS)
#: Turns are counted modulo as many as there are in all ticks.
_TURNS = 2**32 // _TICKS_A_TURN - 1
#: Turns that are one on the wheel of what is far off: a quarter of a minute.
_FAR = 64
#: An answer that is asked for is asked for anew when this share of its lifetime is left, between these
#: seconds.
_LEFT, _LEAST_LEFT, _MOST_LEFT = 0.1, 0.5, 5.0
#: Seconds by which an answer is prolonged while the application fails.
PROLONGED = 1.0
#: Seconds that ticks can tell: two years.
_LONGEST = 2 * 31_536_000
#: Seconds for which others wait for what the answer to the first request for a key says.
FIRST_SECONDS = 2.0
#: Seconds after which an application has failed, as far as what is stored may be served then.
SLOW_SECONDS = 2.0
#: Seconds for which an application that was so slow is not waited for that long again.
SLOW_MARK_SECONDS = 60.0
#: Seconds after which somebody else fills, also if the application has more for its answer; and after which
#: who has waited for another node looks again.
FILL_SECONDS = 60.0
#: Seconds for which nobody asks again after the application has failed, if there is an answer to be served
#: stale.
FAILED_SECONDS = 1.0
#: Answers that a change takes away at once: 10 ms.  More of them are doubtful first, which takes a tenth of
#: the time, and are taken away so many in a turn.
AT_ONCE, IN_A_TURN = 256, 64
#: Answers that changes have taken away, and that wait to be asked for anew; how many of them are at once: an
#: application has a queue, in which visitors have places.
ANEW, ANEW_AT_ONCE = 32, 8
#: What answers leave free, one part in so many: of the table's entries, and of the memory that files leave.
RESERVED_ENTRIES, RESERVED_MEMORY = 32, 8


#: Keys of which it is remembered why they are not shared.
REASONS = 4096


class Refiller(Protocol):
    """Workers, as the store has them ask."""

    def refill(self, application: str, name: bytes, token: int) -> int | None:
        """Have some worker ask the clean question; its number, None: there is none."""


class ClusterFills(Protocol):
    """The other nodes, one of which fills each key: :class:`edge.node.cluster.entry_lane.EntryLane`."""

    def want(self, application: str, name: bytes) -> None:
        """Readers here wait for *name*: ``fill_here``, ``taken`` or ``not_shared`` will be called."""

    def done(self, name: bytes, outcome: int) -> None:
        """The fill of *name* that ``fill_here`` asked for has come to this (:mod:`edge.gossip.entries`)."""


#: What became of a question, as the other nodes are told.
_OUTCOMES = {Outcome.SHAREABLE: AGAIN, Outcome.PASS: PASS, Outcome.FAILED: FAILED, Outcome.NOTHING: AGAIN}


#: Hears what is to be done.
Tell: TypeAlias = "Callable[[Verdict], None]"


def _nobody(verdict: Verdict) -> None:
    """Who waited has been told."""


class _Waiter:
    """One worker that waits for a verdict; the refresh of an answer waits for none."""

    __slots__ = ("_told", "application", "first")

    def __init__(self, application: str, first: bool, told: Tell | None = None) -> None:
        """*told*: None, nobody waits: some worker is to ask."""
        self.application = application
        self.first = first
        self._told = told

    @property
    def refreshes(self) -> bool:
        """Whether nobody waits."""
        return self._told is None

    def tell(self, kind: Kind, token: int = 0) -> None:
        """Once."""
        if self._told is not None:
            told, self._told = self._told, _nobody
            told(Verdict(kind, token))


class AnswerStore:
    """The answers of one node."""

    _log = Logger()

    def __init__(
        self,
        writer: Writer,
        segment: Segment,
        reactor: Any,
        now_ms: Callable[[], int],
        changes: Changes | None = None,
    ) -> None:
        """*now_ms*: CLOCK_MONOTONIC in milliseconds; *changes*: of groups."""
        self.changes: Changes = changes or NoChanges()
        #: Seconds after which nothing is given that the application has not confirmed, unless it fails; None:
        #: what the answer says.
        self.longest: float | None = None
        self.refiller: Refiller | None = None
        #: None: a node alone.
        self.cluster: ClusterFills | None = None
        #: Name -> who asks when the cluster says so; name -> token of what this node fills for the cluster.
        self._wanted: dict[bytes, Grant[_Waiter]] = {}
        self._for_all: dict[bytes, int] = {}
        self._names_for_all: dict[int, bytes] = {}
        #: Name -> why its last answer was not shared.
        self._why: dict[bytes, str] = {}
        #: Puts a change in force, here and on the other nodes.
        self.changed: Callable[[Change], Deferred[int]] = self._changed_here
        #: Told of each answer that is stored (number, application, answer) and of each that has gone
        #: (number).
        self.stored: list[Callable[[int, str, FilledAnswer], None]] = []
        self.gone: list[Callable[[int], None]] = []
        self._writer = writer
        self._segment = segment
        self._reactor = reactor
        self._now_ms = now_ms
        self._said = CountedLog(self._log, reactor)
        self._leases: Leases[_Waiter] = Leases(self.changes, FILL_SECONDS)
        #: Tokens of first requests -> since when.
        self._firsts: dict[int, float] = {}
        #: The same of all that are asked under a token.
        self._asked: dict[int, tuple[bytes, float]] = {}
        self._slow = Marks(SLOW_MARK_SECONDS)
        self._shareable = Marks(SHAREABLE_SECONDS)
        self._passing = Marks(PASS_SECONDS)
        self._failing = Marks(FAILED_SECONDS)
        self._order = S3Fifo(self._was_hit)
        #: Number of an answer -> number of its slot, and back.
        self._slots: array[int] = array("I", [0, 0, 0])
        self._numbers: array[int] = array("I")
        #: 1: it was asked for, and the order of leaving does not know it yet.
        self._hot = bytearray(3)
        #: Number -> application, by the index in a list of names.
        self._of = bytearray(3)
        self._applications: list[str] = []
        #: Turn of the wheel -> numbers that end soon after.
        self._wheel: dict[int, array[int]] = {}
        #: The same of those that end much later, by :data:`_FAR` turns at once.
        self._far: dict[int, array[int]] = {}
        self._turn = 0
        #: Name -> application of what changes have taken away, and readers ask for.
        self._anew: dict[bytes, str] = {}
        #: Those that are being made anew.
        self._making: list[bytes] = []
        self._soon: Any = None
        #: Numbers of answers that a change has made doubtful, and that are to be taken away.
        self._leaving: deque[int] = deque()
        self._taking: Any = None
        writer.answer_gone = self._slot_gone
        writer.make_room = self._make_room
        self._turning = Periodic(self.turn, TURN_SECONDS, reactor)

    def index(self, groups: Groups) -> None:
        """Have *groups* know what is stored; what it has no room for does not stay, since it could not go."""

        def stored(number: int, application: str, answer: FilledAnswer) -> None:
            if not groups.put(number, application, answer.groups, answer.record.name):
                self.remove([number])

        self.stored.append(stored)
        self.gone.append(groups.drop)

    def start(self) -> None:
        """Begin to refresh."""
        self._turn = self._turn_of(self._now())
        self._turning.start(now=False)

    def stop(self) -> None:
        """End; answers stay as long as the table."""
        self._turning.stop()
        for call in (self._soon, self._taking):
            if call is not None:
                call.cancel()
        self._soon = self._taking = None

    def __len__(self) -> int:
        return len(self._order)

    # What workers ask

    def ask(self, worker: int, application: str, name: bytes, share: bool, told: Tell) -> None:
        """What *worker* is to do for *name*; see :class:`edge.node.applications.fills.FillControl`."""
        now = self._reactor.seconds()
        waiter = _Waiter(application, not share and not self._shareable.has(name, now), told)
        if self._is_fresh(name):
            waiter.tell(Kind.LOOK)  # it has come since the worker looked
        elif self._passing.has(name, now):
            waiter.tell(Kind.PASS)
        elif self._failing.has(name, now):
            waiter.tell(Kind.FAILED)
        else:
            grant = self._leases.ask(name, waiter, worker, now)
            if grant is not None:
                self._grant(grant)

    def store(self, token: int, application: str, packed: bytes) -> bool:
        """Store what was asked under *token*, unless it comes too late; whether it is stored."""
        try:
            answer = unpack(packed)
        except MalformedAnswer as error:
            self._said.warn("malformed", f"a worker has sent an answer that is none: {error}")
            self.end(token, Outcome.NOTHING)
            return False
        name = answer.record.name
        good = self._leases.name_of(token) == name and self._leases.is_good(token, application, answer.groups)
        stored = good and self.put(application, answer)
        if good:
            self._shareable.discard(name)
            self._slow.discard(name)
        if stored:
            self._tell(token, Kind.LOOK)
            self._done(token, STORED)
            return True
        grants = self._leases.hand_on(token, self._reactor.seconds())
        self._tell(token, Kind.LOOK)
        self._done(token, AGAIN)
        for grant in grants:  # one worker after the other, as long as something changes meanwhile
            self._grant(grant)
        return False

    def end(self, token: int, outcome: Outcome, why: str = "") -> None:
        """What was asked under *token* led to nothing that is stored; *why*, for explanations."""
        name = self._leases.name_of(token)
        if name is None:
            return
        self._remember(name, why)
        now = self._reactor.seconds()
        kind = Kind.LOOK
        if outcome is Outcome.SHAREABLE:
            self._shareable.add(name, now)
        elif outcome is Outcome.PASS:
            self._passing.add(name, now)
            self._shareable.discard(name)
            self._remove_name(name)
            kind = Kind.PASS
        elif outcome is Outcome.FAILED:
            kind = Kind.FAILED
            number = self._number_of(name)
            if number is not None:
                self._failing.add(name, now)
                self._prolong(number)
        self._tell(token, kind)
        self._done(token, _OUTCOMES[outcome])

    def invalidate(self, address: bytes) -> None:
        """Something was changed under *address* (RFC 9111 section 4.4): the answer that is stored there goes.

        Its variants are in a group of their own.
        """
        self._leases.spoil(address)
        self._remove_name(address)
        self._shareable.discard(address)
        self._passing.discard(address)

    def _changed_here(self, change: Change) -> Deferred[int]:
        """Where no groups are kept: only what is named goes."""
        for address in change.addresses:
            self.invalidate(address)
        return succeed(0)

    def worker_gone(self, worker: int) -> None:
        """The worker has died: others take over what it asked."""
        for grant in self._leases.worker_gone(worker, self._reactor.seconds()):
            self._grant(grant)

    def _grant(self, grant: Grant[_Waiter]) -> None:
        now = self._reactor.seconds()
        self._asked[grant.token] = grant.name, now
        if grant.waiter.first and self._shareable.has(grant.name, now):
            grant.waiter.first = False  # it has become known while it waited
        if grant.waiter.first:
            self._firsts[grant.token] = now
            grant.waiter.tell(Kind.FIRST, grant.token)
        elif self.cluster is None:
            self._fill(grant)
        elif grant.name in self._for_all:
            self._fill_for_all(grant)  # another worker takes over
        else:
            self._take_wanted(grant.name)  # who was to ask until now, if anybody
            self._wanted[grant.name] = grant
            self.cluster.want(grant.waiter.application, grant.name)

    def _fill(self, grant: Grant[_Waiter]) -> None:
        """Have who was given the lease ask the application."""
        if not grant.waiter.refreshes:
            grant.waiter.tell(Kind.FILL, grant.token)
            return
        worker = None
        if self.refiller is not None:
            worker = self.refiller.refill(grant.waiter.application, grant.name, grant.token)
        if worker is None:
            self.end(grant.token, Outcome.NOTHING)
        else:
            self._leases.hand(grant.token, worker)

    # What is known of a key: edge.node.supervisor.explaining.Known

    def _remember(self, name: bytes, why: str) -> None:
        if why in Refusal.__members__:
            self._why.pop(name, None)
            self._why[name] = why
            if len(self._why) > REASONS:
                del self._why[next(iter(self._why))]

    def known(self, name: bytes) -> KnownAnswer:
        """What is known of the key *name*."""
        now, copied = self._reactor.seconds(), self._writer.copy_answer(name)
        known = KnownAnswer(
            False,
            filled=self._leases.is_held(name),
            passed=self._passing.left(name, now),
            failing=self._failing.has(name, now),
            shareable=self._shareable.has(name, now),
            why=self._why.get(name, ""),
        )
        if copied is None or copied.record.name != name:
            return known
        ticks, record = self._now(), copied.record
        return known._replace(
            stored=True,
            age=ticks_between(record.born, ticks) / TICKS_PER_SECOND,
            fresh=ticks_between(ticks, copied.until) / TICKS_PER_SECOND,
            doubtful=copied.doubtful,
            status=record.status,
            variants=tuple((one.variant, one.length) for one in copied.representations),
            groups=tuple(sorted(groups_of([record.groups]))),
            stale_while_revalidate=record.stale_while_revalidate,
            stale_if_error=record.stale_if_error,
        )

    # What the cluster says: edge.node.cluster.entry_lane.Answers

    def is_being_filled(self, name: bytes) -> bool:
        """Whether this node asks, or waits, for that key now."""
        return self._leases.is_held(name)

    def fill_here(self, name: bytes) -> None:
        """A worker of this node is to ask the application for *name*."""
        grant = self._take_wanted(name)
        if grant is None:
            if self.cluster is not None and name not in self._for_all:
                self.cluster.done(name, AGAIN)  # nobody wants it any more
            return
        self._leases.renew(grant.token, self._reactor.seconds())
        self._fill_for_all(grant)

    def _fill_for_all(self, grant: Grant[_Waiter]) -> None:
        self._names_for_all.pop(self._for_all.get(grant.name, 0), None)
        self._for_all[grant.name] = grant.token
        self._names_for_all[grant.token] = grant.name
        self._fill(grant)

    def taken(self, name: bytes) -> None:
        """What was wanted is in the table."""
        self._shareable.discard(name)
        self._tell_wanted(name, Kind.LOOK)

    def not_shared(self, name: bytes) -> None:
        """What was wanted is not to be shared."""
        self._passing.add(name, self._reactor.seconds())
        self._shareable.discard(name)
        self._tell_wanted(name, Kind.PASS)

    def told_of(self, name: bytes, lasting: bool = False) -> tuple[str, FilledAnswer] | None:
        """(application, what is stored of *name* with its bodies), if it is fresh.

        *lasting*: and does not end so soon that it is being asked for anew.
        """
        number = self._number_of(name)
        copied = self._writer.copy_answer(name) if number is not None else None
        if number is None or copied is None or copied.record.name != name:
            return None
        record = copied.record
        left = ticks_between(self._now(), copied.until) / TICKS_PER_SECOND
        soon = _refreshed_before(record.asked, copied.until) if lasting else 0.0
        if left <= soon or copied.doubtful:
            return None
        born_ms, asked_ms = self._ms_of(record.born), self._ms_of(record.asked)
        groups = tuple(sorted(groups_of([record.groups])))
        return self.application_of(number), FilledAnswer(
            record, born_ms, asked_ms, copied.flags, groups, copied.representations
        )

    def was_asked_for(self, name: bytes) -> bool:
        """Whether what is stored of *name* was asked for since it was looked at last."""
        number = self._number_of(name)
        return number is not None and self._was_asked_for(number)

    def body_of(self, name: bytes, variant: int, digest: bytes) -> bytes | None:
        """The body of a variant of what is stored under *name*; None: it is not that, or not here."""
        copied = self._writer.copy_answer(name)
        for one in copied.representations if copied is not None else ():
            if one.variant == variant and one.digest == digest:
                return one.body
        return None

    def _tell_wanted(self, name: bytes, kind: Kind) -> None:
        grant = self._take_wanted(name)
        if grant is not None:
            self._tell(grant.token, kind)
            grant.waiter.tell(kind)

    def _take_wanted(self, name: bytes) -> Grant[_Waiter] | None:
        """Who is to ask for *name* when the cluster says so; who has lost the lease meanwhile looks again."""
        grant = self._wanted.pop(name, None)
        if grant is None or self._leases.name_of(grant.token) == name:
            return grant
        grant.waiter.tell(Kind.LOOK)
        return None

    def _done(self, token: int, outcome: int) -> None:
        """What was filled under *token* has come to this."""
        name = self._names_for_all.pop(token, None)
        if name is not None and self.cluster is not None:
            del self._for_all[name]
            self.cluster.done(name, outcome)

    def _give_back(self) -> None:
        """Keys that this node fills for the cluster, or wants of it, and does not any more."""
        for name in [name for name, one in self._wanted.items() if self._leases.name_of(one.token) != name]:
            self._take_wanted(name)
        for name, token in list(self._for_all.items()):
            if self._leases.name_of(token) != name:
                self._done(token, AGAIN)

    def _tell(self, token: int, kind: Kind) -> None:
        self._firsts.pop(token, None)
        self._asked.pop(token, None)
        for waiter in self._leases.end(token):
            waiter.tell(kind)

    # The table

    def put(self, application: str, answer: FilledAnswer) -> bool:
        """Put *answer* into the table, whoever asked for it; whether there is room."""
        of = self._application(application)
        if of is None:
            return False
        record = self._dated(answer)
        until = ticks_of(answer.born_ms + record.fresh * 1000)
        self._leave_room(len(answer.representations))
        slot = self._writer.put_answer(
            StoredAnswer(
                record.name,
                answer.representations,
                record.pack(),
                until,
                answer.flags,
                of,
                record.status == 200,
            )
        )
        if slot is None:
            return False
        number = self._numbers[slot] if self._numbers else 0
        if not number:
            number = self._add(slot)
        self._of[number] = of
        self._watch(number, record.asked, until)
        for told in self.stored:
            told(number, application, answer)
        return True

    def _dated(self, answer: FilledAnswer) -> AnswerRecord:
        """The record of *answer* with the lifetime that it has here; all who give it, stale too, go by that.

        What is cut is cut from when it was asked for: its age was known then, a change since may not be.
        """
        record, asked_ms = answer.record, min(answer.asked_ms, self._now_ms())
        fresh, stale = min(record.fresh, _LONGEST), record.stale_while_revalidate
        if self.longest is not None:
            most = max(0, int(self.longest + (asked_ms - answer.born_ms) / 1000))
            fresh = min(fresh, most)
            stale = min(stale, most - fresh)
        born, asked = ticks_of(answer.born_ms), ticks_of(asked_ms)
        return AnswerRecord(  # what dataclasses.replace does, in a third of its time: for each answer
            record.name,
            record.status,
            record.date,
            fresh,
            stale,
            record.stale_if_error,
            record.etag,
            record.modified,
            record.groups,
            born,
            asked,
        )

    def remove(self, numbers: Iterable[int]) -> None:
        """Take these answers away at once."""
        for number in list(numbers):
            if self._is_there(number):
                self._writer.remove_answer(self._slots[number])

    def take_back(self, numbers: Iterable[int]) -> None:
        """The same: a group of theirs has changed.  What of them is asked for is asked for anew."""
        numbers = [number for number in numbers if self._is_there(number)]
        for number in numbers:
            if len(self._anew) >= ANEW:
                break
            record = self._writer.record_at(self._slots[number]) if self._was_asked_for(number) else None
            if record is not None:
                self._anew[record.name] = self.application_of(number)
        self.remove(numbers[:AT_ONCE])
        for number in numbers[AT_ONCE:]:
            slot = self._slots[number]
            if not self._writer.is_doubtful(slot):
                self._writer.doubt_answer(slot)
                self._leaving.append(number)
        self._take_more()
        if self._anew and self._soon is None:
            # In a turn of its own: then what this node vouches for covers the change.
            self._soon = self._reactor.callLater(0, self._begin_anew)

    def _take_more(self) -> None:
        """In a turn of its own, take away some of what changes have made doubtful."""
        if self._leaving and self._taking is None:
            self._taking = self._reactor.callLater(0, self._take_some)

    def _take_some(self) -> None:
        self._taking = None
        for _ in range(min(IN_A_TURN, len(self._leaving))):
            number = self._leaving.popleft()
            # What has been stored anew meanwhile stays.
            if self._is_there(number) and self._writer.is_doubtful(self._slots[number]):
                self._writer.remove_answer(self._slots[number])
        self._take_more()

    def _begin_anew(self) -> None:
        self._soon = None
        self._make_anew()

    def _make_anew(self) -> None:
        """Have a few of those asked for that changes have taken away, and nobody has brought back."""
        self._making = [name for name in self._making if self._leases.is_held(name)]
        while self._anew and len(self._making) < ANEW_AT_ONCE:
            name = next(iter(self._anew))
            application = self._anew.pop(name)
            if not self._is_fresh(name):
                self._making.append(name)
                self._ask_anew(application, name)

    def _is_there(self, number: int) -> bool:
        return 2 < number < len(self._slots) and self._numbers[self._slots[number]] == number

    def hold(self, seconds: float | None) -> None:
        """From now on answers are fresh for so long at most; None: for as long as they say."""
        until = ENDLESS if seconds is None else max(0, self._now_ms() + int(seconds * 1000))
        self._segment.set_answers_lease(until)

    def doubt(self, application: str | None) -> None:
        """All answers of *application*, None: of each, are doubtful: not fresh any more.

        They may be served while the application fails.
        """
        if application is None:
            self._segment.doubt()
        elif application in self._applications:
            self._segment.doubt(self._applications.index(application))

    def application_of(self, number: int) -> str:
        """Whose answer it is."""
        return self._applications[self._of[number]]

    def slot_of(self, number: int) -> int:
        """The number of its slot in the table."""
        return self._slots[number]

    def _number_of(self, name: bytes) -> int | None:
        slot = self._writer.find_answer(name)
        return None if slot is None or not self._numbers else self._numbers[slot] or None

    def _is_fresh(self, name: bytes) -> bool:
        """Whether a worker that looks finds it now."""
        slot = self._writer.find_answer(name)
        until = None if slot is None else self._writer.answer_until(slot)
        if slot is None or until is None or self._writer.is_doubtful(slot):
            return False
        return self._segment.answers_lease > self._now_ms() and ticks_between(self._now(), until) > 0

    def _remove_name(self, name: bytes) -> None:
        slot = self._writer.find_answer(name)
        if slot is not None:
            self._writer.remove_answer(slot)

    def _add(self, slot: int) -> int:
        if not self._numbers:
            self._numbers = array("I", [0]) * self._segment.slot_count
        number = self._order.add(self._writer.fingerprint_at(slot))
        if number == len(self._slots):
            self._slots.append(0)
            self._hot.append(0)
            self._of.append(0)
        self._slots[number], self._numbers[slot], self._hot[number] = slot, number, 0
        self._segment.take_hit(slot)  # what was there before
        return number

    def _application(self, name: str) -> int | None:
        """Its number; None: there are as many as a table tells apart."""
        if name not in self._applications:
            if len(self._applications) == APPLICATION_COUNT:
                return None
            self._applications.append(name)
        return self._applications.index(name)

    def _slot_gone(self, slot: int) -> None:
        number = self._numbers[slot] if self._numbers else 0
        if number:
            self._numbers[slot] = 0
            self._order.remove(number)
            for told in self.gone:
                told(number)

    # What leaves

    def _was_hit(self, number: int) -> bool:
        hot, self._hot[number] = self._hot[number], 0
        return self._segment.take_hit(self._slots[number]) or bool(hot)

    def _was_asked_for(self, number: int) -> bool:
        """Whether it was asked for; the order of leaving will know it, too."""
        if self._segment.take_hit(self._slots[number]):
            self._hot[number] = 1
            return True
        return False

    def _make_room(self) -> bool:
        """Take away the answer that is next; whether there was one."""
        gone = self._order.evict(self._fingerprint)
        if gone is None:
            return False
        slot = self._slots[gone]
        self._numbers[slot] = 0
        for told in self.gone:
            told(gone)
        self._writer.remove_answer(slot)
        return True

    def _fingerprint(self, number: int) -> int:
        return self._writer.fingerprint_at(self._slots[number])

    def _leave_room(self, entries: int) -> None:
        """Answers leave until *entries* more, and files, have room."""
        writer, capacity = self._writer, self._segment.slot_count // 2
        for _ in range(64):
            held = writer.answer_bytes
            left = writer.free_bytes + held  # by files
            full = writer.entries + entries > capacity - capacity // RESERVED_ENTRIES
            if not full and held <= left - left // RESERVED_MEMORY:
                return
            if not self._make_room():
                return
            writer.reclaim()

    # What is asked for anew

    def turn(self) -> None:
        """One turn of the wheel: leases that are over, answers that end soon."""
        for grant in self._leases.expire(self._reactor.seconds()):
            self._grant(grant)
        self._stop_waiting_for_firsts()
        self._help_the_slow()
        self._give_back()
        if self._anew and self._soon is None:
            self._make_anew()
        now = self._turn_of(self._now())
        while self._turn != now:
            self._turn = self._turn + 1 & _TURNS
            if self._turn % _FAR == 0:
                for number in self._far.pop(self._turn // _FAR, ()):
                    self._come_near(number)
            for number in self._wheel.pop(self._turn, ()):
                self._look_at(number)

    def _stop_waiting_for_firsts(self) -> None:
        """The first answer does not come: who waits for what it says asks himself."""
        late = self._reactor.seconds() - FIRST_SECONDS
        for token in [token for token, since in self._firsts.items() if since <= late]:
            if self._leases.name_of(token) is None:  # it was held for too long
                del self._firsts[token]
            for waiter in self._leases.release(token):
                waiter.tell(Kind.PASS)

    def _help_the_slow(self) -> None:
        """What does not come in time has failed, as far as others may be given what is there."""
        now = self._reactor.seconds()
        for token, (name, since) in list(self._asked.items()):
            if self._leases.name_of(token) is None:  # it was held for too long
                del self._asked[token]
            elif since > now - SLOW_SECONDS and not self._slow.has(name, now):
                continue
            self._slow.add(name, now)
            number = self._number_of(name)
            until = None if number is None else self._writer.answer_until(self._slots[number])
            if (
                number is not None
                and until is not None
                and ticks_between(self._now(), until) < TICKS_PER_SECOND
            ):
                self._prolong(number)

    def _watch(self, number: int, asked: int, until: int) -> None:
        """Look at the answer a little before it ends."""
        left = _refreshed_before(asked, until)
        turns = (ticks_between(self._now(), until) - int(left * TICKS_PER_SECOND)) // _TICKS_A_TURN
        if turns > 2 * _FAR:
            turn = self._turn + turns - _FAR & _TURNS
            self._far.setdefault(turn // _FAR, array("I")).append(number)
        else:
            self._wheel.setdefault(self._turn + max(turns, 1) & _TURNS, array("I")).append(number)

    def _come_near(self, number: int) -> None:
        """An answer whose end was far off: unless it has been renewed since, it is looked at when it ends."""
        slot = self._slots[number]
        until = self._writer.answer_until(slot) if self._numbers[slot] == number else None
        record = None if until is None else self._writer.record_at(slot)
        if until is None or record is None:
            return
        if ticks_between(self._now(), until) < 3 * _FAR * _TICKS_A_TURN:
            self._watch(number, record.asked, until)

    def _look_at(self, number: int) -> None:
        slot = self._slots[number]
        until = self._writer.answer_until(slot) if self._numbers[slot] == number else None
        if until is None or self.refiller is None:
            return
        left = ticks_between(self._now(), until)
        if left > _MOST_LEFT * TICKS_PER_SECOND + _TICKS_A_TURN:
            return  # another one of that number, or it has been renewed since
        if left < -_TICKS_A_TURN or not self._was_asked_for(number):
            return
        self._refresh(number)

    def _refresh(self, number: int) -> None:
        """Have the answer asked for anew, unless somebody does."""
        record = self._writer.record_at(self._slots[number])
        if record is None:
            return
        if self._failing.has(record.name, self._reactor.seconds()) and not self._leases.is_held(record.name):
            self._prolong(number)
            return
        self._ask_anew(self.application_of(number), record.name)

    def _ask_anew(self, application: str, name: bytes) -> None:
        """Have some worker ask for *name*, unless somebody does."""
        if self.refiller is None or self._leases.is_held(name):
            return
        grant = self._leases.ask(name, _Waiter(application, first=False), -1, self._reactor.seconds())
        assert grant is not None, "nobody holds it"
        self._grant(grant)

    def _prolong(self, number: int) -> None:
        """The application fails: an answer that is asked for and may be served stale stays for a while."""
        slot = self._slots[number]
        until, record = self._writer.answer_until(slot), self._writer.record_at(slot)
        if until is None or record is None or not record.stale_if_error:
            return
        most = min(record.fresh + record.stale_if_error, _LONGEST)
        over = record.born + most * TICKS_PER_SECOND & 0xFFFFFFFF
        now = self._now()
        longer = now + int(PROLONGED * TICKS_PER_SECOND) & 0xFFFFFFFF
        if ticks_between(longer, over) < 0:
            return
        if ticks_between(until, longer) > 0:
            self._writer.prolong_answer(slot, longer)
        self._watch(number, now, longer)

    def _now(self) -> int:
        return ticks_of(self._now_ms())

    def _ms_of(self, ticks: int) -> int:
        """CLOCK_MONOTONIC in milliseconds at *ticks*."""
        return self._now_ms() - ticks_between(ticks, self._now()) * 1000 // TICKS_PER_SECOND

    @staticmethod
    def _turn_of(ticks: int) -> int:
        return ticks // _TICKS_A_TURN & _TURNS


def _refreshed_before(asked: int, until: int) -> float:
    """Seconds before its end at which an answer is asked for anew.

    By how long it is fresh here: behind another cache that may be a small part of its lifetime.
    """
    lifetime = ticks_between(asked, until) / TICKS_PER_SECOND
    return min(max(lifetime * _LEFT, _LEAST_LEFT), _MOST_LEFT, lifetime / 2)


class LocalFills:
    """The store as a worker in its own process asks it; implements :class:`.fills.FillControl`."""

    def __init__(self, answers: AnswerStore, reactor: Any) -> None:
        self._answers = answers
        self._reactor = reactor

    def ask(self, application: str, name: bytes, share: bool, told: Callable[[Verdict | None], None]) -> None:
        self._answers.ask(0, application, name, share, partial(self._reactor.callLater, 0, told))

    def store(self, token: int, application: str, packed: bytes, kept: Callable[[bool], None]) -> None:
        kept(self._answers.store(token, application, packed))

    def end(self, token: int, outcome: Outcome, why: str = "") -> None:
        self._answers.end(token, outcome, why)

    def changed(self, change: Change) -> Deferred[int]:
        return self._answers.changed(change)
