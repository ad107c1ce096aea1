"""The change log: what survives, on a disk that is full and later is not, and what is begun anew."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent as format_event
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Record
from edge.gossip.replica import TOMBSTONE_MS
from edge.gossip.rows import Rows, RowsError
from edge.node.cluster import change_log
from edge.node.cluster.change_log import ChangeLog
from simulation.keyring import HashKeyring

RECORDS = (Record(0, bytes(32), 1, b"A: b\r\n", b"A: b\r\n"),)
#: Seconds for which deletions are remembered.
DAY = TOMBSTONE_MS / 1000


class ChangeLogTests(SynchronousTestCase):
    """:class:`edge.node.cluster.change_log.ChangeLog`."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "replica.sqlite"
        self.room = 1 << 30
        self.patch(change_log, "room", lambda path: self.room)
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: Any) -> None:
        """Keep what the change log says."""
        if "change_log" in event.get("log_namespace", ""):
            self.said.append(format_event(event))

    def test_a_full_disk_delays_commits_until_there_is_room(self) -> None:
        """What was changed meanwhile is there then; it is said once, not twenty times a second."""
        log = ChangeLog(self.path, "a", HashKeyring("a"), Clock())
        self.room = 0
        for number in range(20):
            log.replica.put(b"/%d" % number, 1, RECORDS, 1000)
            self.assertFalse(log.commit())
        self.assertEqual(len(log.replica.paths(b"", 100)), 20)
        self.room = 1 << 30
        self.assertTrue(log.commit())
        self.assertTrue(log.commit())
        told = [line.partition("replica.sqlite")[2] for line in self.said]
        self.assertEqual(told, [" cannot be written: it waits for room on its disk", " is written again"])
        kept = Rows.open(str(self.path), HashKeyring("a"))
        self.assertEqual(len(kept.slice(b"", 100)), 20)
        kept.close()
        log.close()

    def test_a_full_disk_at_the_end_leaves_no_traceback(self) -> None:
        """Closing is always possible."""
        log = ChangeLog(self.path, "a", HashKeyring("a"), Clock())
        log.replica.put(b"/x", 1, RECORDS, 1000)
        self.room = 0
        log.close()

    def test_a_damaged_file_is_said_and_begun_anew(self) -> None:
        """The node joins as a new one."""
        ChangeLog(self.path, "a", HashKeyring("a"), Clock()).close()
        damaged = bytearray(self.path.read_bytes())
        damaged[4096:8192] = bytes(range(256)) * 16
        self.path.write_bytes(damaged)
        log = ChangeLog(self.path, "a", HashKeyring("a"), Clock())
        self.assertIn("is damaged", self.said[0])
        self.assertEqual(log.replica.paths(b"", 1), [])
        log.close()

    def test_a_file_that_cannot_be_written_at_the_start_is_a_sentence(self) -> None:
        """No traceback of the database."""
        with self.assertRaisesRegex(RowsError, "room on its disk"):
            ChangeLog(self.folder / "missing" / "replica.sqlite", "a", HashKeyring("a"), Clock())

    def test_a_checkpoint_that_fails_is_said_and_fails_nobody(self) -> None:
        """It is tried again."""
        log = ChangeLog(self.path, "a", HashKeyring("a"), Reactor())
        elsewhere = self.folder.with_suffix(".elsewhere")
        self.folder.rename(elsewhere)
        try:
            self.assertIsNone(self.successResultOf(log.checkpoint()))
        finally:
            elsewhere.rename(self.folder)
        self.assertIn("could not be written back", self.said[0])
        self.successResultOf(log.checkpoint())
        self.assertEqual(len(self.said), 1)
        log.close()


class Pool:
    """A thread pool whose thread is this one."""

    def callInThreadWithCallback(self, done: object, work: object, *args: object) -> None:
        try:
            result = work(*args)  # type: ignore[operator]
        except Exception:
            done(False, Failure())  # type: ignore[operator]
        else:
            done(True, result)  # type: ignore[operator]


class Reactor(Clock):
    """A clock with that pool."""

    def getThreadPool(self) -> Pool:
        return Pool()

    def callFromThread(self, work: object, *args: object) -> None:
        work(*args)  # type: ignore[operator]


class SurvivalTests(SynchronousTestCase):
    """What a node finds again that was killed, closed or away."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "replica.sqlite"
        self.reactor = Reactor()
        self.reactor.rightNow = 1_700_000_000.0

    def now_ms(self) -> int:
        return int(self.reactor.seconds() * 1000)

    def open(self) -> ChangeLog:
        return ChangeLog(self.path, "me", HashKeyring("me"), self.reactor)

    def paths(self) -> list[bytes]:
        """What a node finds that opens what is on the disk now, as after a kill."""
        copy = Path(tempfile.mkdtemp(dir=self.folder)) / "replica.sqlite"
        for suffix in ("", "-wal"):
            if os.path.exists(f"{self.path}{suffix}"):
                shutil.copy(f"{self.path}{suffix}", f"{copy}{suffix}")
        log = ChangeLog(copy, "me", HashKeyring("me"), self.reactor)
        found = [change.path for change in log.replica.paths(b"", 10)]
        log.close()
        return found

    def test_what_was_committed_survives_a_kill_what_was_not_does_not(self) -> None:
        log = self.open()
        self.addCleanup(log.close)
        log.replica.put(b"/a", 0, RECORDS, self.now_ms())
        self.assertEqual(self.paths(), [])
        log.commit()
        log.replica.put(b"/b", 0, RECORDS, self.now_ms())
        self.assertEqual(self.paths(), [b"/a"])

    def test_a_close_commits(self) -> None:
        log = self.open()
        log.replica.put(b"/a", 0, RECORDS, self.now_ms())
        log.close()
        self.assertEqual(self.paths(), [b"/a"])

    def test_a_checkpoint_writes_the_log_back(self) -> None:
        log = self.open()
        self.addCleanup(log.close)
        log.replica.put(b"/a", 0, RECORDS, self.now_ms())
        log.commit()
        self.assertGreater(os.path.getsize(f"{self.path}-wal"), 0)
        self.successResultOf(log.checkpoint())
        Path(f"{self.path}-wal").unlink()  # everything is in the file itself
        self.assertEqual(self.paths(), [b"/a"])

    def test_a_node_that_was_away_for_as_long_as_deletions_are_remembered_keeps_its_table(self) -> None:
        """A millisecond longer, and it joins afresh: it may not know what was purged."""
        for away, left in ((DAY, [b"/a"]), (DAY + 0.001, [])):
            log = self.open()
            log.replica.put(b"/a", 0, RECORDS, self.now_ms())
            log.replica.contact(self.now_ms())
            log.close()
            self.reactor.advance(away)
            log = self.open()
            self.assertEqual([change.path for change in log.replica.paths(b"", 10)], left, away)
            log.close()
            self.path.unlink()

    def test_a_node_alone_was_never_away(self) -> None:
        log = self.open()
        log.replica.put(b"/a", 0, RECORDS, self.now_ms())
        log.close()
        self.reactor.advance(100 * DAY)
        self.assertEqual(self.paths(), [b"/a"])
