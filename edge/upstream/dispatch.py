"""Who is asked next: choice among servers or processes, a bounded queue, deadlines.

The law:

* At most *limit* questions are unanswered at once, those that wait included; one more is refused at once
  (:exc:`FullError`), because whoever waits longer than he has patience asks again, and makes it worse.
* Of these an address may have as many as it leaves free, and one more is refused at once
  (:exc:`ShareError`): the rule of :mod:`edge.shares`.  So strangers do not fill it up for others.
* A question waits only if each member has :attr:`Member.most` unanswered ones, whoever has asked them, or
  none is there.  Of those that wait, one whose address has been given the fewest is next; of several, who
  came first.  When nobody has been there for :data:`GRACE_SECONDS`, nobody waits any more.
* Each question has one deadline, from its admission to the head of its answer, however often it is asked;
  as long as its body is still coming, it is postponed.
* Among those that do well, two are drawn, and the one with less to do is asked (power of two choices:
  Mitzenmacher, IEEE TPDS 12(10), 2001): nearly as good as asking the least busy one, and many workers that
  decide so without knowing of each other do not all choose the same.
* A member that fails is taken out (:mod:`edge.upstream.health`), but never the last one.  Are all others
  out, it is asked: a server that fails often is better than none.

The shell tells what happens (``admit``, ``began``, ``over``), and takes what follows (``next``, ``expired``).
When questions of others were answered (``beside``), it asks for what follows, too.
"""

from __future__ import annotations

import random
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from edge.shares import NOBODY, may_hold
from edge.upstream.health import Health

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: For how long questions wait when nobody is there: what a process needs to start again, not more.
GRACE_SECONDS = 2.0


class FullError(Exception):
    """Too many questions are unanswered."""


class ShareError(FullError):
    """Too many of them are of the address that asks."""


def _none() -> int:
    return 0


def _none_of(network: bytes) -> int:
    return 0


class Outcome(Enum):
    """What became of a question, for the health of who was asked."""

    ANSWERED = "answered"
    FAILED = "failed"
    #: The visitor has gone, or it says nothing of the member.
    NEITHER = "neither"


class Member(Generic[T]):
    """One server or process."""

    __slots__ = ("available", "beside", "busy", "health", "item", "most", "unanswered")

    def __init__(self, item: T, most: int) -> None:
        """*most*: unanswered questions that it is given at once."""
        self.item = item
        self.most = most
        self.health = Health()
        #: It is there: it may be asked.
        self.available = True
        #: Questions that it was asked and that are not over; of these, those whose answer has not begun.
        self.busy = 0
        self.unanswered = 0
        #: Questions that others have asked it, and that are unanswered.
        self.beside: Callable[[], int] = _none

    @property
    def free(self) -> bool:
        """Whether it may be asked one more question."""
        most = 1 if self.health.on_trial else self.most
        return self.available and self.unanswered + self.beside() < most


class Ticket(Generic[T]):
    """One question on its way; *deadline*: until when its answer has to begin; *network*: whose it is."""

    __slots__ = ("_began", "_open", "_tried", "deadline", "member", "network")

    def __init__(self, deadline: float, network: bytes = NOBODY) -> None:
        self.deadline = deadline
        self.network = network
        #: Who is asked; None: it waits.
        self.member: Member[T] | None = None
        self._tried: tuple[Member[T], ...] = ()
        self._began = False
        self._open = False


class Dispatch(Generic[T]):
    """The members of one application, and the questions to it."""

    def __init__(self, items: list[T], limit: int, most: int, draw: random.Random) -> None:
        """*limit*: questions unanswered at once; *most*: of these, per member; *draw*: the luck.

        Those that others ask (:attr:`beside`, and of each member) count in both.
        """
        self.members = [Member(item, most) for item in items]
        self._limit = limit
        self._draw = draw
        #: Questions that others have asked the members, and that are unanswered: all, and those of a network.
        self.beside: Callable[[], int] = _none
        self.beside_of: Callable[[bytes], int] = _none_of
        #: Network -> how many of its questions are unanswered, and how many of these wait.
        self._held: dict[bytes, int] = {}
        self._held_back: dict[bytes, int] = {}
        #: Networks with another number of unanswered questions than when the shell last looked.
        self.changed: set[bytes] = set()
        self._waiting: deque[Ticket[T]] = deque()
        #: Those whose answers have not begun, in the order of their deadlines.
        self._unanswered: dict[Ticket[T], None] = {}
        self._away_since: float | None = None

    @property
    def unanswered(self) -> int:
        """Questions whose answers have not begun."""
        return len(self._unanswered)

    @property
    def waiting(self) -> int:
        """Of these, those that nobody has been asked yet."""
        return len(self._waiting)

    def held(self, network: bytes) -> int:
        """Of the unanswered questions, those of *network*; 0 of those that are not told apart."""
        return self._held.get(network, 0)

    # What happens

    def admit(self, ticket: Ticket[T], now: float) -> Member[T] | None:
        """One question more; who is to be asked, or None: it waits.

        :raises FullError: it does not even wait.
        """
        used, network = len(self._unanswered) + self.beside(), ticket.network
        if used >= self._limit:
            raise FullError
        if not may_hold(self._limit, used, self.held(network) + self._beside_of(network)):
            raise ShareError
        self._unanswered[ticket] = None
        ticket._open = True
        self._count(self._held, network, 1)
        return self._place(ticket, now)

    def again(self, ticket: Ticket[T], now: float) -> Member[T] | None:
        """Ask *ticket*, which has failed, once more, somebody else if there is one; as :meth:`admit`."""
        assert ticket.member is not None, "it has been asked"
        ticket._tried += (ticket.member,)
        self._leave(ticket)
        return self._place(ticket, now)

    def postpone(self, ticket: Ticket[T], deadline: float) -> None:
        """More of its body has come: its answer has time until *deadline*, which is later than all others."""
        if ticket in self._unanswered:
            del self._unanswered[ticket]
            ticket.deadline = deadline
            self._unanswered[ticket] = None

    def began(self, ticket: Ticket[T]) -> None:
        """The answer has begun: there is no deadline any more."""
        if ticket._open and not ticket._began:
            ticket._began = True
            self._settle(ticket)
            if ticket.member is not None:
                ticket.member.unanswered -= 1

    def over(self, ticket: Ticket[T]) -> None:
        """The question is over, one way or the other."""
        if not ticket._open:
            return
        ticket._open = False
        self._settle(ticket)
        if ticket.member is not None:
            self._leave(ticket)
        else:
            self._waiting.remove(ticket)
            self._count(self._held_back, ticket.network, -1)

    def outcome(self, member: Member[T], outcome: Outcome, now: float) -> float | None:
        """*member* was asked, or probed; until when it is taken out, if it is just now."""
        health = member.health
        if outcome is Outcome.ANSWERED:
            health.answered()
        elif outcome is Outcome.FAILED and not health.is_out(now):
            health.failed()
            others = (one for one in self.members if one is not member)
            if health.fails and any(one.available and not one.health.is_out(now) for one in others):
                return health.take_out(now)
        return None

    # What follows

    def next(self, now: float) -> tuple[Ticket[T], Member[T]] | None:
        """A question that waits no longer, and who is to be asked; call it until there is none."""
        ticket = self._first()
        if ticket is None:
            return None
        member = self._choose(now, ticket._tried)
        if member is None:
            return None
        self._waiting.remove(ticket)
        self._count(self._held_back, ticket.network, -1)
        self._ask(ticket, member)
        return ticket, member

    def expired(self, now: float) -> list[Ticket[T]]:
        """Those whose time is over; the shell ends them.  Call it at :meth:`wake_at`."""
        over: dict[Ticket[T], None] = {}
        for ticket in self._unanswered:
            if ticket.deadline > now:
                break
            over[ticket] = None
        if self._is_away(now):
            over.update(dict.fromkeys(self._waiting))
        return list(over)

    def wake_at(self) -> float | None:
        """When something expires, or may be asked, next; None: nothing waits for time to pass."""
        if not self._unanswered:
            return None
        first = next(iter(self._unanswered)).deadline
        if self._away_since is not None and self._waiting:
            first = min(first, self._away_since + GRACE_SECONDS)
        return first

    def is_away(self, now: float) -> bool:
        """Whether nobody has been there for so long that nobody waits for it."""
        self._look(now)
        return self._is_away(now)

    def _is_away(self, now: float) -> bool:
        return self._away_since is not None and now - self._away_since >= GRACE_SECONDS

    def _look(self, now: float) -> None:
        """Note since when nobody is there."""
        for member in self.members:
            if member.available:
                self._away_since = None
                return
        if self._away_since is None:
            self._away_since = now

    def _place(self, ticket: Ticket[T], now: float) -> Member[T] | None:
        self._look(now)
        # Who has waited before does not wait behind those that came later.
        member = self._choose(now, ticket._tried) if ticket._tried or not self._waiting else None
        if member is not None:
            self._ask(ticket, member)
        else:
            self._waiting.append(ticket)
            self._count(self._held_back, ticket.network, 1)
        return member

    def _first(self) -> Ticket[T] | None:
        """Who is next of those that wait."""
        first, least = None, 0
        given: dict[bytes, int] = {}
        for ticket in self._waiting:
            network = ticket.network
            if network not in given:
                given[network] = self._beside_of(network) + self.held(network)
                given[network] -= self._held_back.get(network, 0)
                if first is None or given[network] < least:
                    first, least = ticket, given[network]
                if not least:
                    break
        return first

    def _beside_of(self, network: bytes) -> int:
        return self.beside_of(network) if network != NOBODY else 0

    def _settle(self, ticket: Ticket[T]) -> None:
        """Count *ticket* as answered."""
        if ticket in self._unanswered:
            del self._unanswered[ticket]
            self._count(self._held, ticket.network, -1)

    def _count(self, held: dict[bytes, int], network: bytes, more: int) -> None:
        if network == NOBODY:
            return
        held[network] = held.get(network, 0) + more
        if not held[network]:
            del held[network]
        if held is self._held:
            self.changed.add(network)

    def _ask(self, ticket: Ticket[T], member: Member[T]) -> None:
        ticket.member = member
        member.busy += 1
        if not ticket._began:
            member.unanswered += 1

    def _leave(self, ticket: Ticket[T]) -> None:
        member = ticket.member
        assert member is not None, "only who was asked leaves"
        ticket.member = None
        member.busy -= 1
        if not ticket._began:
            member.unanswered -= 1

    def _choose(self, now: float, tried: tuple[Member[T], ...]) -> Member[T] | None:
        """Who is asked next, rather not those that were *tried*; None: nobody can be."""
        members = self.members
        if len(members) == 1:
            return members[0] if members[0].free else None
        there = [member for member in members if member.available]
        well = [member for member in there if not member.health.is_out(now)] or there
        free = [member for member in well if member.free]
        others = [member for member in free if member not in tried] or free
        if len(others) > 2:
            others = self._draw.sample(others, 2)
        if len(others) == 2:
            one, other = others
            if one.busy == other.busy:
                return others[self._draw.random() < 0.5]
            return one if one.busy < other.busy else other
        return others[0] if others else None
