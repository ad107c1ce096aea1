"""The dissemination queue of SWIM (section 4.1): updates that are piggybacked a limited number of times.

Each update is sent ``multiplier * ceil(log2(n + 1))`` times by each node that has it: in a cluster of n nodes
news then reach everybody with high probability.  What was sent least often goes first; a newer update about a
node replaces the older one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from edge.gossip.packet import MembershipUpdate, size_of

#: Bytes of the smallest update there is.
SMALLEST = 24


class Broadcasts:
    """A transmit-limited queue of membership updates; at most one for each node."""

    def __init__(self, multiplier: int = 3) -> None:
        self._multiplier = multiplier
        self._sent: dict[str, int] = {}
        #: By times sent: name -> (update, its size), oldest first.
        self._rounds: defaultdict[int, dict[str, tuple[MembershipUpdate, int]]] = defaultdict(dict)

    def add(self, update: MembershipUpdate) -> None:
        """Pass on *update* from now on, instead of what was said of that node before."""
        before = self._sent.get(update.name)
        if before is not None:
            del self._rounds[before][update.name]
        self._sent[update.name] = 0
        self._rounds[0][update.name] = (update, size_of(update))

    def take(self, room: int, nodes: int) -> tuple[list[MembershipUpdate], int]:
        """Updates for one message with *room* bytes: (updates, bytes used)."""
        if not self._sent:
            return [], 0
        limit = self._multiplier * math.ceil(math.log2(nodes + 1))
        taken = [(sent, *found) for sent, found in self._fitting(room)]
        for sent, update, size in taken:
            del self._rounds[sent][update.name]
            if sent + 1 >= limit:
                del self._sent[update.name]
            else:
                self._sent[update.name] = sent + 1
                self._rounds[sent + 1][update.name] = (update, size)
        return [update for _, update, _ in taken], sum(size for _, _, size in taken)

    def _fitting(self, room: int) -> Iterator[tuple[int, tuple[MembershipUpdate, int]]]:
        for sent in sorted(self._rounds):
            for update, size in self._rounds[sent].values():
                if size <= room:
                    room -= size
                    yield sent, (update, size)
                elif room < SMALLEST:
                    return

    def __len__(self) -> int:
        return len(self._sent)
