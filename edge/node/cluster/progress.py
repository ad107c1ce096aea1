"""Who is behind whom: from the marks that nodes tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.gossip.packet import Mark
    from edge.gossip.replica import Replica


class Progress:
    """Of the node *node*."""

    def __init__(self, node: str, replica: Replica) -> None:
        self._node = node
        self._replica = replica
        self._heard: dict[str, Mark] = {}  # the highest mark of each origin, by whomever
        self._told: dict[str, Mark] = {}  # how much of our own log each node has
        #: Whether anybody has told anything.
        self.has_heard = False

    def note(self, sender: str, marks: Sequence[Mark]) -> None:
        """*sender* has told how far it has all logs."""
        self.has_heard = True
        for mark in marks:
            if mark.origin == self._node:
                self._told[sender] = mark
            if mark.sequence == 0:
                continue
            known = self._heard.get(mark.origin)
            if known is None or (mark.generation, mark.sequence) > (known.generation, known.sequence):
                self._heard[mark.origin] = mark

    def forget(self, name: str) -> None:
        """*name* has left."""
        self._told.pop(name, None)

    def behind(self) -> dict[str, int]:
        """For each origin of which there is more than is here: how many changes."""
        ours = {mark.origin: mark for mark in self._replica.marks()}
        behind = {}
        for origin, heard in self._heard.items():
            mine = ours.get(origin)
            if mine is None or mine.generation < heard.generation:
                behind[origin] = heard.sequence
            elif mine.generation == heard.generation and mine.sequence < heard.sequence:
                behind[origin] = heard.sequence - mine.sequence
        return behind

    def peer_behind(self, name: str) -> int | None:
        """How many of this node's changes *name* has not said to have; None: it has said nothing."""
        mark = self._told.get(name)
        ours = next(one for one in self._replica.marks() if one.origin == self._node)
        if ours.sequence == 0:
            return 0
        if mark is None or mark.generation != ours.generation:
            return None
        return max(0, ours.sequence - mark.sequence)
