"""What workers are told of changes of cache groups: several changes in one message, soon."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edge.cache.group_history import GroupChange, group_hash
from edge.node.process.group_news import GroupNews as Message
from edge.node.process.group_news import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.cache.group_changes import Change, Stamp

#: Seconds between two messages, a hundred a second at most; the first change in a while does not wait.
TOGETHER_SECONDS = 0.01
#: Hashes of one message, 9 bytes each (AMP has room for 65,535).
MOST_HASHES = 4096

_hash = lru_cache(maxsize=65_536)(group_hash)


class GroupNews:
    """The changes that workers have not been told yet."""

    def __init__(self, reactor: Any, site_of: Callable[[str], str | None]) -> None:
        """*site_of*: the prefix of the site that an application belongs to; None: it is not known here."""
        self._reactor = reactor
        self._site_of = site_of
        self._changes: list[GroupChange] = []
        self._hashes = 0
        self._later: Any = None
        self._flushed_at = -TOGETHER_SECONDS
        self._vector: Callable[[], Mapping[str, Stamp]] = dict
        self._tell: Callable[[bytes], None] | None = None

    def begin(self, vector: Callable[[], Mapping[str, Stamp]], tell: Callable[[bytes], None]) -> None:
        """*vector*: how far this node has the changes of all; *tell*: workers."""
        self._vector, self._tell = vector, tell

    def present(self) -> bytes:
        """How things are, for a worker that starts."""
        return pack(Message([], dict(self._vector())))

    def note(self, change: Change, origin: str, stamp: Stamp) -> None:
        """*change* is in force (:data:`edge.gossip.invalidation.Apply`)."""
        groups, application = change.groups, change.application
        site = None if application is None else self._site_of(application)
        # Whose groups they are is unknown where another node has an application that this one has not: then
        # any may have changed, and nobody hears of groups that are another site's.
        hashes = None if groups is None or site is None else tuple(_hash(group) for group in groups)
        self._changes.append(GroupChange(hashes, origin, *stamp, site))
        self._hashes += len(hashes or ()) + 1
        if self._hashes >= MOST_HASHES:
            self._flush()
        elif self._later is None:
            # In a turn of its own: then the vector covers the change.
            since = self._reactor.seconds() - self._flushed_at
            self._later = self._reactor.callLater(max(0.0, TOGETHER_SECONDS - since), self._flush)

    def _flush(self) -> None:
        if self._later is not None and self._later.active():
            self._later.cancel()
        self._later = None
        self._flushed_at = self._reactor.seconds()
        changes, self._changes, self._hashes = self._changes, [], 0
        if self._tell is not None:
            self._tell(pack(Message(changes, dict(self._vector()))))
