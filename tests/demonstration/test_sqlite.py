"""SQLite when things go wrong: busy, full, locked, damaged, from the future; migrations; backups."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from demonstration.data import __main__ as command
from demonstration.data.backup import backup
from demonstration.data.migrating import newest
from demonstration.data.opening import open_store
from demonstration.data.sql import SqlStore
from demonstration.data.sqlite import KIND, Sqlite, migrate, statements
from demonstration.data.store import Score, StoreError, Unavailable
from tests import processes

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from demonstration.data.opening import open_store
store = open_store(sys.argv[1])
for number in range(int(sys.argv[3])):
    votes, changes = store.vote(f"{sys.argv[2]}-{number}", 0x41, True)
    store.told(changes)
    store.comment(f"{sys.argv[2]}-{number}", 0x42, "hi", "k", 0.0)
"""


class SqliteTestCase(SynchronousTestCase):
    """A file in a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "d.sqlite"

    def open(self, busy: float = 5.0) -> SqlStore:
        store = SqlStore(Sqlite(self.file, busy))
        self.addCleanup(store.close)
        return store

    def fails(self, kind: type[Exception], *work: object) -> str:
        return str(self.assertRaises(kind, *work))


class MigrationTests(SqliteTestCase):
    """From each version to the newest."""

    def shape(self) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()

    def test_each_version_comes_to_the_same_tables_and_keeps_its_data(self) -> None:
        shapes = []
        for version in range(newest(KIND) + 1):
            self.file.unlink(missing_ok=True)
            with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
                migrate(connection, self.file, version)
                self.assertEqual(connection.execute("PRAGMA user_version").fetchone()[0], version)
                if version:
                    connection.execute("INSERT INTO votes VALUES ('v', 65, 0)")
            store = self.open()
            self.assertEqual(store.top(9), [Score(65, 1)] if version else [])
            store.comment("v", 65, "hi", "k", 0.0)
            self.assertIsNone(store.begin("v", "k", "print"))
            store.close()
            shapes.append(self.shape())
        self.assertEqual(len(shapes), 5)
        self.assertEqual([shape for shape in shapes if shape != shapes[0]], [])

    def test_a_step_that_fails_leaves_the_version_before(self) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            migrate(connection, self.file, 1)
            connection.execute("CREATE TABLE comments (something)")
        self.assertIn("already exists", self.fails(StoreError, self.open))
        with closing(sqlite3.connect(self.file)) as connection:
            self.assertEqual(connection.execute("PRAGMA user_version").fetchone()[0], 1)
            connection.execute("DROP TABLE comments")
        self.open().comment("v", 65, "hi", "k", 0.0)

    def test_a_file_from_the_future_is_left_alone(self) -> None:
        self.open().close()
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA user_version = 99")
        said = self.fails(StoreError, self.open)
        self.assertIn("is of version 99", said)
        self.assertIn("use the newer code", said)

    def test_statements_with_semicolons_within_stay_whole(self) -> None:
        sql = "CREATE TABLE a (b);\n-- c;\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n DELETE FROM a;\nEND;\n"
        self.assertEqual([one.strip()[-4:] for one in statements(sql)], ["(b);", "END;"])

    def test_processes_that_begin_at_once_migrate_once(self) -> None:
        program = f"from demonstration.data.opening import open_store; open_store({str(self.file)!r}).top(1)"
        started = [processes.start([sys.executable, "-c", program], cwd=ROOT) for _ in range(4)]
        self.assertEqual([one.wait(120) for one in started], [0, 0, 0, 0])


class TroubleTests(SqliteTestCase):
    """Each is a sentence that names the file and the way out, and what was there stays."""

    def test_four_processes_that_write_at_once_lose_nothing(self) -> None:
        self.open().close()
        count = 40
        command = [sys.executable, "-c", WRITER, f"sqlite:{self.file}"]
        started = [processes.start([*command, str(number), str(count)], cwd=ROOT) for number in range(4)]
        self.assertEqual([one.wait(240) for one in started], [0, 0, 0, 0])
        store = self.open()
        self.assertEqual(store.top(9), [Score(0x41, 4 * count)])
        self.assertEqual(len(store.comments(0x42, 500)), 4 * count)

    def test_a_lock_that_another_program_holds_is_waited_for_and_then_said(self) -> None:
        store = self.open(busy=0.05)
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            said = self.fails(Unavailable, store.vote, "v", 65, True)
            self.assertIn(f"{self.file}: another process holds its lock", said)
            self.assertIn("fuser", said)
            self.assertEqual(store.top(9), [])  # readers do not wait for writers
            other.execute("ROLLBACK")
        self.assertEqual(store.vote("v", 65, True)[0], 1)

    def test_a_full_disk_is_said_and_nothing_is_half_written(self) -> None:
        store = self.open()
        store.vote("v", 65, True)
        with store._database.writing() as rows:
            pages = rows.fetch("PRAGMA page_count")[0][0]
            rows.fetch(f"PRAGMA max_page_count = {pages}")
        said = ""
        for number in range(200):  # SQLite takes this for a disk that is full
            try:
                store.comment("v", 65, "x" * 500, f"k{number}", 0.0)
            except StoreError as error:
                said = str(error)
                break
        self.assertIn(f"{self.file}: the disk is full", said)
        self.assertEqual(len(store.comments(65, 500)), number)
        store.comment("v", 65, "room again", "k", 0.0)  # the connection that failed was closed

    def test_a_damaged_file_is_said_with_what_to_do(self) -> None:
        store = self.open()
        for number in range(50):
            store.comment("v", 65, "x" * 500, f"k{number}", 0.0)
        store.close()
        self.assertEqual(sorted(os.listdir(self.folder)), ["d.sqlite"])
        data = bytearray(self.file.read_bytes())
        data[4096:] = os.urandom(len(data) - 4096)
        self.file.write_bytes(data)
        said = self.fails(StoreError, lambda: self.open().comments(None, 9))
        self.assertIn(f"{self.file}: it is damaged", said)
        self.assertIn("put a backup there", said)

    def test_a_file_that_is_none_of_sqlite_is_not_touched(self) -> None:
        self.file.write_bytes(b"a letter to somebody " * 100)
        self.assertIn("it is damaged", self.fails(StoreError, self.open))
        self.assertEqual(self.file.read_bytes(), b"a letter to somebody " * 100)

    def test_a_folder_that_is_not_there_and_one_for_a_file_are_said(self) -> None:
        self.file = self.folder / "none" / "d.sqlite"
        self.assertIn("cannot be opened", self.fails(StoreError, self.open))
        self.file = self.folder
        self.assertIn("cannot be opened", self.fails(StoreError, self.open))

    def test_what_is_no_place_for_data_is_said(self) -> None:
        said = self.fails(StoreError, open_store, "mysql://me:secret@x/y")
        self.assertIn("sqlite:FILE or postgresql://", said)
        self.assertNotIn("secret", said)
        said = self.fails(StoreError, open_store, f"sqlite:{self.file}", "memcache://x")
        self.assertIn("a cache is redis://", said)


class BackupTests(SqliteTestCase):
    """``python -m demonstration.data backup FILE``."""

    def run_command(self, *arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        with (
            patch.dict(os.environ, {"DEMONSTRATION_DATA": f"sqlite:{self.file}"}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
        ):
            return command.main(list(arguments)), out.getvalue()

    def test_a_backup_made_while_others_write_is_whole_and_can_be_used(self) -> None:
        store = self.open()
        started = processes.start([sys.executable, "-c", WRITER, f"sqlite:{self.file}", "a", "60"], cwd=ROOT)
        copies = []
        while started.poll() is None or len(copies) < 2:
            target = self.folder / f"copy{len(copies)}"
            backup(f"sqlite:{self.file}", target)
            copies.append(target)
        self.assertEqual(started.returncode, 0)
        for copy in copies:
            kept = open_store(f"sqlite:{copy}")
            comments, votes = len(kept.comments(0x42, 500)), sum(score.votes for score in kept.top(9))
            self.assertIn(votes - comments, (0, 1))
            kept.close()
        self.assertEqual(store.top(9), [Score(0x41, 60)])

    def test_the_command_says_what_it_wrote_and_replaces_what_was_there(self) -> None:
        self.open().vote("v", 65, True)
        target = self.folder / "copy"
        target.write_text("old")
        code, said = self.run_command("backup", str(target))
        self.assertEqual((code, said), (0, f"{target}: {target.stat().st_size:,} bytes\n"))
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)
        self.assertEqual(open_store(str(target)).top(9), [Score(65, 1)])

    def test_what_cannot_be_backed_up_leaves_what_was_there(self) -> None:
        target = self.folder / "copy"
        target.write_text("old")
        self.assertEqual(self.run_command("backup", str(target))[0], 1)
        self.assertIn("there are no data", self.run_command("backup", str(target))[1])
        self.file.write_bytes(b"a letter to somebody " * 100)
        self.assertIn("damaged", self.run_command("backup", str(target))[1])
        self.assertEqual(target.read_text(), "old")
        self.assertEqual(sorted(os.listdir(self.folder)), ["copy", "d.sqlite"])
        self.file.unlink()
        self.open().close()
        self.assertIn("cannot be written", self.run_command("backup", str(self.folder / "no" / "copy"))[1])
