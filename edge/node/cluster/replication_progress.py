"""Replication lag, and waiting for it: who joins looks again whenever something was told, taken, or lost."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from edge.gossip.progress import Progress

if TYPE_CHECKING:
    from edge.gossip.replica import Replica


class ReplicationProgress(Progress):
    """How far behind the others the node *node* is, and they behind it; tells when that may have changed."""

    def __init__(self, node: str, replica: Replica) -> None:
        super().__init__(node, replica)
        self._waiting: list[Deferred[None]] = []

    def step(self) -> Deferred[None]:
        """Fires at the next :meth:`stepped`."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def stepped(self) -> None:
        """Something was told or taken, or somebody has gone: whoever waits looks again."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
