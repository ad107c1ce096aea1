"""The data in PostgreSQL, which machines share, and other programs write to.

A trigger notifies (``NOTIFY``) whoever listens that there is a change to be told; what changed stands in a
table, so that nothing is lost while nobody listens.  A database that is being restarted is waited for,
:data:`PATIENCE` seconds; after that its absence is said at once, and it is tried again every second.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from demonstration.data.migrating import migrations, newest
from demonstration.data.pool import Pool
from demonstration.data.store import StoreError, Unavailable

KIND = "postgresql"
#: Seconds in which a database is there again that is being restarted.
PATIENCE = 2.0
#: Seconds between two tries, and until one is given up.
RETRY_SECONDS, CONNECT_SECONDS = 0.1, 3
#: Seconds for which it counts as gone after that.
GONE_SECONDS = 1.0
#: Milliseconds that a statement may take.
STATEMENT_MS = 5000
#: Seconds between two looks of who waits for a notification whether he is to end.
LOOK_SECONDS = 0.25
#: Connections of a process.
MOST = 8
CHANNEL = "demonstration_changes"
#: Of the lock under which tables are migrated.
_LOCK = 0x65646765

Connection = psycopg.Connection[Any]


class PostgresqlRows:
    """A transaction.  Implements :class:`demonstration.data.sql.Rows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        return self._connection.execute(_with_marks(statement), values).rowcount

    def fetch(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(_with_marks(statement), values).fetchall()


class Postgresql:
    """The database at *url*, migrated when it is opened.

    Implements :class:`demonstration.data.sql.Database`.
    """

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        self._url = url
        self._patience = patience
        self._gone_until = 0.0
        self._pool: Pool[Connection] = Pool(self._connect, lambda one: one.close(), MOST, _is_alive)
        self._listening: Connection | None = None
        self._lock = threading.Lock()
        with in_words(url), self._connect() as connection:
            migrate(connection, url)

    @contextmanager
    def reading(self) -> Iterator[PostgresqlRows]:
        with in_words(self._url), self._pool.one() as connection:
            yield PostgresqlRows(connection)

    @contextmanager
    def writing(self) -> Iterator[PostgresqlRows]:
        with in_words(self._url), self._pool.one() as connection, connection.transaction():
            yield PostgresqlRows(connection)

    def wait(self, seconds: float, stopped: threading.Event) -> None:
        with in_words(self._url):
            if self._listening is None:
                connection = self._connect()
                connection.execute(f"LISTEN {CHANNEL}")
                self._listening = connection
                return  # what was changed before it listened
            try:
                until = time.monotonic() + seconds
                while time.monotonic() < until and not stopped.is_set():
                    if list(self._listening.notifies(timeout=LOOK_SECONDS, stop_after=1)):
                        return
            except BaseException:
                listening, self._listening = self._listening, None
                listening.close()
                raise

    def close(self) -> None:
        self._pool.drop_free()
        if self._listening is not None:
            self._listening.close()

    def _connect(self) -> Connection:
        """A new connection; a database that is being restarted is waited for."""
        if time.monotonic() < self._gone_until:
            raise Unavailable(f"{_named(self._url)}: the database is gone, and is tried again every second")
        until = time.monotonic() + self._patience
        while True:
            try:
                return psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=CONNECT_SECONDS,
                    application_name="demonstration",
                    options=f"-c statement_timeout={STATEMENT_MS}",
                )
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    self._gone_until = time.monotonic() + GONE_SECONDS
                    raise
            time.sleep(RETRY_SECONDS)


def migrate(connection: Connection, url: str, to: int | None = None) -> None:
    """Bring the tables to version *to*, or the newest; each step is one transaction."""
    to = newest(KIND) if to is None else to
    while True:
        with connection.transaction():
            connection.execute(
                "SELECT pg_advisory_xact_lock(%s)", (_LOCK,)
            )  # another process may be at it, too
            connection.execute("CREATE TABLE IF NOT EXISTS version (number INTEGER NOT NULL)")
            found = connection.execute("SELECT number FROM version").fetchone()
            version = found[0] if found else 0
            if version > newest(KIND):
                raise StoreError(
                    f"{_named(url)}: it is of version {version}, and this code knows {newest(KIND)}: "
                    "use the newer code, or another database"
                )
            if version >= to:
                return
            step = migrations(KIND)[version]
            connection.execute(step.sql)
            statement = "UPDATE version SET number = %s" if found else "INSERT INTO version VALUES (%s)"
            connection.execute(statement, (step.number,))


def _with_marks(statement: str) -> Any:
    return statement.replace("?", "%s")


def _is_alive(connection: Connection) -> bool:
    """Whether a connection that rested can be used: a server that ended has said so meanwhile."""
    if connection.closed:
        return False
    with suppress(OSError, ValueError, psycopg.Error):
        return not select.select([connection.fileno()], [], [], 0)[0]
    return False


def _named(url: str) -> str:
    """*url* without what is secret in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


@contextmanager
def in_words(url: str) -> Iterator[None]:
    """Errors of PostgreSQL as sentences."""
    try:
        yield
    except psycopg.errors.DiskFull as error:
        raise StoreError(f"{_named(url)}: the disk of the database is full; make room there") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreError(f"{_named(url)}: {_first_line(error)}; grant it to the user of the URL") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Unavailable(
            f"{_named(url)}: the database cannot be asked: {_first_line(error)}; it is tried again"
        ) from error
    except psycopg.Error as error:
        raise StoreError(f"{_named(url)}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
