"""Cache groups of one node (RFC 9875): what is in them, what has changed, and what that spoils.

::

    fill begins   token = groups.begin()                       before the application is asked
    answer comes  groups.spoils(application, names, token)     one of its groups changed since: not stored
                  groups.put(entry, application, names)        stored: it can be taken back
    a change      groups.apply(change, ...)                    the entries that are to be removed now
    entry leaves  groups.drop(entry)

Groups are an application's own: the same name in another application is another group.  What arrives as the
change of *everything* of an application (an invalidation that cannot be read), or touches more than
:data:`MANY` entries, is not enumerated: all entries are doubtful then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

from edge.cache.group_changes import GroupChanges
from edge.cache.memberships import MEMBERSHIPS, Memberships

if TYPE_CHECKING:
    from edge.cache.group_changes import Change, Stamp, VersionVector

#: Entries that are removed one by one, in 50 ms; more than these are doubted all at once.
MANY = 10_000
#: In every group: what changes when everything of all applications does.
_ALL = 0


class Groups:
    """The groups of the entries of one table, and the changes applied to them.

    *key*: of the hashes of groups, so that nobody can make two collide; *limit*: memberships.
    """

    def __init__(self, key: bytes | None = None, limit: int = MEMBERSHIPS) -> None:
        self._key = key or os.urandom(16)
        self._changes = GroupChanges()
        self._memberships = Memberships(limit)

    @property
    def position(self) -> int:
        """Changes applied here so far, whoever made them."""
        return self._changes.position

    @property
    def memberships(self) -> int:
        """Memberships in the index."""
        return len(self._memberships)

    def begin(self) -> int:
        """The token of a fill that begins now."""
        return self._changes.position

    def spoils(self, application: str, groups: Iterable[str], token: int) -> bool:
        """Whether the answer of a fill with *token* may not be stored."""
        if token == self._changes.position:
            return False  # nothing has changed since
        return self._changes.spoils(self._hashes(application, groups), token)

    def spoils_from(
        self, application: str, groups: Iterable[str], vector: VersionVector, name: bytes = b""
    ) -> bool:
        """Whether an answer for which another node vouches as of *vector* may not be stored here.

        *name*: that of the key under which it would be.
        """
        return self._changes.spoils_from(self._hashes(application, [*groups, _named(name)]), vector)

    def spoils_named(self, application: str, groups: Iterable[str], token: int, name: bytes) -> bool:
        """As :meth:`spoils`, also by changes of what is stored under *name*."""
        return self._changes.spoils(self._hashes(application, [*groups, _named(name)]), token)

    def put(self, entry: int, application: str, groups: Iterable[str]) -> bool:
        """*entry* is in the table, in these groups; False: it cannot be, since it could not be taken back."""
        return self._memberships.put(entry, [self._hash(application, group) for group in groups])

    def drop(self, entry: int) -> None:
        """*entry* is not in the table any more."""
        self._memberships.drop(entry)

    def apply(self, change: Change, origin: str, stamp: Stamp) -> list[int] | None:
        """*change* is in force: the entries of its groups, which are to be removed; None: all are doubtful.

        What is stored under its names is for the caller to remove.  *origin*, *stamp*: who made the change,
        and its position in the log of that node.
        """
        application = change.application
        if change.groups is None or application is None:
            everything = [_ALL if application is None else self._hash(application, None)]
            self._changes.note(everything, origin, stamp)
            return None
        changed = [self._hash(application, group) for group in change.groups]
        targets = dict.fromkeys(
            _named(name) for name in change.names
        )  # as few as can be: they are remembered
        named = [self._hash(application, target) for target in targets]
        self._changes.note([*changed, *named], origin, stamp)
        entries: set[int] = set()
        for value in changed:
            entries.update(self._memberships.members(value, MANY + 1))
            if len(entries) > MANY:
                return None
        return sorted(entries)

    def forget(self, origin: str) -> None:
        """The node *origin* has left: nothing vouches for its changes any more, and nothing has to."""
        self._changes.forget(origin)

    def _hashes(self, application: str, groups: Iterable[str]) -> list[int]:
        return [_ALL, self._hash(application, None), *(self._hash(application, group) for group in groups)]

    def _hash(self, application: str, group: str | None) -> int:
        """64 bits that stand for a group; None: for everything of the application."""
        name = application.encode() + (b"\0" + group.encode() if group is not None else b"")
        return int.from_bytes(blake2b(name, digest_size=8, key=self._key).digest(), "little")


def _named(name: bytes) -> str:
    """What stands for the name of a key, in all its variants, among groups: none of those has a line feed."""
    return "\n" + name.partition(b"\n")[0].decode("latin-1")
