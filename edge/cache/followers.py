"""Who follows which groups, and who is told of a change when: a crowd asks no faster than a node can answer.

Whoever is told of a change asks for what is new.  So being told is what has to be spread.  Each changed
group begins a *sweep* over those who follow it.  All sweeps together tell :data:`RATE` followers a second,
each in turn, so that a group with few followers does not wait for one with many.  When a group changes again
while its sweep runs, or within :data:`GAP` of its beginning, one more sweep follows, whatever the number of
changes: with n followers each of them is told at most once in ``max(GAP, n / RATE)`` seconds
(:func:`spread`), and always of the last change.

A follower is told of all that has changed for it in one message, and the next one not before ``GAP`` is over.

Sans-IO: changes and the time go in, :meth:`Followers.due` says whom to tell of what.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar

#: Seconds between two messages to one follower: what one change in a storm waits for at most.
GAP = 0.1
#: Seconds after which one that takes nothing is tried again.
PATIENCE = 1.0
#: Followers that a worker tells in a second: with their questions and the answers to these, half a core.
RATE = 2000
#: Followers told in one turn: 2 ms.
TURN = 100
#: Groups that one follower may follow.
MOST = 256
#: Times of groups that are kept beyond their use.
_PRUNED = 1024


def spread(followers: int) -> float:
    """Seconds in which each of so many followers of a group is told of a change, once at most."""
    return max(GAP, followers / RATE)


class Follower(Protocol):
    """One who follows groups: the fields are :class:`Followers`' own."""

    follows: tuple[str, ...]
    #: The edition that it has been told.
    told: int
    #: Not before that time is it told again.
    rests_until: float

    def __hash__(self) -> int: ...


F = TypeVar("F", bound=Follower)


class Due(NamedTuple, Generic[F]):
    """*follower* is to be told that *groups* have changed; None: all may have.

    *told*: the edition that it had been told before.
    """

    follower: F
    groups: list[str] | None
    told: int


class _Sweep(Generic[F]):
    """On its way through those who followed *group* when it began."""

    __slots__ = ("again", "followers", "group")

    def __init__(self, group: str | None, followers: list[F]) -> None:
        self.group = group
        self.followers = followers
        #: It has changed since.
        self.again = False


class Followers(Generic[F]):
    """The followers of one worker."""

    def __init__(self) -> None:
        #: By group.
        self._of: dict[str, set[F]] = {}
        self._all: set[F] = set()
        #: The edition in which a group changed last; of everything.
        self._changed: dict[str, int] = {}
        self._doubted = 0
        self._edition = 0
        self._sweeps: deque[_Sweep[F]] = deque()
        #: By group: the sweep that runs, and not before when the next one begins.
        self._running: dict[str | None, _Sweep[F]] = {}
        self._not_before: dict[str | None, float] = {}
        #: Groups that have changed, and whose sweep has to wait.
        self._waiting: set[str | None] = set()
        #: (until when, number, follower) of those who are to be told when they have rested.
        self._resting: list[tuple[float, int, F]] = []
        self._number = 0
        self._credit = float(TURN)
        self._last = 0.0

    def __len__(self) -> int:
        """Who follows anything."""
        return len(self._all)

    def follow(self, follower: F, groups: Iterable[str]) -> None:
        """*follower* follows these groups from now on, and no others; what changed before, it is not told."""
        self.leave(follower)
        follower.follows = tuple(dict.fromkeys(groups))
        follower.told = self._edition
        for group in follower.follows:
            self._of.setdefault(group, set()).add(follower)
        if follower.follows:
            self._all.add(follower)

    def leave(self, follower: F) -> None:
        """*follower* follows nothing."""
        for group in follower.follows:
            those = self._of.get(group)
            if those is not None:
                those.discard(follower)
                if not those:
                    del self._of[group]
                    self._changed.pop(group, None)
        follower.follows = ()
        self._all.discard(follower)

    def change(self, groups: Collection[str] | None, now: float) -> None:
        """*groups* have changed; None: all may have."""
        self._edition += 1
        if groups is None:
            self._doubted = self._edition
            self._changed.clear()
            if self._all:
                self._begin(None, now)
            return
        for group in groups:
            if group in self._of:
                self._changed[group] = self._edition
                self._begin(group, now)

    def next_at(self, now: float) -> float | None:
        """When :meth:`due` has something to do; None: not before the next change."""
        if self._sweeps:
            return now + max(0.0, (1 - self._filled(now)) / RATE)
        times = [self._not_before[group] for group in self._waiting]
        times += [until for until, _, _ in self._resting[:1]]
        return max(now, min(times)) if times else None

    def due(self, now: float) -> list[Due[F]]:
        """Whom to tell now."""
        for group in [one for one in self._waiting if self._not_before[one] <= now]:
            self._waiting.discard(group)
            self._start(group, now)
        self._credit, self._last = self._filled(now), now
        told: list[Due[F]] = []
        while self._credit >= 1 and self._resting and self._resting[0][0] <= now:
            self._tell(heapq.heappop(self._resting)[2], now, told)
        while self._credit >= 1 and self._sweeps:
            sweep = self._sweeps.popleft()
            self._tell(sweep.followers.pop(), now, told)
            if sweep.followers:
                self._sweeps.append(sweep)
            else:
                self._end(sweep)
        if len(self._not_before) > max(_PRUNED, 2 * len(self._of)):
            kept = self._not_before.items()
            self._not_before = {one: at for one, at in kept if at > now or one in self._waiting}
        return told

    def missed(self, due: Due[F], now: float) -> None:
        """It could not be told: it is again, when it has rested for :data:`PATIENCE`."""
        due.follower.told = due.told
        due.follower.rests_until = now + PATIENCE
        self._rest(due.follower)

    # Inside

    def _rest(self, follower: F) -> None:
        self._number += 1
        heapq.heappush(self._resting, (follower.rests_until, self._number, follower))

    def _tell(self, follower: F, now: float, told: list[Due[F]]) -> None:
        news = self._news(follower)
        if news == []:
            return  # it was told on another sweep, or is gone
        if follower.rests_until > now:
            self._rest(follower)
            return
        self._credit -= 1
        told.append(Due(follower, news, follower.told))
        follower.told, follower.rests_until = self._edition, now + GAP

    def _filled(self, now: float) -> float:
        return min(float(TURN), self._credit + max(0.0, now - self._last) * RATE)

    def _begin(self, group: str | None, now: float) -> None:
        sweep = self._running.get(group)
        if sweep is not None:
            sweep.again = True
        elif self._not_before.get(group, now) > now:
            self._waiting.add(group)
        elif group not in self._waiting:
            self._start(group, now)

    def _start(self, group: str | None, now: float) -> None:
        followers = list(self._all if group is None else self._of.get(group, ()))
        if not followers:
            return
        sweep = self._running[group] = _Sweep(group, followers)
        self._sweeps.append(sweep)
        self._not_before[group] = now + spread(len(followers))

    def _end(self, sweep: _Sweep[F]) -> None:
        del self._running[sweep.group]
        if sweep.again:
            self._waiting.add(sweep.group)

    def _news(self, follower: F) -> list[str] | None:
        """What has changed for *follower* since it was told; None: everything may have."""
        if follower not in self._all:
            return []
        if self._doubted > follower.told:
            return None
        changed = self._changed
        return [group for group in follower.follows if changed.get(group, 0) > follower.told]
