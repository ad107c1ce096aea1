"""Until when what other nodes published may be confirmed, in shared memory (:mod:`edge.table.layout`).

Each origin has a number in this segment; the deadline of its entries is pushed on while there is news of it.
Workers compare it with the clock themselves, so it holds even when this process hangs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.table.segment import Segment

#: Origins that have a number of their own; more than that share one that is never confirmed.
ORIGINS = 255


class Leases:
    """Those of the node *node*, whose own entries need none."""

    def __init__(self, segment: Segment, node: str) -> None:
        self._segment = segment
        self._numbers: dict[str, int] = {node: 0}

    def number(self, origin: str) -> int:
        """Of *origin*, as entries bear it."""
        number = self._numbers.get(origin)
        if number is None:
            number = self._numbers[origin] = min(len(self._numbers), ORIGINS)
        return number

    def origins(self) -> list[str]:
        """Other nodes that entries are of."""
        return [origin for origin, number in self._numbers.items() if number]

    def renew(self, origin: str, seconds: float) -> None:
        """What *origin* published may be confirmed for *seconds* from now on; below 0: no longer."""
        number = self.number(origin)
        if 0 < number < ORIGINS:
            self._segment.set_lease(number, max(int((time.monotonic() + seconds) * 1000), 0))

    def left(self, origin: str) -> float | None:
        """Seconds left, below 0: it has run out; None: it needs none, or has no entries."""
        number = self._numbers.get(origin)
        if not number:
            return None
        return round(self._segment.lease(number) / 1000 - time.monotonic(), 1)
