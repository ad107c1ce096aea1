"""News that wait to be passed on, piggybacked on other messages (SWIM section 4.1).

Each item is sent ``multiplier * ceil(log2(n + 1))`` times by each node that has it: in a cluster of n nodes
news then reach everybody with high probability.  What was sent least often goes first; a newer claim about a
node replaces the older one.
"""

from __future__ import annotations

import math

from edge.gossip.packet import Claim, size_of


class Broadcasts:
    """The claims that this node passes on; by the name they are about."""

    def __init__(self, multiplier: int = 3) -> None:
        self._multiplier = multiplier
        self._items: dict[str, tuple[Claim, int, int]] = {}  # claim, its size, times sent

    def add(self, claim: Claim) -> None:
        """Pass on *claim* from now on, instead of what was said of that node before."""
        self._items[claim.name] = (claim, size_of(claim), 0)

    def take(self, room: int, nodes: int) -> tuple[list[Claim], int]:
        """Claims for one message with *room* bytes: (claims, bytes used)."""
        if not self._items:
            return [], 0
        limit = self._multiplier * math.ceil(math.log2(nodes + 1))
        taken: list[Claim] = []
        used = 0
        for name, (claim, size, sent) in sorted(self._items.items(), key=lambda item: item[1][2]):
            if used + size > room:
                continue
            taken.append(claim)
            used += size
            if sent + 1 >= limit:
                del self._items[name]
            else:
                self._items[name] = (claim, size, sent + 1)
        return taken, used

    def __len__(self) -> int:
        return len(self._items)
