"""The change log of a node on its disk, ``replica.sqlite``: opened, committed, written back, closed."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from edge.gossip.replica import Replica
from edge.gossip.rows import Rows, RowsError
from edge.node.process.clocks import date_of

if TYPE_CHECKING:
    from pathlib import Path

    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from edge.gossip.keyring import Keyring

#: Seconds between two commits; between two checkpoints, which a thread makes.
COMMIT_SECONDS = 0.05
CHECKPOINT_SECONDS = 10.0
#: Room that has to be left on the disk for a commit: always, and for each row changed (a page of 4 KiB in the
#: table and in each of its three indices).
SPARE_BYTES = 256 * 1024
CHANGE_BYTES = 16 * 1024


def room(path: str) -> int:
    """Bytes that may be written to the disk of the file *path*."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


class ChangeLog:
    """The file, and the replica that is made of it."""

    _log = Logger()

    def __init__(self, path: Path, node: str, keyring: Keyring, reactor: Any) -> None:
        """A damaged file is set aside; :class:`~edge.gossip.rows.RowsError` if none can be opened."""
        self._path = str(path)
        self._reactor = reactor
        self._trouble = ""
        self._rows = Rows.open(self._path, keyring)
        if self._rows.problem:
            self._log.warn("{problem}", problem=self._rows.problem)
        try:
            self.replica = Replica(node, self._rows, self._now_ms())
            if self.replica.too_old(self._now_ms()):
                self._log.warn("away for longer than deletions are remembered: joining afresh")
                self.replica.drop(self._now_ms())
        except sqlite3.OperationalError as error:
            raise RowsError(f"{self._path}: cannot be written ({error}); see the room on its disk") from None

    def commit(self) -> bool:
        """Make the changes so far survive a kill of the process; False: that waits for room on the disk.

        A commit that fails would roll back what this process goes by.  So none is tried without room.
        """
        if self._rows.uncommitted and room(self._path) < self._needed():
            self._tell("it waits for room on its disk")
            return False
        try:
            self.replica.save(self._now_ms())
        except sqlite3.OperationalError as error:
            self._tell(f"{error}; restart the node when that is mended")
            return False
        self._tell("")
        return True

    def _needed(self) -> int:
        """Bytes that a commit may write: never more than twice the database, with all its indices."""
        return SPARE_BYTES + min(self._rows.uncommitted * CHANGE_BYTES, 2 * self._rows.size)

    def _tell(self, trouble: str) -> None:
        """Say once what keeps the log from being written, and when it goes on."""
        if trouble and trouble != self._trouble:
            self._log.error("the change log {path} cannot be written: {why}", path=self._path, why=trouble)
        elif self._trouble and not trouble:
            self._log.info("the change log {path} is written again", path=self._path)
        self._trouble = trouble

    def checkpoint(self) -> Deferred[None]:
        """Write the write-ahead log back, in a thread."""
        done: Deferred[None] = deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), Rows.checkpoint, self._path
        )
        return done.addErrback(self._not_written_back)

    def _not_written_back(self, failure: Failure) -> None:
        """A failed checkpoint: it is tried again; meanwhile the write-ahead log grows."""
        if not failure.check(sqlite3.OperationalError):
            self._log.failure("the change log could not be written back", failure)
        elif not self._trouble:
            self._log.warn("the change log {path} could not be written back: {why}",
                           path=self._path, why=failure.getErrorMessage())  # fmt: skip

    def close(self) -> None:
        """Commit, and close the file."""
        self.commit()
        self._rows.close()

    def _now_ms(self) -> int:
        return int(date_of(self._reactor) * 1000)
