"""The arena's allocator: segregated free lists, coalescing, and epoch-based reclamation.

Its account of which bytes are free, in use, or waiting for readers to leave is private to the writer; the
shared bytes hold nothing of it, and after a writer's death the next one rebuilds it from the live slots.
Free extents lie in bins by the power of two of their size, lowest address first, and merge with their
neighbours when they are freed.

A block that is no longer referred to is *retired* with the epoch of that moment, and freed when no
worker reads in that epoch or an earlier one any more (epoch-based reclamation, Fraser 2004).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from edge.table.layout import GRANULE, align

#: How many extents of the smallest bin that may fit are looked at before a larger bin is used.
_LOOKS = 16


class Arena:
    """Offsets ``begin`` to ``end`` of the segment, in granules of 64 bytes."""

    def __init__(self, begin: int, end: int) -> None:
        self.begin = align(begin, GRANULE)
        self.end = end // GRANULE * GRANULE
        self.free_bytes = 0
        self._sizes: dict[int, int] = {}  # free extents: where each begins -> its size
        self._begins: dict[int, int] = {}  # where each ends -> where it begins
        self._bins: list[list[int]] = [[] for _ in range(64)]
        self._used = 0  # bit i: bin i may hold something
        self._retired: deque[tuple[int, int, int]] = deque()
        self._add(self.begin, self.end - self.begin)

    @property
    def retired_blocks(self) -> int:
        """Blocks that wait for readers."""
        return len(self._retired)

    def allocate(self, size: int) -> int | None:
        """Where *size* bytes begin from now on, or None: no extent is large enough."""
        size = align(max(size, 1), GRANULE)
        number = size.bit_length() - 1
        while used := self._used >> number + 1:  # the next bin that has something
            number += (used & -used).bit_length()
            begin = self._take(number, size)
            if begin is not None:
                rest = self._sizes[begin] - size
                self._remove(begin)
                if rest:
                    self._add(begin + size, rest)
                return begin
        return None

    def reserve(self, begin: int, size: int) -> bool:
        """Takes exactly these bytes; False if some are not free.  For recovery."""
        end = begin + align(max(size, 1), GRANULE)
        if begin % GRANULE or begin < self.begin or end > self.end:
            return False
        for start, length in self._sizes.items():
            if start <= begin and end <= start + length:
                self._remove(start)
                if begin > start:
                    self._add(start, begin - start)
                if end < start + length:
                    self._add(end, start + length - end)
                return True
        return False

    def retire(self, begin: int, size: int, epoch: int) -> None:
        """The block is unreachable for who enters after *epoch*."""
        self._retired.append((epoch, begin, size))

    def reclaim(self, worker_epochs: Iterable[int]) -> int:
        """Frees what no worker can be reading; *worker_epochs*: 0 where it reads nothing.  How many."""
        oldest = min((epoch for epoch in worker_epochs if epoch), default=None)
        count = 0
        while self._retired and (oldest is None or self._retired[0][0] < oldest):
            _, begin, size = self._retired.popleft()
            self.free(begin, size)
            count += 1
        return count

    def free(self, begin: int, size: int) -> None:
        """Gives a block back, merged with free neighbours."""
        size = align(max(size, 1), GRANULE)
        before = self._begins.get(begin)
        if before is not None:
            size += self._sizes[before]
            begin = before
            self._remove(before)
        after = self._sizes.get(begin + size)
        if after is not None:
            self._remove(begin + size)
            size += after
        self._add(begin, size)

    def _take(self, number: int, size: int) -> int | None:
        """Take an extent of at least *size* out of a bin; stale members are dropped on the way."""
        heap = self._bins[number]
        put_back: list[int] = []
        found = None
        while heap and len(put_back) < _LOOKS:
            begin = heapq.heappop(heap)
            length = self._sizes.get(begin)
            if length is None or length.bit_length() != number:
                continue  # merged or used since
            if length >= size:
                found = begin
                break
            put_back.append(begin)
        for begin in put_back:
            heapq.heappush(heap, begin)
        if not heap:
            self._used &= ~(1 << number)
        return found

    def _add(self, begin: int, size: int) -> None:
        self._sizes[begin] = size
        self._begins[begin + size] = begin
        number = size.bit_length()
        heapq.heappush(self._bins[number], begin)
        self._used |= 1 << number
        self.free_bytes += size

    def _remove(self, begin: int) -> None:
        size = self._sizes.pop(begin)
        del self._begins[begin + size]
        self.free_bytes -= size
