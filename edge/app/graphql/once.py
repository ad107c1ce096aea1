"""Mutations that are done once, though they come twice: Idempotency-Key.

(draft-ietf-httpapi-idempotency-key-header-07.)  Who gets no answer sends the same again, with the same key,
and is given the first answer.  What is kept is bounded in number and in age.  An application of several
processes keeps it where all of them look: its database (see :class:`Once`).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds that an answer is kept: clients try for a week at most, most of them for minutes.
KEPT_SECONDS = 7 * 86_400.0
#: Seconds after which who began a mutation is taken for dead.
BEGUN_SECONDS = 60.0


class Kept(NamedTuple):
    """What is known of a key."""

    #: Of the request that it came with first: another one may not use it.
    fingerprint: str
    #: Status and body of the first answer; 0: it is being made.
    status: int
    body: bytes


class Once(Protocol):
    """Where keys are kept.  All of it may be called in any thread, and :meth:`begin` by many at once."""

    def begin(self, who: str, key: str, fingerprint: str) -> Kept | None:
        """Claim *key* of *who*, and None; or what is kept of it."""

    def finish(self, who: str, key: str, status: int, body: bytes) -> None:
        """Keep the answer."""

    def abandon(self, who: str, key: str) -> None:
        """Forget the claim: nothing was done."""


class OnceInMemory:
    """The keys of one process.  Implements :class:`Once`."""

    def __init__(self, most: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        #: (who, key): (when, what), the oldest first.
        self._kept: OrderedDict[tuple[str, str], tuple[float, Kept]] = OrderedDict()

    def begin(self, who: str, key: str, fingerprint: str) -> Kept | None:
        now = self._clock()
        with self._lock:
            found = self._kept.get((who, key))
            if found is not None:
                at, kept = found
                if now - at < (KEPT_SECONDS if kept.status else BEGUN_SECONDS):
                    return kept
                del self._kept[who, key]
            self._kept[who, key] = now, Kept(fingerprint, 0, b"")
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return None

    def finish(self, who: str, key: str, status: int, body: bytes) -> None:
        with self._lock:
            found = self._kept.get((who, key))
            if found is not None:
                self._kept[who, key] = self._clock(), Kept(found[1].fingerprint, status, body)

    def abandon(self, who: str, key: str) -> None:
        with self._lock:
            self._kept.pop((who, key), None)
