"""Marks on keys, for a while: for one reader alone ("pass"), or for all ("shareable").

Bounded, so that a stranger who asks for ever new addresses costs little memory: the oldest marks go first,
and long names are kept as digests.  What a mark is lost for costs one more question to the application, never
a wrong answer.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

#: Seconds for which a key is passed on whole after an answer that may not be shared.
PASS_SECONDS = 60.0
#: Seconds for which it is remembered that a key may be shared and is not stored yet.
SHAREABLE_SECONDS = 600.0
#: Marks that are kept.
CAPACITY = 65_536
#: Bytes of a name that is kept as it is: a digest costs a microsecond.
_SHORT = 96


class Marks:
    """Names of keys that bear a mark, with the time at which it ends."""

    def __init__(self, seconds: float, capacity: int = CAPACITY) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def add(self, name: bytes, now: float) -> None:
        """Mark *name* from now on."""
        name = _key(name)
        self._until[name] = now + self._seconds
        self._until.move_to_end(name)
        if len(self._until) > self._capacity:
            self._until.popitem(last=False)

    def has(self, name: bytes, now: float) -> bool:
        """Whether *name* bears the mark."""
        name = _key(name)
        until = self._until.get(name)
        if until is None:
            return False
        if until > now:
            return True
        del self._until[name]
        return False

    def left(self, name: bytes, now: float) -> float:
        """Seconds for which *name* bears the mark still; 0.0: it bears none."""
        return max(0.0, self._until.get(_key(name), now) - now)

    def discard(self, name: bytes) -> None:
        """Take the mark away."""
        self._until.pop(_key(name), None)

    def __len__(self) -> int:
        return len(self._until)


def _key(name: bytes) -> bytes:
    """What stands for *name*; no name begins like a digest's."""
    return name if len(name) <= _SHORT else b"\xff" + blake2b(name, digest_size=16).digest()
