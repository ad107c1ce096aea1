"""Replication lag in changes: who is behind whom, from the version vectors that nodes tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.gossip.packet import NODES, VECTOR

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

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

    def note(self, sender: str, version_vector: Sequence[LogPosition], whole: bool = True) -> None:
        """*sender* has told how far it has all logs; some of them, if that is not the *whole*."""
        self.has_heard = True
        before = self._heard.pop(sender, {})
        now = {one.origin: max(one, before.get(one.origin, one), key=_rank) for one in version_vector}
        is_whole = whole or len(before) + len(now) > VECTOR
        self._heard[sender] = now if is_whole else {**before, **now}
        if len(self._heard) > NODES:
            del self._heard[next(iter(self._heard))]
        for position in version_vector:
            if position.origin == self._node:
                self._told[sender] = position

    def forget(self, name: str) -> None:
        """*name* has left; what it said last of logs still counts, as far as others can prove it."""
        self._told.pop(name, None)

    def behind(self, those: Container[str] | None = None) -> dict[str, int]:
        """For each origin of which there is more than is here: how many changes.

        As those say who can prove it: see :meth:`edge.gossip.requests.LogRequests.is_distrusted`.

        *those*: of whom something can be had; None: as anybody has ever said, who may have gone for good.
        """
        ours = self._replica.positions
        behind = {self._node: 1} if self._replica.recovers else {}
        for origin, heard in self._highest(those).items():
            generation, sequence = ours.get(origin, (0, 0))
            if generation < heard.generation:
                behind[origin] = heard.sequence
            elif generation == heard.generation and sequence < heard.sequence:
                behind[origin] = heard.sequence - sequence
        return behind

    def _highest(self, those: Container[str] | None) -> dict[str, LogPosition]:
        """The highest position of each origin."""
        highest: dict[str, LogPosition] = {}
        for sender, vector in self._heard.items():
            if (those is not None and sender not in those) or self._replica.requests.is_distrusted(sender):
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
        generation, sequence = self._replica.positions[self._node]
        if sequence == 0:
            return 0
        if position is None or position.generation != generation:
            return None
        return max(0, sequence - position.sequence)


def _rank(position: LogPosition) -> tuple[int, int]:
    return position.generation, position.sequence
