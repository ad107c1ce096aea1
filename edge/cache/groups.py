"""Cache groups of one node (RFC 9875): what is in them, what has changed, and what that spoils.

::

    fill begins   token = groups.begin()                       before the application is asked
    answer comes  groups.spoils(application, names, token)     one of its groups changed since: not stored
                  groups.put(entry, application, names, name)  stored: it can be taken back
    a change      groups.apply(change, ...)                    the entries that are to be removed now
    entry leaves  groups.drop(entry)

Groups are an application's own: the same name in another application is another group.  What arrives as the
change of *everything* of an application (an invalidation that cannot be read), or touches more than
:data:`MANY` entries, is not enumerated: all entries of that application are doubtful then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

from edge.cache.group_changes import ALL, GroupChanges
from edge.cache.keys import address_of
from edge.cache.memberships import MEMBERSHIPS, Memberships

if TYPE_CHECKING:
    from edge.cache.group_changes import Change, Stamp, VersionVector

#: Entries that are taken back one by one, in 0.1 s; of more than these, all of the application are doubted.
MANY = 10_000


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

    def spoils(self, application: str, groups: Iterable[str], token: int, name: bytes = b"") -> bool:
        """Whether the answer of a fill with *token* may not be stored under *name*."""
        if token == self._changes.position:
            return False  # nothing has changed since
        return self._changes.spoils(self._hashes(application, [*groups, _addressed(name)]), token)

    def spoils_from(
        self, application: str, groups: Iterable[str], vector: VersionVector, name: bytes = b""
    ) -> bool:
        """Whether an answer for which another node vouches as of *vector* may not be stored here.

        *name*: that of the key under which it would be.
        """
        return self._changes.spoils_from(self._hashes(application, [*groups, _addressed(name)]), vector)

    def put(self, entry: int, application: str, groups: Iterable[str], name: bytes = b"") -> bool:
        """*entry* is in the table, in these groups; False: it cannot be, since it could not be taken back.

        One variant of several is in the group of its address, so that who names that need not name them.
        """
        hashes = [self._hash(application, group) for group in groups]
        if b"\n" in name:
            hashes.append(self._hash(application, _addressed(name)))
        return self._memberships.put(entry, hashes)

    def drop(self, entry: int) -> None:
        """*entry* is not in the table any more."""
        self._memberships.drop(entry)

    def apply(self, change: Change, origin: str, stamp: Stamp) -> list[int] | None:
        """*change* is in force: the entries to be removed; None: all of its application are doubtful.

        What is stored under the very name of one of its addresses is for the caller to remove.  *origin*,
        *stamp*: who made the change, and its position in the log of that node.
        """
        application = change.application
        if change.groups is None or application is None:
            everything = ALL if application is None else self._hash(application, None)
            self._changes.note(everything, [everything], origin, stamp)
            return None
        addressed = map(_addressed, change.addresses)
        changed = [self._hash(application, group) for group in (*change.groups, *addressed)]
        self._changes.note(self._hash(application, None), changed, origin, stamp)
        if sum(map(self._memberships.count, changed)) > MANY:
            return None
        return sorted({entry for value in changed for entry in self._memberships.members(value)})

    def forget(self, origin: str) -> None:
        """The node *origin* has left: nothing vouches for its changes any more, and nothing has to."""
        self._changes.forget(origin)

    def _hashes(self, application: str, groups: Iterable[str]) -> list[int]:
        return [ALL, self._hash(application, None), *(self._hash(application, group) for group in groups)]

    def _hash(self, application: str, group: str | None) -> int:
        """64 bits that stand for a group; None: for everything of the application."""
        name = application.encode() + (b"\0" + group.encode() if group is not None else b"")
        return int.from_bytes(blake2b(name, digest_size=8, key=self._key).digest(), "little")


def _addressed(name: bytes) -> str:
    """What stands for the address of a key among groups: none of those has a line feed."""
    return "\n" + address_of(name).decode("latin-1")
