"""What has changed of late, and which answers that spoils: leases as in memcache, for groups.

Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1: who fills a cache is given a token
before it asks; if what it asks for is changed meanwhile, the token is void.  Here which groups an answer
belongs to is known only when it is there, so a token is a *position* in the order of changes on this node,
and an answer is spoiled by a change of one of its groups after that position.

An answer that comes from another node has no position here.  It brings that node's **version vector**: how
far it had the changes of each node when it vouched for the answer.  What changed here by something that the
vector does not cover spoils it.

Only the latest :data:`REMEMBERED` changes are remembered.  Who asked before one of its application that is
not remembered any more is told that its answer is spoiled: then it is not stored, and asked for anew.  So an
application in which very much changes takes that from itself alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: Changes of a group that are remembered, 300 bytes each: 1.6 s of ten thousand changes a second.
REMEMBERED = 16_384
#: Applications of which it is known up to where changes are not remembered; beyond them it is one for all.
SCOPES = 1024
#: Addresses of one change: its own, and what Location and Content-Location name.
MOST_ADDRESSES = 8


class Stamp(NamedTuple):
    """The position of a change in the log of who made it: the generation of that node, and the number."""

    generation: int
    sequence: int


class Change(NamedTuple):
    """What is not what it was: all stored answers of an *application* that are in one of *groups*.

    No *groups*: everything of the application; no *application*: of all.
    """

    application: str | None
    groups: frozenset[str] | None
    #: What is stored under these addresses (:func:`edge.cache.keys.address_of`), in all variants, is not
    #: what it was, either.
    addresses: tuple[bytes, ...] = ()

    @property
    def as_told(self) -> Change:
        """The same, or everything of the application, where it names more addresses than are told."""
        return self if len(self.addresses) <= MOST_ADDRESSES else Change(self.application, None)


EVERYTHING = Change(None, None)
#: How far a node has the changes of each node.
VersionVector = Mapping[str, Stamp]
#: The group in which every answer is.
ALL = 0
#: Before everything.
NEVER = Stamp(0, 0)


class GroupChanges:
    """The changes of groups on this node, in the order in which they were applied; groups are hashes."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        #: Changes applied so far.
        self.position = 0
        self._remembered = remembered
        #: (scope, group, position, origin, stamp) of each, the oldest first.
        self._order: deque[tuple[int, int, int, str, Stamp]] = deque()
        #: Group -> the position of its latest change, and the latest stamp of each origin.
        self._latest: dict[int, tuple[int, dict[str, Stamp]]] = {}
        #: Scope -> up to which position, and up to which stamps, changes of it are forgotten.
        self._floors: dict[int, tuple[int, dict[str, Stamp]]] = {}

    def __len__(self) -> int:
        """Changes that are remembered."""
        return len(self._order)

    def note(self, scope: int, groups: Iterable[int], origin: str, stamp: Stamp) -> None:
        """*groups* have changed, as the node *origin* says; *scope*: a group of all answers in these."""
        self.position += 1
        for group in groups:
            self._order.append((scope, group, self.position, origin, stamp))
            _, stamps = self._latest.get(group, (0, {}))
            stamps[origin] = max(stamp, stamps.get(origin, NEVER))
            self._latest[group] = self.position, stamps
        while len(self._order) > self._remembered:
            self._forget()

    def spoils(self, groups: Iterable[int], token: int) -> bool:
        """Whether an answer in *groups* (and scopes), asked for at the position *token*, is spoiled."""
        return any(
            (group in self._latest and self._latest[group][0] > token)
            or (group in self._floors and self._floors[group][0] > token)
            for group in groups
        )

    def spoils_from(self, groups: Iterable[int], vector: VersionVector) -> bool:
        """As :meth:`spoils`, of an answer for which another node vouches as of *vector*."""
        return any(
            vector.get(origin, NEVER) < stamp
            for group in groups
            for known in (self._latest, self._floors)
            if group in known
            for origin, stamp in known[group][1].items()
        )

    def forget(self, origin: str) -> None:
        """*origin* has left: vectors need not cover its changes any more."""
        for known in (self._latest, self._floors):
            for _, stamps in known.values():
                stamps.pop(origin, None)

    def _forget(self) -> None:
        scope, group, position, origin, stamp = self._order.popleft()
        latest, stamps = self._latest[group]
        self._raise(scope, position, {origin: stamp} if origin in stamps else {})
        if latest == position:
            del self._latest[group]
        elif stamps.get(origin) == stamp:
            del stamps[origin]

    def _raise(self, scope: int, position: int, stamps: Mapping[str, Stamp]) -> None:
        """Changes of *scope* up to there are forgotten."""
        floor, floors = self._floors.pop(scope, (0, {}))
        for origin, stamp in stamps.items():
            floors[origin] = max(stamp, floors.get(origin, NEVER))
        self._floors[scope] = max(position, floor), floors
        if len(self._floors) > SCOPES:
            oldest = next(one for one in self._floors if one != ALL)
            self._raise(ALL, *self._floors.pop(oldest))
