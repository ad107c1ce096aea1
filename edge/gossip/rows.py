"""The change logs on disk: an SQLite database, ``replica.sqlite`` in the state directory.

One row for each path: the change that counts, of whichever node.  What it replaced is gone, so that a log
never grows beyond the number of paths.  Header lines are stored once (table ``heads``).  ``origins`` holds
the version vector: how far each node's log is here; ``published`` the record of what this node has published
(:mod:`edge.gossip.published`).  Reading a log goes by the index (origin, rank,
sequence), never through all rows.

Write-ahead logging; :meth:`Rows.commit` makes the changes so far durable against a kill of the process.
:meth:`Rows.checkpoint` writes them back, with a connection of its own, so that a thread can do it: nothing
else ever waits for the disk.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from edge.errors import EdgeError
from edge.gossip.buckets import bucket_of
from edge.gossip.changes import Change, PackedRecord, Record, rank

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origins (id INTEGER PRIMARY KEY, name TEXT UNIQUE, generation INTEGER,
                                    sequence INTEGER);
CREATE TABLE IF NOT EXISTS heads (id INTEGER PRIMARY KEY, lines BLOB UNIQUE);
CREATE TABLE IF NOT EXISTS changes (path BLOB PRIMARY KEY, origin INTEGER, sequence INTEGER, clock INTEGER,
                                    modified INTEGER, rank INTEGER, bucket INTEGER, records BLOB)
                                    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published (node TEXT, path BLOB, clock INTEGER, fingerprint BLOB,
                                      PRIMARY KEY (node, path)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS log ON changes (origin, rank, sequence);
CREATE INDEX IF NOT EXISTS buckets ON changes (bucket);
CREATE INDEX IF NOT EXISTS tombstones ON changes (clock) WHERE records IS NULL;
"""
_VERSION = 1
_COLUMNS = "path, origin, sequence, clock, modified, records"
_RECORDS = msgspec.msgpack.Decoder(tuple[PackedRecord, ...])
#: What SQLite says when it is not the file's fault.
_OUTSIDE = ("unable to open", "is full", "locked", "disk I/O error", "permission")
#: Bytes of the page cache.
_CACHE_KIB = 16 * 1024


def _is_from_outside(error: str, path: str) -> bool:
    """Whether *error* says nothing of the file's contents; a damaged head can make it "readonly", too."""
    if "readonly" in error:
        return not all(os.access(one, os.W_OK) for one in (path, os.path.dirname(path) or "."))
    return any(sign in error for sign in _OUTSIDE)


class RowsError(EdgeError):
    """The change log cannot be used."""


class Rows:
    """The database of change logs.  *path*: a file, or ``:memory:``."""

    def __init__(self, path: str) -> None:
        """:class:`sqlite3.DatabaseError` if it is no change log; see :meth:`open`."""
        #: What was wrong with the file, a sentence.
        self.problem = ""
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            self._prepare()
        except BaseException:
            self._db.close()  # before the file is moved: closing it later would take the next one's log along
            raise

    def _prepare(self) -> None:
        execute = self._db.execute
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=NORMAL")
        execute("PRAGMA wal_autocheckpoint=0")
        execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        execute("PRAGMA cache_spill=OFF")  # what is not committed waits in memory: a full disk stops nothing
        version = execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"of version {version}, this program writes {_VERSION}")
        self._db.executescript(_SCHEMA)
        execute(f"PRAGMA user_version={_VERSION}")
        self._names: dict[int, str] = dict(execute("SELECT id, name FROM origins"))
        self._ids = {name: number for number, name in self._names.items()}
        self._lines: dict[int, bytes] = dict(execute("SELECT id, lines FROM heads"))
        self._heads = {lines: number for number, lines in self._lines.items()}
        self._verify()
        execute("BEGIN")
        self._committed = self._db.total_changes

    def _verify(self) -> None:
        """:class:`sqlite3.DatabaseError` if anything in the file cannot be read."""
        [found] = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(str(found).replace("\n", " "))
        try:
            for row in self._db.execute(f"SELECT {_COLUMNS} FROM changes"):
                change = self._change(row)
                if not (isinstance(change.path, bytes) and isinstance(change.clock + change.sequence, int)):
                    raise TypeError("a column of another type")
            for _, numbers in self.positions().items():
                sum(numbers)
        except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
            raise sqlite3.DatabaseError(f"a row that cannot be read: {error}") from None

    @classmethod
    def open(cls, path: str) -> Rows:
        """The log in the file *path*; a damaged one is set aside and a new one begun (:attr:`problem`)."""
        try:
            return cls(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and _is_from_outside(str(error), path):
                raise RowsError(
                    f"{path}: cannot be used ({error}); see its permissions and the room on its disk"
                ) from None
            return cls._anew(path, error)

    @classmethod
    def _anew(cls, path: str, damage: sqlite3.DatabaseError) -> Rows:
        """Set *path* aside and begin a new log."""
        aside = f"{path}.damaged"
        try:
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.replace(path + suffix, aside + suffix)
            os.replace(path, aside)
            rows = cls(path)
        except (OSError, sqlite3.Error) as error:
            raise RowsError(f"{path}: is damaged ({damage}), and no new one can be made: {error}") from None
        rows.problem = f"{path} is damaged ({damage}): moved to {aside}, the node joins afresh"
        return rows

    @property
    def uncommitted(self) -> int:
        """Rows that were changed since the last commit."""
        return self._db.total_changes - self._committed

    @property
    def size(self) -> int:
        """Bytes of the database without its write-ahead log."""
        pages, of = (self._db.execute(f"PRAGMA page_{what}").fetchone()[0] for what in ("count", "size"))
        return int(pages * of)

    def commit(self) -> None:
        """Make what was written durable."""
        if self.uncommitted:
            if self._db.in_transaction:  # not after a commit that failed
                self._db.execute("COMMIT")
            self._db.execute("BEGIN")
            self._committed = self._db.total_changes

    @staticmethod
    def checkpoint(path: str) -> None:
        """Write the log back into the file *path*; may be called from any thread."""
        db = sqlite3.connect(path, timeout=0.1)
        try:
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            db.close()

    def close(self) -> None:
        """Commit, if that is possible, and close."""
        with suppress(sqlite3.Error):
            self._db.execute("COMMIT")
        self._db.close()

    def kill(self) -> None:
        """Close as a kill of the process does: what is not committed is lost."""
        self._db.close()

    # Small facts

    def meta(self, key: str, default: int = 0) -> int:
        """A number kept under *key*."""
        found = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return int(found[0]) if found else default

    def set_meta(self, key: str, value: int) -> None:
        """Keep a number under *key*."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def positions(self) -> dict[str, tuple[int, int]]:
        """Origin -> (generation, sequence)."""
        query = "SELECT name, generation, sequence FROM origins WHERE generation IS NOT NULL"
        return {name: (generation, sequence) for name, generation, sequence in self._db.execute(query)}

    def set_position(self, origin: str, generation: int, sequence: int) -> None:
        """How far *origin*'s log is here."""
        update = "UPDATE origins SET generation=?, sequence=? WHERE id=?"
        self._db.execute(update, (generation, sequence, self._origin(origin)))

    # Changes

    def get(self, path: bytes) -> Change | None:
        """What counts under *path*."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM changes WHERE path=?", (path,)).fetchone()
        return None if row is None else self._change(row)

    def clocks(self, paths: Sequence[bytes]) -> dict[bytes, tuple[int, str]]:
        """Path -> (clock, origin) of what is there."""
        marks = ",".join("?" * len(paths))
        query = f"SELECT path, clock, origin FROM changes WHERE path IN ({marks})"
        names = self._names
        return {path: (clock, names[origin]) for path, clock, origin in self._db.execute(query, paths)}

    def put(self, changes: Iterable[Change]) -> None:
        """In place of what their paths had."""
        self._db.executemany(
            "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    one.path, self._origin(one.origin), one.sequence, one.clock, one.modified,
                    rank(one.records), bucket_of(one.path), self._packed(one.records),
                )
                for one in changes
            ),
        )  # fmt: skip

    def read(
        self, origin: str, after: int, head: int, cursor: tuple[int, int], limit: int
    ) -> list[tuple[int, Change]]:
        """(rank, change) of *origin*'s log in (after, head] beyond *cursor*, by (rank, sequence)."""
        number = self._ids.get(origin)
        found: list[tuple[int, Change]] = []
        for level in range(cursor[0], 5):
            begin = max(after, cursor[1]) if level == cursor[0] else after
            query = (
                f"SELECT {_COLUMNS} FROM changes WHERE origin=? AND rank=? AND sequence>? AND sequence<=? "
                "ORDER BY sequence LIMIT ?"
            )
            rows = self._db.execute(query, (number, level, begin, head, limit - len(found)))
            found += [(level, self._change(row)) for row in rows]
            if len(found) >= limit:
                break
        return found

    def slice(self, after: bytes, limit: int) -> list[Change]:
        """Changes by path, tombstones too, from the first path above *after*."""
        query = f"SELECT {_COLUMNS} FROM changes WHERE path>? ORDER BY path LIMIT ?"
        return [self._change(row) for row in self._db.execute(query, (after, limit))]

    def bucket(self, number: int) -> list[tuple[bytes, int, str]]:
        """(path, clock, origin) of all in one bucket."""
        query = "SELECT path, clock, origin FROM changes WHERE bucket=?"
        return [(path, clock, self._names[o]) for path, clock, o in self._db.execute(query, (number,))]

    def all_clocks(self) -> Iterator[tuple[bytes, int, str]]:
        """(path, clock, origin) of everything, for the hashes at a start."""
        for path, clock, origin in self._db.execute("SELECT path, clock, origin FROM changes"):
            yield path, clock, self._names[origin]

    def newest(self, latest: int) -> int:
        """The highest clock that is not above *latest*; reads everything."""
        query = "SELECT coalesce(max(clock), 0) FROM changes WHERE clock<=?"
        return int(self._db.execute(query, (latest,)).fetchone()[0])

    def later_than(self, latest: int) -> list[Change]:
        """All changes with clocks above *latest*; reads everything."""
        query = f"SELECT {_COLUMNS} FROM changes WHERE clock>?"
        return [self._change(row) for row in self._db.execute(query, (latest,)).fetchall()]

    def expired(self, before: int, limit: int) -> list[tuple[bytes, int, str]]:
        """(path, clock, origin) of tombstones with clocks below *before*."""
        query = "SELECT path, clock, origin FROM changes WHERE records IS NULL AND clock<? LIMIT ?"
        return [(path, clock, self._names[o]) for path, clock, o in self._db.execute(query, (before, limit))]

    def delete(self, paths: Iterable[bytes]) -> None:
        """Forget what is under *paths*."""
        self._db.executemany("DELETE FROM changes WHERE path=?", ((path,) for path in paths))

    # What was published

    def published(self, node: str, path: bytes) -> tuple[int, bytes] | None:
        """(clock, fingerprint) of what *node* has published under *path*."""
        query = "SELECT clock, fingerprint FROM published WHERE node=? AND path=?"
        found = self._db.execute(query, (node, path)).fetchone()
        return None if found is None else (int(found[0]), bytes(found[1]))

    def set_published(self, node: str, path: bytes, clock: int, fingerprint: bytes) -> None:
        """Write down what *node* has published."""
        self._db.execute(
            "INSERT OR REPLACE INTO published VALUES (?, ?, ?, ?)", (node, path, clock, fingerprint)
        )

    def unset_published(self, node: str, path: bytes) -> None:
        """*node* has nothing under *path*."""
        self._db.execute("DELETE FROM published WHERE node=? AND path=?", (node, path))

    def forget_published_but(self, node: str) -> None:
        """Forget the records of all others."""
        self._db.execute("DELETE FROM published WHERE node!=?", (node,))

    def published_paths(self, node: str, after: bytes, limit: int) -> list[bytes]:
        """Paths of *node*'s record above *after*."""
        query = "SELECT path FROM published WHERE node=? AND path>? ORDER BY path LIMIT ?"
        return [path for (path,) in self._db.execute(query, (node, after, limit))]

    def clear(self) -> None:
        """Forget everything but what was published: it is this node's own knowledge."""
        for table in ("changes", "heads", "origins", "meta"):
            self._db.execute(f"DELETE FROM {table}")
        for cache in (self._names, self._ids, self._lines, self._heads):
            cache.clear()

    # Inside

    def _origin(self, name: str) -> int:
        number = self._ids.get(name)
        if number is None:
            number = int(self._db.execute("INSERT INTO origins (name) VALUES (?)", (name,)).lastrowid or 0)
            self._ids[name], self._names[number] = number, name
        return number

    def _head(self, lines: bytes) -> int:
        number = self._heads.get(lines)
        if number is None:
            number = int(self._db.execute("INSERT INTO heads (lines) VALUES (?)", (lines,)).lastrowid or 0)
            self._heads[lines], self._lines[number] = number, lines
        return number

    def _packed(self, records: tuple[Record, ...]) -> bytes | None:
        if not records:
            return None
        return msgspec.msgpack.encode(
            [
                (r.variant, r.digest, r.length, self._head(r.lines_200), self._head(r.lines_304))
                for r in records
            ]
        )

    def _change(self, row: tuple[Any, ...]) -> Change:
        path, origin, sequence, clock, modified, packed = row
        lines = self._lines
        records = () if packed is None else tuple(
            Record(variant, digest, length, lines[of_200], lines[of_304])
            for variant, digest, length, of_200, of_304 in _RECORDS.decode(packed)
        )  # fmt: skip
        return Change(path, self._names[origin], sequence, clock, modified, records)
