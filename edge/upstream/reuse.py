"""Which open connection the next question goes on.

A server closes a connection that rests, and may do so while a question is on its way to it.  Then nobody
knows whether the question was read (RFC 9112 section 9.3.1).  Two rules follow:

* The connection that rested the shortest is taken, and one that rested longer than :data:`IDLE_SECONDS`, or
  than the server said itself (``Keep-Alive: timeout=N``), is closed.
* A question that may not be asked twice goes on a connection that rested less than :data:`FRESH_SECONDS`,
  or on a new one.  The shortest wait that we know of is 2 s (gunicorn; uvicorn: 5 s).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: For how long a connection may rest.  Half of what most servers wait; nobody needs more, for who asks rarely
#: does not mind a new one.
IDLE_SECONDS = 30.0
#: For how long it may have rested if the question on it may not be asked again.
FRESH_SECONDS = 1.0
#: Seconds that the answer, and the close, may be on their way.
_MARGIN = 1.0

_TIMEOUT = re.compile(rb"(?:\A|[ \t,;])timeout[ \t]*=[ \t]*\"?([0-9]{1,9})", re.IGNORECASE)


def rest_of(keep_alive: bytes | None) -> float:
    """The seconds that a connection may rest, by the value of Keep-Alive in its last answer."""
    found = _TIMEOUT.search(keep_alive) if keep_alive else None
    return min(IDLE_SECONDS, max(0.0, int(found[1]) - _MARGIN)) if found else IDLE_SECONDS


def _nobody(more: int) -> None:
    """Nobody counts."""


class Resting(Generic[T]):
    """The connections of one server that have nothing to do, at most *limit*.

    *count* is told how many more there are, below 0: fewer.
    """

    def __init__(self, limit: int, count: Callable[[int], None] = _nobody) -> None:
        self._limit = limit
        self._count = count
        #: Connection -> (since when it rests, until when it may); the last one rests the shortest.
        self._since: dict[T, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._since)

    def rest(self, connection: T, now: float, seconds: float = IDLE_SECONDS) -> T | None:
        """*connection* has nothing to do, and may rest for *seconds*; which one has to be closed for it."""
        if seconds <= 0 or not self._limit:
            return connection
        oldest = next(iter(self._since)) if len(self._since) >= self._limit else None
        if oldest is not None:
            del self._since[oldest]
        else:
            self._count(1)
        self._since[connection] = now, now + seconds
        return oldest

    def take(self, now: float, repeatable: bool) -> T | None:
        """A connection for the next question; None: a new one is needed."""
        if not self._since:
            return None
        connection, (since, until) = self._since.popitem()
        if now < until and (repeatable or now - since < FRESH_SECONDS):
            self._count(-1)
            return connection
        self._since[connection] = since, until
        return None

    def gone(self, connection: T) -> None:
        """The server has closed *connection*."""
        if self._since.pop(connection, None) is not None:
            self._count(-1)

    def expired(self, now: float) -> list[T]:
        """Those that have rested long enough: close them."""
        over = [connection for connection, (_, until) in self._since.items() if until <= now]
        for connection in over:
            del self._since[connection]
        self._count(-len(over))
        return over

    def clear(self) -> list[T]:
        """Every connection that rests: close it."""
        every = list(self._since)
        self._since.clear()
        self._count(-len(every))
        return every
