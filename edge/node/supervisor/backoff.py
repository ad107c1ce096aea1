"""Exponential backoff: how long to wait before a dead worker is replaced.

The first replacement comes at once: a crash is rare, and its cause is usually one request.  A worker
that keeps dying is started ever less often, so that the others keep the processor.  The delays are
0, 0.5, 1, 2 ... seconds, at most :data:`MAXIMUM`; a minute of life forgets them.
"""

from __future__ import annotations

#: Seconds before the second replacement in a row.
FIRST = 0.5
#: Seconds: a broken installation is tried twice a minute and no more.
MAXIMUM = 30.0
#: A worker that lived this many seconds had started well.
HEALTHY = 60.0


class Backoff:
    """The delays of one worker position."""

    def __init__(self) -> None:
        self._delay = 0.0

    def next_delay(self, lived: float) -> float:
        """Seconds to wait now that a worker died after *lived* seconds."""
        if lived >= HEALTHY:
            self._delay = 0.0
        delay = self._delay
        self._delay = min(max(FIRST, 2 * delay), MAXIMUM)
        return delay
