"""Replication lag in changes: who is behind whom, from the version vectors that nodes tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.gossip.packet import NODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.gossip.packet import LogPosition
    from edge.gossip.replica import Replica


class Progress:
    """How far behind the others the node *node* is, and they behind it."""

    def __init__(self, node: str, replica: Replica) -> None:
        self._node = node
        self._replica = replica
        #: What each node has said, by origin; who spoke last comes last.
        self._heard: dict[str, dict[str, LogPosition]] = {}
        self._told: dict[str, LogPosition] = {}  # how much of our own log each node has
        #: Whether anybody has told anything.
        self.has_heard = False

    def note(self, sender: str, version_vector: Sequence[LogPosition]) -> None:
        """*sender* has told how far it has all logs."""
        self.has_heard = True
        before = self._heard.pop(sender, {})
        self._heard[sender] = {
            one.origin: max(one, before.get(one.origin, one), key=_rank) for one in version_vector
        }
        if len(self._heard) > NODES:
            del self._heard[next(iter(self._heard))]
        for position in version_vector:
            if position.origin == self._node:
                self._told[sender] = position

    def forget(self, name: str) -> None:
        """*name* has left; what it said last of logs still counts, as far as others can prove it."""
        self._told.pop(name, None)

    def behind(self) -> dict[str, int]:
        """For each origin of which there is more than is here: how many changes.

        As those say who can prove it: see :meth:`edge.gossip.requests.LogRequests.is_distrusted`.
        """
        ours = {position.origin: position for position in self._replica.version_vector()}
        behind = {self._node: 1} if self._replica.recovers else {}
        for origin, heard in self._highest().items():
            mine = ours.get(origin)
            if mine is None or mine.generation < heard.generation:
                behind[origin] = heard.sequence
            elif mine.generation == heard.generation and mine.sequence < heard.sequence:
                behind[origin] = heard.sequence - mine.sequence
        return behind

    def _highest(self) -> dict[str, LogPosition]:
        """The highest position of each origin."""
        highest: dict[str, LogPosition] = {}
        for sender, vector in self._heard.items():
            if self._replica.requests.is_distrusted(sender):
                continue
            for position in vector.values():
                known = highest.get(position.origin)
                newer = known is None or _rank(position) > _rank(known)
                if position.sequence and newer:
                    highest[position.origin] = position
        return highest

    def peer_behind(self, name: str) -> int | None:
        """How many of this node's changes *name* has not said to have; None: it has said nothing."""
        position = self._told.get(name)
        ours = next(one for one in self._replica.version_vector() if one.origin == self._node)
        if ours.sequence == 0:
            return 0
        if position is None or position.generation != ours.generation:
            return None
        return max(0, ours.sequence - position.sequence)


def _rank(position: LogPosition) -> tuple[int, int]:
    return position.generation, position.sequence
