"""How many distinct clients there are: exact while they are few, estimated when they are many.

The K smallest of uniform hashes (Bar-Yossef et al., 2002): with the K-th at a share x of all hashes there are
(K - 1) / x of them, with a standard error of 1 / sqrt(K - 2).
"""

from __future__ import annotations

import heapq

_MOST = 65_536
_ALL = 1 << 64


class Clients:
    """A set of 64-bit hashes of which the smallest are kept."""

    def __init__(self) -> None:
        self._kept: set[int] = set()
        #: The same, negative: the greatest first.
        self._heap: list[int] = []

    def add(self, client: int) -> None:
        """Count the client with this hash, once."""
        if client in self._kept:
            return
        if len(self._heap) < _MOST:
            heapq.heappush(self._heap, -client)
            self._kept.add(client)
        elif client < -self._heap[0]:
            self._kept.discard(-heapq.heappushpop(self._heap, -client))
            self._kept.add(client)

    @property
    def count(self) -> int:
        """How many there are, within 0.4 % beyond 65,536."""
        if len(self._heap) < _MOST:
            return len(self._heap)
        return round((_MOST - 1) * _ALL / -self._heap[0])
