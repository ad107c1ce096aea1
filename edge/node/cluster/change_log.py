"""The change log of a node on its disk, ``replica.sqlite``: opened, committed, written back, closed."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from edge.gossip.replica import Replica
from edge.gossip.rows import Rows

if TYPE_CHECKING:
    from pathlib import Path

    from twisted.internet.defer import Deferred

#: Seconds between two commits; between two checkpoints, which a thread makes.
COMMIT_SECONDS = 0.05
CHECKPOINT_SECONDS = 10.0


class ChangeLog:
    """The file, and the replica that is made of it."""

    _log = Logger()

    def __init__(self, path: Path, node: str, reactor: Any) -> None:
        """A damaged file is set aside; :class:`~edge.gossip.rows.RowsError` if none can be opened."""
        self._path = str(path)
        self._reactor = reactor
        self._rows = Rows.open(self._path)
        if self._rows.problem:
            self._log.warn("{problem}", problem=self._rows.problem)
        self.replica = Replica(node, self._rows, self._now_ms())
        if self.replica.too_old(self._now_ms()):
            self._log.warn("away for longer than deletions are remembered: joining afresh")
            self.replica.drop(self._now_ms())

    def commit(self) -> None:
        """Make the changes so far survive a kill of the process."""
        self.replica.save(self._now_ms())

    def checkpoint(self) -> Deferred[None]:
        """Write the write-ahead log back, in a thread."""
        done: Deferred[None] = deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), Rows.checkpoint, self._path
        )
        return done.addErrback(
            lambda failure: self._log.failure("the change log could not be written back", failure)
        )

    def close(self) -> None:
        """Commit, and close the file."""
        self.commit()
        self._rows.close()

    def _now_ms(self) -> int:
        return int(self._reactor.seconds() * 1000)
