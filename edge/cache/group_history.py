"""Which groups changed since a state, for readers: what the push socket tells and answers.

Readers know groups by :func:`group_hash` alone, so that what is pushed names nothing to who does not know it.
Those of a site hear of the groups of its own applications: here a group is its hash and the prefix of its
site (:func:`key_of`).  A state is the node's, whatever the site: it counts changes and names none.
A *state* is a text like that of a site (:mod:`edge.http.changes`): for each node in each of its lives, an ID
and how far its changes are in force here, without a gap.  Any node can compare it with its own::

    kJ3xa9F.x2Lm0_0Z      the node kJ3xa9 up to its change "F", the node x2Lm0_ up to "0Z"

What is in a state and unknown here, or older than what is remembered, cannot be compared: then anything may
have changed.  So it is after *doubts* (everything of a node's life may have changed): they give that life
another ID, so that no state from before is understood.  A doubt of one application is one of its site: there
no state from before it is understood.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, NamedTuple

from edge.digits import DIGITS, digits
from edge.http.changes import ID_LENGTH, PUBLISHERS, number, parse, render

if TYPE_CHECKING:
    from edge.cache.group_changes import Stamp

#: Changed groups that are remembered, 250 bytes each: a comparison looks at all of them, in 0.1 ms.
REMEMBERED = 2048
#: Groups that one answer names; more: anything may have changed.
MOST_NAMED = 512
#: States whose answers are remembered until the next change.
ANSWERS = 1024
#: Characters of a hash; and what stands for each of them.
HASH_LENGTH = 8
ANY = "*" * HASH_LENGTH
#: Lives of nodes that a state names at most.
LIVES = PUBLISHERS


def group_hash(group: str) -> str:
    """What readers know *group* by: 48 bits of the SHA-256 of its name, in 8 characters of base64url.

    >>> group_hash("ranking")
    '7m-zFnsC'
    """
    return urlsafe_b64encode(sha256(group.encode("utf-8")).digest()[:6]).decode("ascii")


def key_of(hash_: str, site: str) -> str:
    """The group that readers of the site with this prefix know by *hash_*."""
    return hash_ + site


def hash_of(key: str) -> str:
    """What readers know the group *key* by."""
    return key[:HASH_LENGTH]


class GroupChange(NamedTuple):
    """A change, as workers are told of it; *hashes*: None: everything may have changed.

    *site*: the prefix of the site whose application has these groups; None: everything of that node's life is
    doubtful, for all sites.
    """

    hashes: tuple[str, ...] | None
    origin: str
    generation: int
    sequence: int
    site: str | None = ""


class Since(NamedTuple):
    """What has changed for a site since a state; *hashes*: None: it cannot be said."""

    state: bytes
    hashes: list[str] | None


class _Life:
    """One life of a node, as far as its changes are known here."""

    __slots__ = ("doubted", "entries", "floor", "name", "origin", "position")

    def __init__(self, origin: str, name: bytes, position: int) -> None:
        self.origin = origin
        #: Its ID.
        self.name = name
        #: All its changes up to here are in force.
        self.position = position
        #: Changes up to here are not remembered; -1: all are, since it began.
        self.floor = position or -1
        #: Site -> the change with which everything of it became doubtful.
        self.doubted: dict[str, int] = {}
        #: Remembered changed groups.
        self.entries = 0


class GroupHistory:
    """The changes of groups on one node, in the order in which they came into force."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        #: (key, life) -> sequence of the latest change, the oldest first.
        self._latest: dict[tuple[str, _Life], int] = {}
        #: Answers of this edition, by the state that was asked, and the site.
        self._answers: dict[tuple[bytes, str], Since] = {}
        #: By (origin, generation); by ID.
        self._lives: dict[tuple[str, int], _Life] = {}
        self._named: dict[bytes, _Life] = {}
        #: Doubts of each life so far.
        self._doubts: dict[tuple[str, int], int] = {}
        #: Lives that are present ones.
        self._present: dict[str, tuple[str, int]] = {}
        self.state = b""

    def note(self, changes: Iterable[GroupChange], vector: Mapping[str, Stamp]) -> set[str] | None:
        """*changes* are in force, and all that *vector* says; their keys, None: any may have changed.

        With :data:`ANY` for a hash: any of that site.
        """
        changed: set[str] = set()
        doubted = False
        for hashes, origin, generation, sequence, site in changes:
            if site is None:
                doubted = True
                self._doubt(origin, generation, sequence)
                continue
            life = self._life(origin, generation, sequence - 1)
            if hashes is None:
                changed.add(key_of(ANY, site))
                life.doubted[site] = max(sequence, life.doubted.get(site, 0))
                continue
            keys = [key_of(one, site) for one in hashes]
            for one in keys:
                if self._latest.pop((one, life), None) is None:
                    life.entries += 1
                self._latest[one, life] = sequence
            changed.update(keys)
        for origin, (generation, sequence) in vector.items():
            life = self._life(origin, generation, sequence)
            life.position = max(life.position, sequence)
            self._present[origin] = origin, generation
        for origin in [one for one in self._present if one not in vector]:
            del self._present[origin]
        self._forget()
        self._answers.clear()
        self.state = render({life.name: number(life.position) for life in self._lives.values()})
        return None if doubted else changed

    def since(self, state: bytes, site: str = "") -> Since:
        """What has changed since *state* for readers of the site with this prefix."""
        if state == self.state:
            return Since(self.state, [])
        answer = self._answers.get((state, site))
        if answer is None:
            answer = self._since(state, site)
            if len(self._answers) < ANSWERS:
                self._answers[state, site] = answer
        return answer

    def _since(self, state: bytes, site: str) -> Since:
        then = parse(state)
        if then is None or not self.state or any(one not in self._named for one in then):
            return Since(self.state, None)
        known = {one: _value(then[one]) if one in then else -1 for one in self._named}
        if any(known[one] < max(life.floor, life.doubted.get(site, -1)) for one, life in self._named.items()):
            return Since(self.state, None)
        hashes = {
            hash_of(one): None
            for (one, life), sequence in self._latest.items()
            if sequence > known[life.name] and one[HASH_LENGTH:] == site
        }
        if len(hashes) > MOST_NAMED:
            return Since(self.state, None)
        return Since(self._later(known), list(hashes))

    def _later(self, known: dict[bytes, int]) -> bytes:
        """The state of who was at *known* and has what is in force here: the later of both, for each life."""
        furthest = {one: max(life.position, known[one]) for one, life in self._named.items()}
        return render({one: number(position) for one, position in furthest.items()})

    def _life(self, origin: str, generation: int, position: int) -> _Life:
        """*position*: up to where nothing is known of it, if it is new here."""
        key = origin, generation
        life = self._lives.get(key)
        if life is None:
            life = self._lives[key] = _Life(origin, self._name(key), position)
            self._named[life.name] = life
        return life

    def _name(self, key: tuple[str, int]) -> bytes:
        """The ID of a life, another one after each doubt."""
        text = f"{key[0]} {key[1]} {self._doubts.get(key, 0)}"
        value = int.from_bytes(blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")
        return digits(value, ID_LENGTH).encode("ascii")

    def _doubt(self, origin: str, generation: int, sequence: int) -> None:
        """Everything may have changed: no state from before is understood."""
        key = origin, generation
        self._doubts[key] = self._doubts.get(key, 0) + 1
        before = self._lives.pop(key, None)
        if before is not None:
            self._drop(before)
        life = self._life(origin, generation, sequence)
        life.floor = 0  # it has to be in a state: then that is of after the doubt

    def _forget(self) -> None:
        """What is too much, and lives that are over and of which nothing is remembered."""
        while len(self._latest) > self._remembered:
            first = next(iter(self._latest))
            life, sequence = first[1], self._latest.pop(first)
            life.entries -= 1
            life.floor = max(life.floor, sequence)
        over = [key for key, life in self._lives.items() if self._present.get(life.origin) != key]
        for key in over:
            if self._lives[key].entries and len(self._lives) <= LIVES:
                continue
            life = self._lives.pop(key)
            self._drop(life)
            self._doubts.pop(key, None)
            # A state without it may be of before it: that has to be of after it, by what came next.
            present = self._present.get(life.origin)
            if present is not None:
                following = self._lives[present]
                following.floor = max(following.floor, 0)
            else:
                for other in self._lives.values():
                    other.floor = max(other.floor, 0)

    def _drop(self, life: _Life) -> None:
        del self._named[life.name]
        for entry in [one for one in self._latest if one[1] is life]:
            del self._latest[entry]


def _value(text: bytes) -> int:
    """The number that *text* is, as :func:`edge.http.changes.number` writes it."""
    value = 0
    for digit in text.decode("ascii"):
        value = value * 64 + DIGITS.index(digit)
    return value
