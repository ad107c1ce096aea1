"""The data in one SQLite file, which the processes of one machine share.

WAL: readers and the one writer do not wait for each other.  Writers wait for each other, by the file's lock,
:data:`BUSY_SECONDS` at most; each begins with the lock (``BEGIN IMMEDIATE``), so none finds out half way that
another one was faster.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from demonstration.data.migrating import migrations, newest
from demonstration.data.pool import Pool
from demonstration.data.store import StoreError, Unavailable

#: Seconds that a writer waits for others.
BUSY_SECONDS = 5.0
#: Seconds between two looks whether another program has written: a look takes some microseconds.
LOOK_SECONDS = 0.1
#: Connections of a process.
MOST = 8
KIND = "sqlite"


class SqliteRows:
    """A transaction.  Implements :class:`demonstration.data.sql.Rows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        return self._connection.execute(statement, values).rowcount

    def fetch(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()


class Sqlite:
    """The database in *file*, made or migrated when it is opened.

    Implements :class:`demonstration.data.sql.Database`.
    """

    def __init__(self, file: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self._file = file
        self._busy = busy_seconds
        self._pool = Pool(self._connect, sqlite3.Connection.close, MOST)
        self._watching: sqlite3.Connection | None = None
        self._seen = 0
        with in_words(file), closing(self._connect()) as connection:
            migrate(connection, file)

    @contextmanager
    def reading(self) -> Iterator[SqliteRows]:
        with in_words(self._file), self._pool.one() as connection:
            yield SqliteRows(connection)

    @contextmanager
    def writing(self) -> Iterator[SqliteRows]:
        with in_words(self._file), self._pool.one() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield SqliteRows(connection)  # an exception closes the connection, which rolls back
            connection.execute("COMMIT")

    def wait(self, seconds: float, stopped: threading.Event) -> None:
        with in_words(self._file):
            if self._watching is None:
                self._watching = self._connect()
            until = time.monotonic() + seconds
            while time.monotonic() < until and not stopped.is_set():
                version = self._watching.execute("PRAGMA data_version").fetchone()[0]
                if version != self._seen:
                    self._seen = version
                    return
                stopped.wait(LOOK_SECONDS)

    def close(self) -> None:
        self._pool.drop_free()
        if self._watching is not None:
            self._watching.close()

    def _connect(self) -> sqlite3.Connection:
        # autocommit: transactions begin and end where they are written, not where the module thinks
        connection = sqlite3.connect(
            self._file, timeout=self._busy, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "PRAGMA synchronous = NORMAL"
            )  # a power failure may lose the last, and no more
            connection.execute("PRAGMA trusted_schema = OFF")
        except BaseException:
            connection.close()
            raise
        return connection


def migrate(connection: sqlite3.Connection, file: Path, to: int | None = None) -> None:
    """Bring the tables to version *to*, or the newest; each step is one transaction."""
    to = newest(KIND) if to is None else to
    while True:
        connection.execute("BEGIN IMMEDIATE")  # another process may be at it, too
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > newest(KIND):
            connection.execute("ROLLBACK")
            raise StoreError(
                f"{file}: it is of version {version}, and this code knows {newest(KIND)}: "
                "use the newer code, or another file"
            )
        if version >= to:
            connection.execute("ROLLBACK")
            return
        step = migrations(KIND)[version]
        for statement in statements(step.sql):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {step.number}")
        connection.execute("COMMIT")


def statements(sql: str) -> Iterator[str]:
    """The statements of *sql*, one by one: executescript() would commit by itself."""
    gathered = ""
    for line in sql.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            yield gathered
            gathered = ""


@contextmanager
def in_words(file: Path) -> Iterator[None]:
    """Errors of SQLite as sentences."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "locked" in str(error):
            raise Unavailable(
                f"{file}: another process holds its lock; look for one with: fuser {file}"
            ) from error
        if name.startswith("SQLITE_FULL"):
            raise StoreError(f"{file}: the disk is full; make room, nothing was lost") from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "not a database" in str(error):
            raise StoreError(
                f"{file}: it is damaged ({error}); stop the application, move the file and its -wal and -shm "
                "away, and put a backup there (python -m demonstration.data backup FILE makes them)"
            ) from error
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
            raise StoreError(
                f"{file}: it cannot be opened for writing ({error}); the user of the application needs that "
                "file and its folder"
            ) from error
        raise StoreError(f"{file}: {error}") from error
