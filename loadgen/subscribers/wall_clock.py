"""The wall clock beside the monotonic one: what joins them, and how far it was set meanwhile.

Both are slewed alike, so what is between them changes when somebody sets the wall clock, and then alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: A look that took longer says nothing: the process did not run between two readings.
_LOOK_NS = 1_000_000
#: Less is the precision of a look.
_STEP_NS = 5_000_000


class WallClock:
    """``CLOCK_REALTIME`` in times of ``CLOCK_MONOTONIC``."""

    def __init__(
        self,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """*monotonic_ns*, *time_ns*: the two clocks."""
        self._monotonic_ns, self._time_ns = monotonic_ns, time_ns
        #: What makes a monotonic time of one of the wall clock.
        self.to_monotonic_ns = monotonic_ns() - time_ns()
        #: How far it was set since, in all: nobody knows which of its times were right.
        self.stepped_ns = 0

    def look(self) -> None:
        """See whether it was set."""
        before = self._monotonic_ns()
        there = before - self._time_ns()
        if self._monotonic_ns() - before > _LOOK_NS:
            return
        step = abs(there - self.to_monotonic_ns)
        self.stepped_ns += step if step > _STEP_NS else 0
        self.to_monotonic_ns = there
