"""Fill leases: of all who miss a key one asks the application, the others wait; answers that come too late.

A *token* (memcache leases, Nishtala et al. 2013) stands for one question to the application.  It remembers
how many changes there had been when it was given: an answer with a group that has changed since was perhaps
made before the change, and is not stored.  So is one whose key was invalidated meanwhile.

Who holds a lease may die or be slow: after its deadline, or with its worker, the first who waits takes over
under a new token; what the old one brings later is not stored.

Waiters are whatever the caller wants back.  Nothing here waits: each call returns what is to be told to whom.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

Waiter = TypeVar("Waiter", bound=Hashable)


class Changes(Protocol):
    """What has changed, group by group: :class:`edge.cache.groups.Groups`."""

    @property
    def position(self) -> int:
        """How many changes there have been."""

    def spoils(self, application: str, groups: Collection[str], token: int, name: bytes) -> bool:
        """Whether one of *groups* of *application*, or what is under *name*, has changed after *token*."""


class NoChanges:
    """Nothing ever changes; implements :class:`Changes`."""

    position = 0

    def spoils(self, application: str, groups: Collection[str], token: int, name: bytes) -> bool:
        """Never."""
        return False


@dataclass(slots=True)
class _Lease(Generic[Waiter]):
    name: bytes
    token: int
    worker: int
    #: :attr:`Changes.position` when it was given.
    since: int
    deadline: float
    spoiled: bool = False
    #: (who, of which worker).
    waiters: deque[tuple[Waiter, int]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Grant(Generic[Waiter]):
    """*waiter* is to ask the application now, under *token*."""

    waiter: Waiter
    name: bytes
    token: int


class Leases(Generic[Waiter]):
    """The leases of a node, by the name of their key."""

    def __init__(self, changes: Changes | None = None, seconds: float = 40.0) -> None:
        """*seconds*: after which somebody else asks, unless :meth:`ask` is told otherwise."""
        self.changes: Changes = changes or NoChanges()
        self._seconds = seconds
        self._by_name: dict[bytes, _Lease[Waiter]] = {}
        self._by_token: dict[int, _Lease[Waiter]] = {}
        self._last_token = 0

    def __len__(self) -> int:
        return len(self._by_name)

    def is_held(self, name: bytes) -> bool:
        """Whether somebody asks for *name* now."""
        return name in self._by_name

    def ask(
        self, name: bytes, waiter: Waiter, worker: int, now: float, seconds: float | None = None
    ) -> Grant[Waiter] | None:
        """The lease on *name* for *waiter*; None: somebody has it, and *waiter* will be told."""
        lease = self._by_name.get(name)
        if lease is not None:
            lease.waiters.append((waiter, worker))
            return None
        return self._give(name, waiter, worker, now, seconds, deque())

    def is_good(self, token: int, application: str, groups: Collection[str]) -> bool:
        """Whether what *application* was asked under *token* may be stored with these groups."""
        lease = self._by_token.get(token)
        if lease is None or lease.spoiled:
            return False
        return not self.changes.spoils(application, groups, lease.since, lease.name)

    def name_of(self, token: int) -> bytes | None:
        """The name that *token* is for; None: it is over."""
        lease = self._by_token.get(token)
        return None if lease is None else lease.name

    def hand(self, token: int, worker: int) -> None:
        """*worker* asks under *token*, which was given to nobody in particular."""
        lease = self._by_token.get(token)
        if lease is not None:
            lease.worker = worker

    def renew(self, token: int, now: float, seconds: float | None = None) -> None:
        """What is asked for under *token* is asked for from now on: no change before that matters."""
        lease = self._by_token.get(token)
        if lease is not None:
            lease.since, lease.spoiled = self.changes.position, False
            lease.deadline = now + (self._seconds if seconds is None else seconds)

    def release(self, token: int) -> list[Waiter]:
        """Who waits for *token* does so no longer; its holder goes on."""
        lease = self._by_token.get(token)
        if lease is None:
            return []
        waiters, lease.waiters = lease.waiters, deque()
        return [waiter for waiter, _ in waiters]

    def end(self, token: int) -> list[Waiter]:
        """The question under *token* is answered, or never will be; who has waited for it."""
        lease = self._by_token.get(token)
        if lease is None:
            return []
        self._forget(lease)
        return [waiter for waiter, _ in lease.waiters]

    def hand_on(self, token: int, now: float) -> list[Grant[Waiter]]:
        """What was asked under *token* is not stored; who takes over."""
        lease = self._by_token.get(token)
        return [] if lease is None else list(self._hand_on(lease, now))

    def spoil(self, name: bytes) -> None:
        """*name* was invalidated: what is being asked for it is not stored."""
        lease = self._by_name.get(name)
        if lease is not None:
            lease.spoiled = True

    def worker_gone(self, worker: int, now: float) -> list[Grant[Waiter]]:
        """The worker has died with its leases; who takes over."""
        grants: list[Grant[Waiter]] = []
        for lease in list(self._by_name.values()):
            lease.waiters = deque(one for one in lease.waiters if one[1] != worker)
            if lease.worker == worker:
                grants += self._hand_on(lease, now)
        return grants

    def expire(self, now: float) -> list[Grant[Waiter]]:
        """Who takes over leases that were held too long."""
        late = [lease for lease in self._by_name.values() if lease.deadline <= now]
        return [grant for lease in late for grant in self._hand_on(lease, now)]

    def _hand_on(self, lease: _Lease[Waiter], now: float) -> Iterator[Grant[Waiter]]:
        self._forget(lease)
        if lease.waiters:
            waiter, worker = lease.waiters.popleft()
            yield self._give(lease.name, waiter, worker, now, None, lease.waiters)

    def _give(
        self,
        name: bytes,
        waiter: Waiter,
        worker: int,
        now: float,
        seconds: float | None,
        waiters: deque[tuple[Waiter, int]],
    ) -> Grant[Waiter]:
        self._last_token += 1
        deadline = now + (self._seconds if seconds is None else seconds)
        lease = _Lease(name, self._last_token, worker, self.changes.position, deadline, waiters=waiters)
        self._by_name[name] = self._by_token[lease.token] = lease
        return Grant(waiter, name, lease.token)

    def _forget(self, lease: _Lease[Waiter]) -> None:
        del self._by_token[lease.token]
        if self._by_name.get(lease.name) is lease:
            del self._by_name[lease.name]
