"""How late a reactor runs: the time between when a call was due and when it came.

This is what a request waits before anybody looks at it, and the one figure that shows a blocked
reactor, whatever blocks it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two measurements: five a second see every stall worth seeing, at no cost.
INTERVAL = 0.2
#: The reported figure is the worst of this many measurements (one second).
WINDOW = 5


class LagMeter:
    """Measures the lag of *reactor* and reports it in microseconds."""

    def __init__(self, reactor: Any, report: Callable[[int], None]) -> None:
        self._reactor = reactor
        self._report = report
        self._recent: deque[int] = deque(maxlen=WINDOW)
        self._call: Any = None
        self._due = 0.0

    @property
    def worst_us(self) -> int:
        """The worst lag of the last second, in microseconds."""
        return max(self._recent, default=0)

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._reactor.seconds() + INTERVAL
        self._call = self._reactor.callLater(INTERVAL, self._measure)

    def stop(self) -> None:
        """Measure no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _measure(self) -> None:
        late = max(0.0, self._reactor.seconds() - self._due)
        self._recent.append(int(late * 1_000_000))
        self._report(self.worst_us)
        self.start()
