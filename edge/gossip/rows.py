"""The change logs on disk: an SQLite database, ``replica.sqlite`` in the state directory.

One row for each path: the change that counts, of whichever node.  What it replaced is gone, so that a log
never grows beyond the number of paths.  Header lines are stored once (table ``heads``), and so are the
signed batches that prove changes (``batches``, with the certificates of ``signers``): each as long as a row
refers to it (``live``).  ``origins`` holds the version vector: how far each node's log is here, and the
batch that proves it; ``published`` the record of what this node has published
(:mod:`edge.gossip.published`).  Reading a log goes by the index (origin, rank, sequence), never through all
rows.

When the file is opened, every row is compared with the hash that its origin signed.  A flipped bit anywhere
is found so: the row is dropped, said, and comes again from the other nodes.

Write-ahead logging; :meth:`Rows.commit` makes the changes so far durable against a kill of the process.
:meth:`Rows.checkpoint` writes them back, with a connection of its own, so that a thread can do it: nothing
else ever waits for the disk.  Only then, and only while nobody reads what is in it, SQLite begins the log
anew.  So a transaction begins with a write, never with a read: one that was open while the log was written
back would make it grow for ever.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from edge.errors import EdgeError
from edge.gossip.batches import Batch, is_hash_in, is_signed
from edge.gossip.buckets import bucket_of
from edge.gossip.changes import Change, PackedRecord, Record, change_hash, rank
from edge.gossip.keyring import Keyring

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origins (id INTEGER PRIMARY KEY, name TEXT UNIQUE, generation INTEGER,
                                    sequence INTEGER, proof BLOB);
CREATE TABLE IF NOT EXISTS signers (id INTEGER PRIMARY KEY, fingerprint BLOB UNIQUE, chain BLOB);
CREATE TABLE IF NOT EXISTS batches (id INTEGER PRIMARY KEY, origin INTEGER, signer INTEGER,
                                    generation INTEGER, head INTEGER, hashes BLOB,
                                    signature BLOB UNIQUE, live INTEGER);
CREATE TABLE IF NOT EXISTS heads (id INTEGER PRIMARY KEY, lines BLOB UNIQUE, live INTEGER);
CREATE TABLE IF NOT EXISTS changes (path BLOB PRIMARY KEY, origin INTEGER, sequence INTEGER, clock INTEGER,
                                    modified INTEGER, rank INTEGER, bucket INTEGER, records BLOB,
                                    batch INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published (node TEXT, path BLOB, clock INTEGER, fingerprint BLOB,
                                      PRIMARY KEY (node, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removals (path BLOB PRIMARY KEY, since INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS log ON changes (origin, rank, sequence);
CREATE INDEX IF NOT EXISTS buckets ON changes (bucket);
CREATE INDEX IF NOT EXISTS tombstones ON changes (clock) WHERE records IS NULL;
"""
_VERSION = 2
_COLUMNS = "path, origin, sequence, clock, modified, records, batch"
_BATCH = "origin, signer, generation, head, hashes, signature"
_RECORDS = msgspec.msgpack.Decoder(tuple[PackedRecord, ...])
_PROOF = msgspec.msgpack.Decoder(Batch)
_CHAIN = msgspec.msgpack.Decoder(tuple[bytes, ...])
#: Header lines, and batches, that are kept in memory; the others are read again.
_CACHED = 4096
#: Paths of one origin, different header lines of all: what would be more is refused.
PATHS_EACH, HEADS = 1 << 21, 1 << 16
#: What SQLite says when it is not the file's fault.
_OUTSIDE = ("unable to open", "is full", "locked", "disk I/O error", "permission")
#: How often what has come meanwhile is written back, too, at one checkpoint.
_ROUNDS = 5
#: Bytes that the file of the write-ahead log keeps when it begins anew.
_LOG_BYTES = 16 << 20
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

    def __init__(self, path: str, keyring: Keyring) -> None:
        """:class:`sqlite3.DatabaseError` if it is no change log; see :meth:`open`."""
        #: What was wrong with the file, a sentence.
        self.problem = ""
        #: What time it is for :meth:`expired`: milliseconds that this node has been there.
        self.age = 0
        self.keyring = keyring
        # Its isolation level has a write, and nothing else, begin a transaction.
        self._db = sqlite3.connect(path, isolation_level="DEFERRED", check_same_thread=False, timeout=5.0)
        try:
            self._prepare(path)
        except UnicodeDecodeError as error:  # the damage is in what SQLite quotes to say what is damaged
            self._db.close()
            raise sqlite3.DatabaseError(f"its schema cannot be read: {error.reason}") from None
        except BaseException:
            self._db.close()  # before the file is moved: closing it later would take the next one's log along
            raise

    def _prepare(self, path: str) -> None:
        execute = self._db.execute
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=NORMAL")
        execute("PRAGMA wal_autocheckpoint=0")
        execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
        execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        execute("PRAGMA cache_spill=OFF")  # what is not committed waits in memory: a full disk stops nothing
        version = execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"of version {version}, this program writes {_VERSION}")
        self._db.executescript(_SCHEMA)
        execute(f"PRAGMA user_version={_VERSION}")
        self._names: dict[int, str] = dict(execute("SELECT id, name FROM origins"))
        self._ids = {name: number for number, name in self._names.items()}
        self._signers: dict[int, bytes] = dict(execute("SELECT id, fingerprint FROM signers"))
        self._signer_ids = {signer: number for number, signer in self._signers.items()}
        self._lines: dict[int, bytes] = {}
        self._heads: dict[bytes, int] = {}
        self._batches: dict[int, Batch] = {}
        self._batch_ids: dict[Batch, int] = {}
        self._committed = self._db.total_changes
        [found] = execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(str(found).replace("\n", " "))
        try:
            dropped = self._verify()
        except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
            raise sqlite3.DatabaseError(f"a row that cannot be read: {error}") from None
        if dropped:
            self.problem = (
                f"{path}: {dropped} rows are not as they were signed; the other nodes send them again"
            )

    def _verify(self) -> int:
        """How many rows were not proved by their batch, and are gone.

        A row that cannot be read at all raises what says so.
        """
        execute = self._db.execute
        for (chain,) in execute("SELECT chain FROM signers").fetchall():
            self.keyring.learn(_CHAIN.decode(chain))
        for name, numbers in self.positions().items():
            if sum(numbers) < 0 or not self._is_position(name, numbers):
                execute("UPDATE origins SET generation=NULL, sequence=NULL, proof=NULL WHERE name=?", (name,))
        self._verify_batches()
        heads: Counter[int] = Counter()
        batches: Counter[int] = Counter()
        self._held: Counter[int] = Counter()
        unproved: list[bytes] = []
        columns = ", ".join("c." + name for name in _COLUMNS.split(", "))
        query = (
            f"SELECT {columns}, c.rank, c.bucket, b.origin, b.hashes FROM changes c "
            "LEFT JOIN batches b ON b.id=c.batch AND b.signature IS NOT NULL"
        )
        for row in execute(query):
            if self._is_proved(row):
                self._held[row[1]] += 1
                batches[row[6]] += 1
                heads.update(_heads_of(row[5]))
            else:
                unproved.append(row[0])
        self._db.executemany("DELETE FROM changes WHERE path=?", ((path,) for path in unproved))
        self._correct("heads", heads)
        self._correct("batches", batches)
        self._head_count = execute("SELECT COUNT(*) FROM heads").fetchone()[0]
        return len(unproved)

    def _is_proved(self, row: Sequence[Any]) -> bool:
        """Whether a row is as its origin signed it."""
        level, bucket, signed_by, hashes = row[7:]
        try:
            change = self._change(row)
            derived = (rank(change.records), bucket_of(change.path), row[1])
            return derived == (level, bucket, signed_by) and is_hash_in(change_hash(change), hashes)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, msgspec.MsgspecError):
            return False

    def _correct(self, table: str, counted: Counter[int]) -> None:
        """Set how often header lines or batches are referred to: a kill may have left that wrong."""
        stored = self._db.execute(f"SELECT id, live FROM {table}").fetchall()
        differ = [(counted[number], number) for number, live in stored if counted[number] != live]
        self._db.executemany(f"UPDATE {table} SET live=? WHERE id=?", differ)
        self._db.execute(f"DELETE FROM {table} WHERE live<=0")
        self._lines.clear()
        self._heads.clear()
        self._batches.clear()
        self._batch_ids.clear()

    def _verify_batches(self) -> None:
        """Take those away that their origin did not sign."""
        query = f"SELECT id, {_BATCH} FROM batches WHERE signature IS NOT NULL"
        wrong = []
        for number, *row in self._db.execute(query):
            batch = self._batch_of(row)
            if batch is None or not is_signed(batch, self.keyring):
                wrong.append((number,))
        self._db.executemany("DELETE FROM batches WHERE id=?", wrong)

    def _is_position(self, name: str, numbers: tuple[int, int]) -> bool:
        """Whether a position is as its origin signed it; an own one needs no proof."""
        proof = self.proof(name)
        return proof is None or (
            (proof.origin, proof.generation, proof.head) == (name, *numbers)
            and is_signed(proof, self.keyring)
        )

    @classmethod
    def open(cls, path: str, keyring: Keyring) -> Rows:
        """The log in the file *path*; a damaged one is set aside and a new one begun (:attr:`problem`)."""
        try:
            return cls(path, keyring)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and _is_from_outside(str(error), path):
                raise RowsError(
                    f"{path}: cannot be used ({error}); see its permissions and the room on its disk"
                ) from None
            return cls._anew(path, keyring, error)

    @classmethod
    def _anew(cls, path: str, keyring: Keyring, damage: sqlite3.DatabaseError) -> Rows:
        """Set *path* aside and begin a new log."""
        aside = f"{path}.damaged"
        try:
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.replace(path + suffix, aside + suffix)
            os.replace(path, aside)
            rows = cls(path, keyring)
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
            self._db.commit()
            self._committed = self._db.total_changes

    @staticmethod
    def checkpoint(path: str) -> None:
        """Write the log back into the file *path*; may be called from any thread.

        What is committed meanwhile is written back, too: a log that is not all written back goes on.
        """
        db = sqlite3.connect(path, timeout=0.1)
        frames = -1
        try:
            db.execute("PRAGMA synchronous=NORMAL")
            for _ in range(_ROUNDS):
                before, (_, frames, _) = frames, db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if frames == before:
                    break
        finally:
            db.close()

    def close(self) -> None:
        """Commit, if that is possible, and close."""
        with suppress(sqlite3.Error):
            self._db.commit()
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

    def set_position(self, origin: str, generation: int, sequence: int, proof: Batch | None = None) -> None:
        """How far *origin*'s log is here, and what proves that it has come so far."""
        update = "UPDATE origins SET generation=?, sequence=?, proof=? WHERE id=?"
        packed = None if proof is None else msgspec.msgpack.encode(proof)
        self._db.execute(update, (generation, sequence, packed, self._origin(origin)))

    def proof(self, origin: str) -> Batch | None:
        """What proves the position of *origin*."""
        row = self._db.execute("SELECT proof FROM origins WHERE name=?", (origin,)).fetchone()
        return None if row is None or row[0] is None else _PROOF.decode(row[0])

    def forget_position(self, origin: str) -> None:
        """Nothing is known of how far *origin*'s log is."""
        self._db.execute(
            "UPDATE origins SET generation=NULL, sequence=NULL, proof=NULL WHERE name=?", (origin,)
        )

    # Signatures

    def begin_batch(self) -> int:
        """The number of a batch of this node that is not signed yet."""
        return int(self._db.execute("INSERT INTO batches (live) VALUES (0)").lastrowid or 0)

    def finish_batch(self, number: int, batch: Batch) -> None:
        """Keep *batch*, signed now, under the number it was given."""
        update = (
            "UPDATE batches SET origin=?, signer=?, generation=?, head=?, hashes=?, signature=? WHERE id=?"
        )
        self._db.execute(update, (*self._batch_row(batch), number))
        self._drop_unused("batches", [number])

    def batch_id(self, batch: Batch) -> int:
        """The number of another node's batch."""
        number = self._batch_ids.get(batch)
        if number is None:
            query = "SELECT id FROM batches WHERE signature=?"
            row = self._db.execute(query, (batch.signature,)).fetchone()
            number = row[0] if row is not None and self.batch(row[0]) == batch else self._add_batch(batch)
            self._remember_batch(number, batch)
        return number

    def _add_batch(self, batch: Batch) -> int:
        insert = f"INSERT OR REPLACE INTO batches ({_BATCH}, live) VALUES (?, ?, ?, ?, ?, ?, 0)"
        return int(self._db.execute(insert, self._batch_row(batch)).lastrowid or 0)

    def batch(self, number: int) -> Batch | None:
        """The batch of a number; None: it is not signed yet."""
        found = self._batches.get(number)
        if found is None:
            row = self._db.execute(f"SELECT {_BATCH} FROM batches WHERE id=?", (number,)).fetchone()
            found = None if row is None or row[5] is None else self._batch_of(row)
            if found is not None:
                self._remember_batch(number, found)
        return found

    def _remember_batch(self, number: int, batch: Batch) -> None:
        if len(self._batches) >= _CACHED:
            self._batches.clear()
            self._batch_ids.clear()
        self._batches[number], self._batch_ids[batch] = batch, number

    def _batch_of(self, row: Sequence[Any]) -> Batch | None:
        origin, signer, generation, head, hashes, signature = row
        if origin not in self._names or signer not in self._signers:
            return None
        return Batch(self._names[origin], self._signers[signer], generation, head, hashes, signature)

    def _batch_row(self, batch: Batch) -> tuple[Any, ...]:
        signer = self._signer_ids.get(batch.signer)
        if signer is None:
            chain = msgspec.msgpack.encode(self.keyring.chain(batch.signer))
            insert = "INSERT INTO signers (fingerprint, chain) VALUES (?, ?)"
            signer = int(self._db.execute(insert, (batch.signer, chain)).lastrowid or 0)
            self._signer_ids[batch.signer], self._signers[signer] = signer, batch.signer
        origin = self._origin(batch.origin)
        return origin, signer, batch.generation, batch.head, batch.hashes, batch.signature

    def signed_by_others(self, origin: str, signer: bytes, limit: int) -> list[Change]:
        """Changes of *origin* that another certificate than *signer* proves; reads all of its log if none."""
        query = (
            f"SELECT {_COLUMNS} FROM changes WHERE origin=? AND batch IN (SELECT id FROM batches "
            "WHERE signature IS NOT NULL AND signer IS NOT ?) LIMIT ?"
        )
        found = self._db.execute(query, (self._ids.get(origin), self._signer_ids.get(signer), limit))
        return [self._change(row) for row in found.fetchall()]

    def dated_after(self, signer: bytes, milliseconds: int) -> list[bytes]:
        """The paths of what the certificate *signer* proves, with clocks above *milliseconds*."""
        query = "SELECT path FROM changes WHERE clock>=? AND batch IN (SELECT id FROM batches WHERE signer=?)"
        found = self._db.execute(query, (milliseconds + 1 << 16, self._signer_ids.get(signer)))
        return [path for (path,) in found]

    # Changes

    def has_room(self, change: Change, beside: int) -> bool:
        """Whether there is room for another node's *change*, *beside* so many that are about to be put."""
        if self._held[self._ids.get(change.origin, 0)] + beside >= PATHS_EACH:
            return False
        if self._head_count < HEADS:
            return True
        return all(
            self._find_head(lines) is not None
            for one in change.records
            for lines in (one.lines_200, one.lines_304)
        )

    def get(self, path: bytes) -> Change | None:
        """What counts under *path*."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM changes WHERE path=?", (path,)).fetchone()
        return None if row is None else self._change(row)

    def signed(self, path: bytes) -> tuple[Change, int] | None:
        """What counts under *path*, and the number of its batch."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM changes WHERE path=?", (path,)).fetchone()
        return None if row is None else (self._change(row), row[6])

    def clocks(self, paths: Sequence[bytes]) -> dict[bytes, tuple[int, str]]:
        """Path -> (clock, origin) of what is there."""
        marks = ",".join("?" * len(paths))
        query = f"SELECT path, clock, origin FROM changes WHERE path IN ({marks})"
        names = self._names
        return {path: (clock, names[origin]) for path, clock, origin in self._db.execute(query, paths)}

    def put(self, changes: Sequence[tuple[Change, int]]) -> None:
        """Changes, each with the number of its batch, in place of what their paths had."""
        heads: Counter[int] = Counter()
        batches: Counter[int] = Counter()
        self._release([change.path for change, _ in changes], heads, batches)
        rows = []
        for one, batch in changes:
            origin, packed = self._origin(one.origin), self._packed(one.records)
            self._held[origin] += 1
            batches[batch] += 1
            heads.update(_heads_of(packed))
            rows.append((one.path, origin, one.sequence, one.clock, one.modified,
                         rank(one.records), bucket_of(one.path), packed, batch))  # fmt: skip
        self._db.executemany("INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        removals = [(one.path, self.age) for one, _ in changes if one.is_tombstone]
        if removals:
            self._db.executemany("INSERT OR REPLACE INTO removals VALUES (?, ?)", removals)
        self._settle(heads, batches)

    def _release(self, paths: Sequence[bytes], heads: Counter[int], batches: Counter[int]) -> None:
        """Count what is under *paths* now as gone."""
        marks = ",".join("?" * len(paths))
        query = f"SELECT origin, records, batch FROM changes WHERE path IN ({marks})"
        for origin, records, batch in self._db.execute(query, paths):
            self._held[origin] -= 1
            batches[batch] -= 1
            heads.subtract(_heads_of(records))

    def _settle(self, heads: Counter[int], batches: Counter[int]) -> None:
        """Count references up and down; what nothing refers to any more goes."""
        for table, counted in (("heads", heads), ("batches", batches)):
            changed = [(by, number) for number, by in counted.items() if by]
            self._db.executemany(f"UPDATE {table} SET live=live+? WHERE id=?", changed)
            self._drop_unused(table, [number for by, number in changed if by < 0])

    def _drop_unused(self, table: str, numbers: Iterable[int]) -> None:
        signed = " AND signature IS NOT NULL" if table == "batches" else ""
        for number in numbers:
            gone = self._db.execute(f"DELETE FROM {table} WHERE id=? AND live<=0{signed}", (number,)).rowcount
            if gone and table == "batches":
                self._batch_ids.pop(self._batches.pop(number, None), None)  # type: ignore[arg-type]
            elif gone:
                self._head_count -= 1
                self._heads.pop(self._lines.pop(number, b""), None)

    def read(
        self, origin: str, after: int, head: int, cursor: tuple[int, int], limit: int
    ) -> list[tuple[int, Change, int]]:
        """(rank, change, batch) of *origin*'s log in (after, head] beyond *cursor*, by (rank, sequence)."""
        number = self._ids.get(origin)
        found: list[tuple[int, Change, int]] = []
        for level in range(cursor[0], 5):
            begin = max(after, cursor[1]) if level == cursor[0] else after
            query = (
                f"SELECT {_COLUMNS} FROM changes WHERE origin=? AND rank=? AND sequence>? AND sequence<=? "
                "ORDER BY sequence LIMIT ?"
            )
            rows = self._db.execute(query, (number, level, begin, head, limit - len(found)))
            found += [(level, self._change(row), row[6]) for row in rows]
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

    def expired(self, before: int, age: int, limit: int) -> list[tuple[bytes, int, str]]:
        """(path, clock, origin) of tombstones with clocks below *before*, known since *age* at least."""
        query = (
            "SELECT path, clock, origin FROM changes LEFT JOIN removals USING (path) "
            "WHERE records IS NULL AND clock<? AND coalesce(since, 0)<=? LIMIT ?"
        )
        found = self._db.execute(query, (before, age, limit))
        return [(path, clock, self._names[origin]) for path, clock, origin in found]

    def delete(self, paths: Sequence[bytes]) -> None:
        """Forget what is under *paths*."""
        heads: Counter[int] = Counter()
        batches: Counter[int] = Counter()
        for at in range(0, len(paths), 500):
            self._release(paths[at : at + 500], heads, batches)
        gone = [(path,) for path in paths]
        self._db.executemany("DELETE FROM changes WHERE path=?", gone)
        self._db.executemany("DELETE FROM removals WHERE path=?", gone)
        self._settle(heads, batches)

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
        for table in ("changes", "removals", "heads", "batches", "signers", "origins", "meta"):
            self._db.execute(f"DELETE FROM {table}")
        names: tuple[dict[Any, Any], ...] = (self._names, self._ids, self._signers, self._signer_ids)
        for cache in (*names, self._lines, self._heads, self._held, self._batches, self._batch_ids):
            cache.clear()
        self._head_count = 0

    # Inside

    def _origin(self, name: str) -> int:
        number = self._ids.get(name)
        if number is None:
            number = int(self._db.execute("INSERT INTO origins (name) VALUES (?)", (name,)).lastrowid or 0)
            self._ids[name], self._names[number] = number, name
        return number

    def _head(self, lines: bytes) -> int:
        number = self._find_head(lines)
        if number is None:
            insert = "INSERT INTO heads (lines, live) VALUES (?, 0)"
            number = int(self._db.execute(insert, (lines,)).lastrowid or 0)
            self._head_count += 1
            self._remember_head(number, lines)
        return number

    def _find_head(self, lines: bytes) -> int | None:
        number = self._heads.get(lines)
        if number is None:
            row = self._db.execute("SELECT id FROM heads WHERE lines=?", (lines,)).fetchone()
            if row is None:
                return None
            number = row[0]
            self._remember_head(number, lines)
        return number

    def _lines_of(self, number: int) -> bytes:
        """Header lines by their number; :class:`KeyError` in a damaged file."""
        lines = self._lines.get(number)
        if lines is None:
            row = self._db.execute("SELECT lines FROM heads WHERE id=?", (number,)).fetchone()
            if row is None:
                raise KeyError(f"header lines {number}")
            lines = row[0]
            self._remember_head(number, lines)
        return lines

    def _remember_head(self, number: int, lines: bytes) -> None:
        if len(self._lines) >= _CACHED:
            self._lines.clear()
            self._heads.clear()
        self._lines[number], self._heads[lines] = lines, number

    def _packed(self, records: tuple[Record, ...]) -> bytes | None:
        if not records:
            return None
        return msgspec.msgpack.encode(
            [
                (r.variant, r.digest, r.length, self._head(r.lines_200), self._head(r.lines_304))
                for r in records
            ]
        )

    def _change(self, row: Sequence[Any]) -> Change:
        path, origin, sequence, clock, modified, packed = row[:6]
        lines = self._lines_of
        records = () if packed is None else tuple(
            Record(variant, digest, length, lines(of_200), lines(of_304))
            for variant, digest, length, of_200, of_304 in _RECORDS.decode(packed)
        )  # fmt: skip
        return Change(path, self._names[origin], sequence, clock, modified, records)


def _heads_of(packed: bytes | None) -> list[int]:
    """The numbers of the header lines that a row refers to."""
    return [] if packed is None else [number for record in _RECORDS.decode(packed) for number in record[3:]]
