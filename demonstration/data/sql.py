"""The store in SQL that SQLite and PostgreSQL both understand.

What differs is behind :class:`Database`: connections, transactions, errors in words, and the triggers that
count votes and write down changes (``migrations/``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from demonstration.data.store import KEPT_COMMENTS, KEPT_IN_ALL, MAX_VOTES, Change, Comment, Score, TooMany
from edge.app.graphql.once import BEGUN_SECONDS, KEPT_SECONDS, Kept

#: Seconds after which a change that was claimed, and not told, is another one's to tell.
CLAIM_SECONDS = 2.0
#: Changes that are claimed at once, and keys that are kept of all visitors.
CLAIMED_AT_ONCE = 500
KEPT_KEYS = 100_000
#: Counting them costs as much as there are: it is done for one in so many.
LOOK_EACH = 64

_FIND_COMMENT = "SELECT id, code, text, at FROM comments WHERE visitor = ? AND key = ?"


class Rows(Protocol):
    """A transaction."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Carry out *statement*, with ``?`` for values; how many rows it changed."""

    def fetch(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that *statement* gives."""


class Database(Protocol):
    """A database of one of the two kinds."""

    def reading(self) -> AbstractContextManager[Rows]:
        """A transaction that only reads."""

    def writing(self) -> AbstractContextManager[Rows]:
        """A transaction; committed when left, rolled back when left by an exception."""

    def wait(self, seconds: float, stopped: threading.Event) -> None:
        """Return when some transaction may have changed something; as :class:`Store` has it."""

    def close(self) -> None:
        """Close all connections."""


class SqlStore:
    """The data in *database*.  Implements :class:`demonstration.data.store.Store`."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._begun = 0

    def vote(self, visitor: str, code: int, wanted: bool) -> tuple[int, list[Change]]:
        if wanted:
            with self._database.reading() as rows:
                count = rows.fetch("SELECT count(*) FROM votes WHERE visitor = ?", (visitor,))[0][0]
            if count >= MAX_VOTES:
                raise TooMany(f"a visitor has {MAX_VOTES:,} votes; take one back first")
        with self._database.writing() as rows:
            if wanted:
                rows.execute(
                    "INSERT INTO votes (visitor, code, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (visitor, code, self._clock()),
                )
            else:
                rows.execute("DELETE FROM votes WHERE visitor = ? AND code = ?", (visitor, code))
            votes = rows.fetch("SELECT votes FROM scores WHERE code = ?", (code,))
            return (votes[0][0] if votes else 0), self._claim_own(rows, "vote", code)

    def comment(
        self, visitor: str, code: int, text: str, key: str, at: float
    ) -> tuple[Comment, list[Change]]:
        with self._database.writing() as rows:
            added = rows.execute(
                "INSERT INTO comments (visitor, key, code, text, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (visitor, key, code, text, at),
            )
            found = Comment(*rows.fetch(_FIND_COMMENT, (visitor, key))[0])
            if not added:
                return found, []
            rows.execute(
                "DELETE FROM comments WHERE code = ? AND id <= (SELECT id FROM comments WHERE code = ?"
                " ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (code, code, KEPT_COMMENTS),
            )
            rows.execute("DELETE FROM comments WHERE id <= ?", (found.id - KEPT_IN_ALL,))
            return found, self._claim_own(rows, "comment", code)

    def scores(self, codes: Sequence[int]) -> dict[int, int]:
        if not codes:
            return {}
        marks = ",".join("?" * len(codes))
        with self._database.reading() as rows:
            return dict(
                rows.fetch(f"SELECT code, votes FROM scores WHERE votes > 0 AND code IN ({marks})", codes)
            )

    def top(self, first: int) -> list[Score]:
        with self._database.reading() as rows:
            found = rows.fetch(
                "SELECT code, votes FROM scores WHERE votes > 0 ORDER BY votes DESC, code LIMIT ?", (first,)
            )
        return [Score(*row) for row in found]

    def comments(self, code: int | None, first: int) -> list[Comment]:
        where, values = ("WHERE code = ?", (code,)) if code is not None else ("", ())
        with self._database.reading() as rows:
            found = rows.fetch(
                f"SELECT id, code, text, at FROM comments {where} ORDER BY id DESC LIMIT ?", (*values, first)
            )
        return [Comment(*row) for row in found]

    # Changes

    def _claim_own(self, rows: Rows, kind: str, code: int) -> list[Change]:
        """Claim what this transaction has changed; who changed the same before is told of as well."""
        found = rows.fetch(
            "UPDATE changes SET claimed_at = ? WHERE claimed_at = 0 AND kind = ? AND code = ?"
            " RETURNING id, kind, code",
            (self._clock(), kind, code),
        )
        return [Change(*row) for row in found]

    def claim(self) -> list[Change]:
        now = self._clock()
        with self._database.reading() as rows:
            if not rows.fetch("SELECT 1 FROM changes WHERE claimed_at < ? LIMIT 1", (now - CLAIM_SECONDS,)):
                return []
        with self._database.writing() as rows:
            found = rows.fetch(
                "UPDATE changes SET claimed_at = ? WHERE id IN"
                " (SELECT id FROM changes WHERE claimed_at < ? ORDER BY id LIMIT ?) AND claimed_at < ?"
                " RETURNING id, kind, code",
                (now, now - CLAIM_SECONDS, CLAIMED_AT_ONCE, now - CLAIM_SECONDS),
            )
        return [Change(*row) for row in found]

    def told(self, changes: Iterable[Change]) -> None:
        numbers = [change.id for change in changes]
        if numbers:
            marks = ",".join("?" * len(numbers))
            with self._database.writing() as rows:
                rows.execute(f"DELETE FROM changes WHERE id IN ({marks})", numbers)

    # Keys of mutations: as edge.app.graphql.Once has it

    def begin(self, who: str, key: str, fingerprint: str) -> Kept | None:
        now = self._clock()
        with self._database.writing() as rows:
            rows.execute(
                "DELETE FROM answers WHERE at < ? OR (status = 0 AND at < ? AND who = ? AND key = ?)",
                (now - KEPT_SECONDS, now - BEGUN_SECONDS, who, key),
            )
            if rows.execute(
                "INSERT INTO answers (who, key, fingerprint, status, body, at) VALUES (?, ?, ?, 0, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (who, key, fingerprint, b"", now),
            ):
                self._begun += 1
                if self._begun % LOOK_EACH == 0:
                    rows.execute(
                        "DELETE FROM answers WHERE at <="
                        " (SELECT at FROM answers ORDER BY at DESC LIMIT 1 OFFSET ?)",
                        (KEPT_KEYS,),
                    )
                return None
            found = rows.fetch(
                "SELECT fingerprint, status, body FROM answers WHERE who = ? AND key = ?", (who, key)
            )
        kept, status, body = found[0]
        return Kept(kept, status, bytes(body))

    def finish(self, who: str, key: str, status: int, body: bytes) -> None:
        with self._database.writing() as rows:
            rows.execute(
                "UPDATE answers SET status = ?, body = ? WHERE who = ? AND key = ?", (status, body, who, key)
            )

    def abandon(self, who: str, key: str) -> None:
        with self._database.writing() as rows:
            rows.execute("DELETE FROM answers WHERE who = ? AND key = ? AND status = 0", (who, key))

    def renew(self, changes: Iterable[Change]) -> None:
        """Nothing: each read asks the database."""

    def wait(self, seconds: float, stopped: threading.Event) -> None:
        self._database.wait(seconds, stopped)

    def close(self) -> None:
        self._database.close()
