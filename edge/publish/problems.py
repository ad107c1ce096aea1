"""Problems: why a file could not be published, one :class:`Problem` per file.

A problem never stops a scan.  Whether the version published before stays is decided by its kind:
see :data:`KEEPS_OLD`.  What stops a scan (no webroot at all) is a :class:`edge.errors.PublishError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """Why a file was not published as it is on disk."""

    LEAVES_ROOT = "leaves-root"
    LOOP = "loop"
    DANGLING = "dangling"
    SPECIAL = "special"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    CHANGING = "changing"
    WRITING = "writing"
    CHANGED = "changed"
    UNNAMEABLE = "unnameable"
    RESERVED = "reserved"
    TOO_MANY = "too-many"
    SIBLING = "sibling"
    STORE = "store"
    DAMAGED = "damaged"
    WATCH = "watch"
    NO_CLIENT = "no-client"
    CLIENT_RULES = "client-rules"


#: After these the old version of the file (or of everything in the directory) stays published:
#: the file may well be there, only this scan could not get it whole.
KEEPS_OLD = frozenset({Kind.UNREADABLE, Kind.CHANGING, Kind.WRITING, Kind.STORE, Kind.DAMAGED})

#: With these it is published all the same, and there is something to say of it.
PUBLISHED = frozenset({Kind.CHANGED, Kind.NO_CLIENT, Kind.CLIENT_RULES})


class Problem(NamedTuple):
    """One file or directory that was not published as it is on disk."""

    kind: Kind
    #: Path relative to the webroot, as the file system has it (surrogateescape); "" is the webroot.
    name: str
    #: One sentence for a person: what is wrong and what was done about it.
    text: str

    def __str__(self) -> str:
        return f"{printable(self.name) or '.'}: {self.text}"


Report = Callable[[Problem], None]


def printable(name: str) -> str:
    """*name* with everything that could disturb a terminal or a log line escaped.

    >>> printable("a\\nb\\udcff.html")
    'a\\\\nb\\\\xff.html'
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def reason(error: OSError) -> str:
    """The operating system's words for *error*, without numbers and paths."""
    return (error.strerror or str(error) or type(error).__name__).lower()
