"""What has changed of late, and which answers that spoils: leases as in memcache, for groups.

Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1: who fills a cache is given a token
before it asks; if what it asks for is changed meanwhile, the token is void.  Here which groups an answer
belongs to is known only when it is there, so a token is a *position* in the order of changes on this node,
and an answer is spoiled by a change of one of its groups after that position.

An answer that comes from another node has no position here.  It brings that node's **version vector**: how
far it had the changes of each node when it vouched for the answer.  What changed here by something that the
vector does not cover spoils it.

Only the latest :data:`REMEMBERED` changes are remembered.  Who asked before those is told that its answer is
spoiled: then it is not stored, and asked for anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: Changes of a group that are remembered, 300 bytes each: 1.6 s of ten thousand changes a second.
REMEMBERED = 16_384
#: Bytes of names in one change, so that any message has room for it: many more than a common change has.
PART_BYTES = 40_000


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
    #: Names of keys (:mod:`edge.cache.keys`) whose answers are not what they were, either.
    names: tuple[bytes, ...] = ()

    def parts(self) -> list[Change]:
        """The same as several changes that can be told: each with names of :data:`PART_BYTES` at most."""
        found: list[tuple[bytes, ...]] = []
        names: list[bytes] = []
        size = 0
        for name in self.names:
            if names and size + len(name) > PART_BYTES:
                found.append(tuple(names))
                names, size = [], 0
            names.append(name)
            size += len(name)
        first, *rest = [*found, tuple(names)]
        nothing: frozenset[str] = frozenset()
        return [self._replace(names=first), *(Change(self.application, nothing, one) for one in rest)]


EVERYTHING = Change(None, None)
#: How far a node has the changes of each node.
VersionVector = Mapping[str, Stamp]
#: Before everything.
NEVER = Stamp(0, 0)


class GroupChanges:
    """The changes of groups on this node, in the order in which they were applied; groups are hashes."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        #: Changes applied so far.
        self.position = 0
        self._remembered = remembered
        #: (group, position, origin, stamp) of each, the oldest first.
        self._order: deque[tuple[int, int, str, Stamp]] = deque()
        #: Group -> the position of its latest change, and the latest stamp of each origin.
        self._latest: dict[int, tuple[int, dict[str, Stamp]]] = {}
        #: Up to which position, and up to which stamps, changes are forgotten.
        self._floor = 0
        self._floors: dict[str, Stamp] = {}

    def __len__(self) -> int:
        """Changes that are remembered."""
        return len(self._order)

    def note(self, groups: Iterable[int], origin: str, stamp: Stamp) -> None:
        """*groups* have changed, as the node *origin* says."""
        self.position += 1
        for group in groups:
            self._order.append((group, self.position, origin, stamp))
            _, stamps = self._latest.get(group, (0, {}))
            stamps[origin] = max(stamp, stamps.get(origin, NEVER))
            self._latest[group] = self.position, stamps
        while len(self._order) > self._remembered:
            self._forget()

    def spoils(self, groups: Iterable[int], token: int) -> bool:
        """Whether an answer in *groups*, asked for at the position *token*, is spoiled."""
        if token < self._floor:
            return True
        return any(self._latest[group][0] > token for group in groups if group in self._latest)

    def spoils_from(self, groups: Iterable[int], vector: VersionVector) -> bool:
        """Whether an answer in *groups*, for which another node vouches as of *vector*, is spoiled."""
        if any(vector.get(origin, NEVER) < floor for origin, floor in self._floors.items()):
            return True
        return any(
            vector.get(origin, NEVER) < stamp
            for group in groups
            if group in self._latest
            for origin, stamp in self._latest[group][1].items()
        )

    def forget(self, origin: str) -> None:
        """*origin* has left: vectors need not cover its changes any more."""
        self._floors.pop(origin, None)
        for _, stamps in self._latest.values():
            stamps.pop(origin, None)

    def _forget(self) -> None:
        group, position, origin, stamp = self._order.popleft()
        self._floor = position
        latest, stamps = self._latest[group]
        if origin in stamps:
            self._floors[origin] = max(stamp, self._floors.get(origin, NEVER))
        if latest == position:
            del self._latest[group]
        elif stamps.get(origin) == stamp:
            del stamps[origin]
