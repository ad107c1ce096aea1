"""The change log on a disk that is full, and later is not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent as format_event
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Record
from edge.gossip.rows import Rows, RowsError
from edge.node.cluster import change_log
from edge.node.cluster.change_log import ChangeLog

RECORDS = (Record(0, bytes(32), 1, b"A: b\r\n", b"A: b\r\n"),)


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
        log = ChangeLog(self.path, "a", Clock())
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
        kept = Rows.open(str(self.path))
        self.assertEqual(len(kept.slice(b"", 100)), 20)
        kept.close()
        log.close()

    def test_a_full_disk_at_the_end_leaves_no_traceback(self) -> None:
        """Closing is always possible."""
        log = ChangeLog(self.path, "a", Clock())
        log.replica.put(b"/x", 1, RECORDS, 1000)
        self.room = 0
        log.close()

    def test_a_damaged_file_is_said_and_begun_anew(self) -> None:
        """The node joins as a new one."""
        ChangeLog(self.path, "a", Clock()).close()
        damaged = bytearray(self.path.read_bytes())
        damaged[4096:8192] = bytes(range(256)) * 16
        self.path.write_bytes(damaged)
        log = ChangeLog(self.path, "a", Clock())
        self.assertIn("is damaged", self.said[0])
        self.assertEqual(log.replica.paths(b"", 1), [])
        log.close()

    def test_a_file_that_cannot_be_written_at_the_start_is_a_sentence(self) -> None:
        """No traceback of the database."""
        with self.assertRaisesRegex(RowsError, "room on its disk"):
            ChangeLog(self.folder / "missing" / "replica.sqlite", "a", Clock())
