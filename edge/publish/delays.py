"""Names that are due at a time: a heap, so that very many that wait cost nobody anything."""

from __future__ import annotations

from heapq import heappop, heappush


class Delays:
    """When names are due; of two times for one name the earlier counts."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        #: What stands here with another time than there has been told, or dropped.
        self._heap: list[tuple[float, str]] = []

    def add(self, name: str, at: float) -> None:
        """*name* is due at that time, unless it is before."""
        if at < self._times.get(name, float("inf")):
            self._times[name] = at
            heappush(self._heap, (at, name))

    def drop(self, name: str) -> None:
        """*name* is not due any more."""
        self._times.pop(name, None)

    def due(self, now: float) -> list[str]:
        """Those whose time has come; they wait no more."""
        names = []
        while (at := self.next_at()) is not None and at <= now:
            _, name = heappop(self._heap)
            del self._times[name]
            names.append(name)
        return names

    def next_at(self) -> float | None:
        """When the next one is due; None: none waits."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None
