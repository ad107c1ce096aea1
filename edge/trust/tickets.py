"""Keys of session tickets that all nodes share: a client that changes the node resumes its session there.

A ticket (RFC 8446 section 4.6.1) holds the state of a session, sealed by the server for itself.  Here each
key has an *epoch*, a number; tickets are sealed under a key of the newest epoch and opened under those of the
:data:`EPOCHS` newest.  What a node knows is a :class:`KeyRing`, and two rings merge by themselves::

    merged = all keys of both, of the newest EPOCHS epochs, at most PER_EPOCH of each (the first by name)

which is commutative, associative and idempotent: whoever tells whom in which order, all come to the same
ring, also after a partition in which each side has made keys.  All then seal under the same one: the first by
name of the newest epoch.

**Who makes the next.**  :data:`PERIOD` after a node has learnt of its newest epoch it is time for another.
The live node whose name comes first makes it; the one at place *r* waits r * :data:`TURN` longer, so that
another one steps in.  Only spans of time count, never what a clock shows: clocks may differ by years.

No node makes epochs faster than it lives: a key whose epoch is more than :data:`EPOCH_STEP` ahead of what
is known here comes from a node that lies, and is not taken.  So nobody can use up the numbers, after the
last of which there would be no next key.  Whoever has the key of a node has these keys in any case; they
are worth no more than that node was trusted with.

Sans-IO: random bytes and times are given, in seconds of a clock that does not jump.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

#: Epochs whose keys open tickets: the newest, and two old ones.
EPOCHS = 3
#: Keys of one epoch that are kept: as many as nodes made it without knowing of each other.
PER_EPOCH = 5
#: Seconds for which tickets are sealed under one key.
PERIOD = 12 * 3600.0
#: Seconds by which each further node waits longer.
TURN = 60.0
#: More than any cluster can have made; and more than one can have made while a node was away: 90 years of
#: keys.
EPOCH_LIMIT = 1 << 40
EPOCH_STEP = 1 << 16
#: Bytes of the parts of a key.
NAME_BYTES, CIPHER_BYTES, MAC_BYTES = 16, 32, 32
#: Bytes of a packed ring.
RING_BYTES = 4096


class Key(msgspec.Struct, frozen=True, array_like=True, order=True):  # by epoch, then by name
    """The key of one epoch: what a ticket under it is called, its cipher's key and its MAC's."""

    epoch: Annotated[int, Meta(ge=1, lt=EPOCH_LIMIT)]
    name: Annotated[bytes, Meta(min_length=NAME_BYTES, max_length=NAME_BYTES)]
    cipher: Annotated[bytes, Meta(min_length=CIPHER_BYTES, max_length=CIPHER_BYTES)]
    mac: Annotated[bytes, Meta(min_length=MAC_BYTES, max_length=MAC_BYTES)]

    def __repr__(self) -> str:
        return f"Key({self.epoch}, {self.name.hex()})"


def make_key(epoch: int, random: Callable[[int], bytes]) -> Key:
    """A new key of *epoch*, of *random* bytes."""
    return Key(epoch, random(NAME_BYTES), random(CIPHER_BYTES), random(MAC_BYTES))


class KeyRing(NamedTuple):
    """The keys that a node has, newest first; the first one seals."""

    keys: tuple[Key, ...] = ()

    @property
    def epoch(self) -> int:
        """The newest epoch; 0: there is no key."""
        return self.keys[0].epoch if self.keys else 0

    def merged(self, others: Iterable[Key]) -> KeyRing:
        """With the keys of *others*."""
        known = {*self.keys, *others}
        newest = max((key.epoch for key in known), default=0)
        kept: list[Key] = []
        for epoch in range(newest, max(newest - EPOCHS, 0), -1):
            kept += sorted(key for key in known if key.epoch == epoch)[:PER_EPOCH]
        return KeyRing(tuple(kept))

    def believed(self, others: Iterable[Key]) -> list[Key]:
        """Those of *others* that a node may have made while this one was away."""
        return [key for key in others if key.epoch <= self.epoch + EPOCH_STEP]

    def with_next(self, random: Callable[[int], bytes]) -> KeyRing:
        """With a new key of the next epoch."""
        return self.merged([make_key(self.epoch + 1, random)])


class Rotation:
    """When *me* makes the next key; *age*: for how long it knows its newest epoch already, in seconds."""

    def __init__(self, me: str, now: float, age: float = 0.0) -> None:
        self._me = me
        self._since = now - min(max(age, 0.0), PERIOD)

    def learnt(self, now: float) -> None:
        """There is a newer epoch."""
        self._since = now

    def age(self, now: float) -> float:
        """Seconds since this node has learnt of the newest epoch."""
        return now - self._since

    def is_due(self, live: Collection[str], now: float) -> bool:
        """Whether this node, which sees these nodes *live*, makes the next key *now*."""
        place = sorted({*live, self._me}).index(self._me)
        return self.age(now) >= PERIOD + place * TURN


_DECODER = msgspec.msgpack.Decoder(Annotated[tuple[Key, ...], Meta(max_length=EPOCHS * PER_EPOCH)])


def encode(ring: KeyRing) -> bytes:
    """*ring* packed: the keys themselves."""
    return msgspec.msgpack.encode(ring.keys)


def decode(data: bytes) -> KeyRing:
    """The ring in *data*; :exc:`ValueError` if there is none."""
    if len(data) > RING_BYTES:
        raise ValueError(f"{len(data)} bytes are no keys of tickets")
    try:
        return KeyRing().merged(_DECODER.decode(data))
    except msgspec.MsgspecError as error:
        raise ValueError(f"no keys of tickets: {error}") from None
