"""Rates over a sliding window, from counters that only grow.

A counter of a process that is started again begins at zero.  What was counted before is not lost and
not counted twice: a fall is taken as a new beginning.
"""

from __future__ import annotations

from collections import deque

#: Rates that a node publishes are means over this long.
WINDOW_SECONDS = 5.0


class RateWindow:
    """The rate of one counter over the last *seconds*."""

    def __init__(self, seconds: float = WINDOW_SECONDS) -> None:
        self._seconds = seconds
        self._grown = 0.0  # in all, falls taken as new beginnings
        self._last: float | None = None
        self._points: deque[tuple[float, float]] = deque()

    def observe(self, at: float, total: float) -> float:
        """The rate per second, now that the counter stands at *total* at *at* (seconds, never going back)."""
        if self._last is not None:
            self._grown += total - self._last if total >= self._last else total
        self._last = total
        self._points.append((at, self._grown))
        while len(self._points) > 2 and self._points[1][0] <= at - self._seconds:
            self._points.popleft()
        return self.rate

    @property
    def rate(self) -> float:
        """Growth per second over the window; 0 before two points are known."""
        (first_at, first), (last_at, last) = self._points[0], self._points[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0
