"""The publishing cache on disk: coded bodies by content digest, digests of large files by file signature.

The state directory holds::

    cache-1.sqlite   coded bodies by (SHA-256 of the body, coding, quality), also those that were not
                     worth it; digests of large files by what stat says of them, and facts about them; what
                     each node published last under each name
    cache.lock       held while a damaged cache is set aside
    blobs/ ...       see :mod:`edge.publish.blobs`

Everything in the cache can be computed again, so damage is never an error: a damaged file is renamed
to ``*.corrupt``, reported, and a new one begun; a body that does not have its digest counts as absent.
Several processes may use the directory at once (SQLite's write-ahead log), and several threads
one :class:`Store`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from fcntl import LOCK_EX, flock
from hashlib import sha256
from threading import RLock
from typing import NamedTuple, TypeVar

from edge.errors import PublishError
from edge.publish.blobs import Blobs
from edge.publish.problems import Kind, Problem, Report
from edge.resource import Coding

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS coded (
    source BLOB NOT NULL, coding INTEGER NOT NULL, quality INTEGER NOT NULL,
    digest BLOB, length INTEGER NOT NULL, body BLOB, used INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS coded_key ON coded (source, coding, quality);
CREATE INDEX IF NOT EXISTS coded_used ON coded (used, length);
CREATE TABLE IF NOT EXISTS files (
    device INTEGER, inode INTEGER, size INTEGER, modified INTEGER, changed INTEGER,
    digest BLOB NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (device, inode));
CREATE TABLE IF NOT EXISTS facts (
    digest BLOB NOT NULL, fact BLOB NOT NULL, is_true INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (digest, fact)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    node TEXT NOT NULL, name BLOB NOT NULL, contents BLOB NOT NULL, modified INTEGER NOT NULL,
    used INTEGER NOT NULL, PRIMARY KEY (node, name)) WITHOUT ROWID;
"""
_DAY = 86_400
_BATCH = 400  # rows per SELECT; SQLite allows 999 variables everywhere
_BUSY_SECONDS = 30.0
_ROW_BYTES = 150  # what a row costs besides its body
_FILES_DAYS = 30
_VERSIONS_DAYS = 400  # caches keep what was immutable for a year

#: What stat says of a file: (device, inode, size, mtime_ns, ctime_ns).
Signature = tuple[int, int, int, int, int]


class CodingKey(NamedTuple):
    """What determines a coded body."""

    #: SHA-256 of the body.
    source: bytes
    coding: Coding
    quality: int


class Fact(NamedTuple):
    """A fact about contents, see :mod:`edge.publish.facts`."""

    #: SHA-256 of the contents.
    digest: bytes
    #: :data:`~edge.publish.facts.UTF8`, or a file name.
    fact: str


class Version(NamedTuple):
    """What was published under a name."""

    #: A digest of the contents that are not coded.
    contents: bytes
    #: Last-Modified, Unix seconds.
    modified: int


class Coded(NamedTuple):
    """The result of coding a body."""

    #: SHA-256 of the coded body; None: coding this body is not worth it.
    digest: bytes | None
    length: int
    #: None: not worth it, or in the blob store.
    body: bytes | None


NOT_WORTH_IT = Coded(None, 0, None)


class Store:
    """The cache and the blobs of one state directory."""

    def __init__(
        self,
        directory: str,
        report: Report,
        *,
        limit: int = 1 << 30,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Open, and make where missing, the state directory.

        *limit* is in bytes, for the coded bodies in the cache (blobs do not count); beyond it those not
        used for longest go.  :class:`PublishError` if the directory cannot be used.
        """
        self.directory = os.path.abspath(directory)
        self.blobs = Blobs(self.directory)
        self._report = report
        self._limit = limit
        self._now = now
        self._lock = RLock()
        self._path = os.path.join(self.directory, "cache-1.sqlite")
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._run(lambda connection: None)

    def close(self) -> None:
        """Close the cache and give up the blobs."""
        with self._lock:
            self._disconnect()
            self.blobs.close()

    def coded(self, keys: Iterable[CodingKey]) -> dict[CodingKey, Coded]:
        """What is known for *keys*.  A body beyond the cache is None: look in the blobs."""
        wanted = set(keys)
        sources = list({key.source for key in wanted})
        today = self._today()

        def look_up(connection: sqlite3.Connection) -> dict[CodingKey, Coded]:
            found: dict[CodingKey, Coded] = {}
            old: list[tuple[int, int]] = []
            for start in range(0, len(sources), _BATCH):
                batch = sources[start : start + _BATCH]
                marks = ",".join("?" * len(batch))
                rows = connection.execute(
                    "SELECT rowid, source, coding, quality, digest, length, body, used FROM coded "
                    f"WHERE source IN ({marks})",
                    batch,
                )
                for row, source, coding, quality, digest, length, body, used in rows:
                    key = CodingKey(source, Coding(coding), quality)
                    if key not in wanted or (body is not None and sha256(body).digest() != digest):
                        continue
                    found[key] = Coded(digest, length, body)
                    if used < today:
                        old.append((today, row))
            if old:
                with connection:
                    connection.executemany("UPDATE coded SET used = ? WHERE rowid = ?", old)
            return found

        return self._run(look_up)

    def remember_coded(self, results: Mapping[CodingKey, Coded]) -> None:
        """Keep what was found out, and evict beyond the limit."""
        today = self._today()
        rows = [(*key, *value, today) for key, value in results.items()]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO coded VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                self._evict(connection)

        if rows:
            self._run(insert)

    def digests(self, signatures: Iterable[Signature]) -> dict[Signature, bytes]:
        """SHA-256 of the contents of the files whose *signatures* are known."""
        wanted = list(signatures)

        def look_up(connection: sqlite3.Connection) -> dict[Signature, bytes]:
            found: dict[Signature, bytes] = {}
            for signature in wanted:
                row = connection.execute(
                    "SELECT digest FROM files WHERE device = ? AND inode = ? AND size = ? "
                    "AND modified = ? AND changed = ?",
                    _signed(signature),
                ).fetchone()
                if row is not None:
                    found[signature] = row[0]
            return found

        return self._run(look_up) if wanted else {}

    def remember_digests(self, digests: Mapping[Signature, bytes]) -> None:
        """Keep the digests of files; those not seen for 30 days go."""
        today = self._today()
        rows = [(*_signed(signature), digest, today) for signature, digest in digests.items()]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                connection.execute("DELETE FROM files WHERE used < ?", (today - _FILES_DAYS,))

        if rows:
            self._run(insert)

    def facts(self, wanted: Iterable[Fact]) -> dict[Fact, bool]:
        """Whether they are true, of the *wanted* facts that are known."""
        facts = list(wanted)
        today = self._today()

        def look_up(connection: sqlite3.Connection) -> dict[Fact, bool]:
            found: dict[Fact, bool] = {}
            old: list[tuple[object, ...]] = []
            for fact in facts:
                key = (fact.digest, os.fsencode(fact.fact))
                row = connection.execute(
                    "SELECT is_true, used FROM facts WHERE digest = ? AND fact = ?", key
                ).fetchone()
                if row is not None:
                    found[fact] = bool(row[0])
                    if row[1] < today:
                        old.append((today, *key))
            if old:
                with connection:
                    connection.executemany("UPDATE facts SET used = ? WHERE digest = ? AND fact = ?", old)
            return found

        return self._run(look_up) if facts else {}

    def remember_facts(self, facts: Mapping[Fact, bool]) -> None:
        """Keep facts about contents; those not asked for in 30 days go."""
        today = self._today()
        rows = [(fact.digest, os.fsencode(fact.fact), is_true, today) for fact, is_true in facts.items()]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", rows)
                connection.execute("DELETE FROM facts WHERE used < ?", (today - _FILES_DAYS,))

        if rows:
            self._run(insert)

    def versions(self, node: str, names: Iterable[str]) -> dict[str, Version]:
        """What *node* published last under those of *names* that it published."""
        wanted = {os.fsencode(name): name for name in names}
        keys = list(wanted)

        def look_up(connection: sqlite3.Connection) -> dict[str, Version]:
            found: dict[str, Version] = {}
            for start in range(0, len(keys), _BATCH):
                batch = keys[start : start + _BATCH]
                rows = connection.execute(
                    "SELECT name, contents, modified FROM versions WHERE node = ? "
                    f"AND name IN ({','.join('?' * len(batch))})",
                    (node, *batch),
                )
                found.update((wanted[name], Version(contents, modified)) for name, contents, modified in rows)
            return found

        return self._run(look_up) if keys else {}

    def remember_versions(self, node: str, versions: Mapping[str, Version]) -> None:
        """Keep what *node* publishes; what was not published for 400 days goes."""
        today = self._today()
        rows = [(node, os.fsencode(name), *version, today) for name, version in versions.items()]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, ?)", rows)
                connection.execute("DELETE FROM versions WHERE used < ?", (today - _VERSIONS_DAYS,))

        if rows:
            self._run(insert)

    def _evict(self, connection: sqlite3.Connection) -> None:
        size = "coalesce(sum(length), 0) + count(*) * ?"
        (total,) = connection.execute(f"SELECT {size} FROM coded", (_ROW_BYTES,)).fetchone()
        if total <= self._limit:
            return
        excess = total - self._limit * 9 // 10  # to nine tenths, so that it is not needed every time
        victims = []
        for row, length in connection.execute("SELECT rowid, length FROM coded ORDER BY used, rowid"):
            if excess <= 0:
                break
            victims.append((row,))
            excess -= length + _ROW_BYTES
        connection.executemany("DELETE FROM coded WHERE rowid = ?", victims)

    def _today(self) -> int:
        return int(self._now()) // _DAY

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """*work* on the cache; if that is damaged, on a new one."""
        with self._lock:
            for attempt in range(3):
                try:
                    return work(self._connected())
                except sqlite3.DatabaseError as error:
                    # The subclasses mean that it is busy, full or misused; damage is the plain class.
                    if type(error) is not sqlite3.DatabaseError or attempt == 2:
                        raise PublishError(
                            f"the cache {self._path} cannot be used: {error}; "
                            "it may be removed while no node runs; its disk needs room and permission"
                        ) from error
                    self._set_aside(error)
        raise AssertionError("the loop above returns or raises")

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._identity = self._identity_on_disk()
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, check_same_thread=False, cached_statements=32
            )
            self._connection = connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
            self._identity = self._identity_on_disk()
        return self._connection

    def _identity_on_disk(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        fd = os.open(os.path.join(self.directory, "cache.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            flock(fd, LOCK_EX)
            self._disconnect()
            if self._identity != self._identity_on_disk():
                return  # another process was first: theirs is new
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.rename(self._path + suffix, self._path + suffix + ".corrupt")
        finally:
            os.close(fd)
        name = os.path.basename(self._path)
        text = (
            f"the cache of coded bodies is damaged ({error}); it is now {name}.corrupt, and a new one begins"
        )
        self._report(Problem(Kind.STORE, self._path, text))


def _signed(signature: Signature) -> tuple[int, ...]:
    """SQLite has no unsigned 64-bit integers: device and inode numbers may need them, and no larger ones.

    A file system may date a file by more nanoseconds than that: ``touch -d @99999999999``.
    """
    return tuple((value + (1 << 63)) % (1 << 64) - (1 << 63) for value in signature)
