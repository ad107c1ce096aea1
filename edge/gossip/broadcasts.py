"""News that wait to be passed on, piggybacked on other messages (SWIM section 4.1).

Each item is sent ``multiplier * ceil(log2(n + 1))`` times by each node that has it: in a cluster of n nodes
news then reach everybody with high probability.  What was sent least often goes first; a newer claim about a
node replaces the older one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from edge.gossip.packet import Claim, size_of

#: Bytes of the smallest claim there is.
SMALLEST = 24


class Broadcasts:
    """The claims that this node passes on; by the name they are about."""

    def __init__(self, multiplier: int = 3) -> None:
        self._multiplier = multiplier
        self._sent: dict[str, int] = {}
        #: By times sent: name -> (claim, its size), oldest first.
        self._rounds: defaultdict[int, dict[str, tuple[Claim, int]]] = defaultdict(dict)

    def add(self, claim: Claim) -> None:
        """Pass on *claim* from now on, instead of what was said of that node before."""
        before = self._sent.get(claim.name)
        if before is not None:
            del self._rounds[before][claim.name]
        self._sent[claim.name] = 0
        self._rounds[0][claim.name] = (claim, size_of(claim))

    def take(self, room: int, nodes: int) -> tuple[list[Claim], int]:
        """Claims for one message with *room* bytes: (claims, bytes used)."""
        if not self._sent:
            return [], 0
        limit = self._multiplier * math.ceil(math.log2(nodes + 1))
        taken = [(sent, *found) for sent, found in self._fitting(room)]
        for sent, claim, size in taken:
            del self._rounds[sent][claim.name]
            if sent + 1 >= limit:
                del self._sent[claim.name]
            else:
                self._sent[claim.name] = sent + 1
                self._rounds[sent + 1][claim.name] = (claim, size)
        return [claim for _, claim, _ in taken], sum(size for _, _, size in taken)

    def _fitting(self, room: int) -> Iterator[tuple[int, tuple[Claim, int]]]:
        for sent in sorted(self._rounds):
            for claim, size in self._rounds[sent].values():
                if size <= room:
                    room -= size
                    yield sent, (claim, size)
                elif room < SMALLEST:
                    return

    def __len__(self) -> int:
        return len(self._sent)
