"""The protocol of a store: what services ask of the data, whatever keeps them.

A write gives the *changes* that it made, as rows of the database say them.  Such a row is written in the
transaction of the write itself, by a trigger, whichever program writes; it is deleted once all nodes have
been told.  So a process that dies in between, and a program that knows nothing of nodes, leave nothing
stale: another process *claims* the row and tells (``claim``).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.app.graphql.once import Kept

#: Comments that are kept of a character, the latest ones.
KEPT_COMMENTS = 200
#: And of all characters.
KEPT_IN_ALL = 100_000
#: Votes of one visitor.
MAX_VOTES = 2000


class StoreError(Exception):
    """The data cannot be had; str() is a sentence with what to do about it, for the operator."""


class Unavailable(StoreError):
    """The data cannot be had now, and may be soon: busy, or the database is being restarted."""


class TooMany(Exception):
    """A visitor has as much as one may have; str() says so, for the visitor."""


class Score(NamedTuple):
    """A character and its votes."""

    code: int
    votes: int


class Comment(NamedTuple):
    """A comment; *at* in Unix seconds."""

    id: int
    code: int
    text: str
    at: float


class Change(NamedTuple):
    """A row of a change: its number, "vote" or "comment", and of which character."""

    id: int
    kind: str
    code: int


class Store(Protocol):
    """The data.

    All of it may be called in any thread.  Each call is one transaction, or a :class:`StoreError`.
    """

    def vote(self, visitor: str, code: int, wanted: bool) -> tuple[int, list[Change]]:
        """Have *visitor*'s vote for *code* be there, or not; (votes of *code*, what changed).

        :class:`TooMany`: he has as many as one may have.
        """

    def comment(
        self, visitor: str, code: int, text: str, key: str, at: float
    ) -> tuple[Comment, list[Change]]:
        """Add a comment, or find the one that *visitor* has added with *key* before; (it, what changed)."""

    def scores(self, codes: Sequence[int]) -> dict[int, int]:
        """The votes of those of *codes* that have some."""

    def top(self, first: int) -> list[Score]:
        """The *first* characters with most votes; of equal ones the smallest code point first."""

    def comments(self, code: int | None, first: int) -> list[Comment]:
        """The *first* latest comments on *code*, or on any character."""

    def claim(self) -> list[Change]:
        """Changes that nobody has told yet, for the caller to tell."""

    def told(self, changes: Iterable[Change]) -> None:
        """Forget *changes*: all nodes have been told."""

    def renew(self, changes: Iterable[Change]) -> None:
        """Have nothing that was read before *changes* be given any more, where reads are kept."""

    def wait(self, seconds: float, stopped: threading.Event) -> None:
        """Return when something may be there to be claimed, after *seconds*, or soon after *stopped* is set.

        One thread does that.
        """

    def begin(self, who: str, key: str, fingerprint: str) -> Kept | None:
        """Claim a key of a mutation: as :class:`edge.app.graphql.Once` has it."""

    def finish(self, who: str, key: str, status: int, body: bytes) -> None:
        """Keep the answer to a mutation."""

    def abandon(self, who: str, key: str) -> None:
        """Forget the claim of a key."""

    def close(self) -> None:
        """Give the connections back."""
