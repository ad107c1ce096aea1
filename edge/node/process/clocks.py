"""Two clocks of a process: a steady one for durations, and the date, which may be set at any moment.

Twisted's reactors measure with the date.  When it is set back by five minutes, no call that was planned
comes for five minutes: no load is told, no lease renewed, no deadline met; when it is set forward, all come
at once.  So the processes of a node have their reactor measure by the clock that never jumps
(:func:`measure_steadily`), and ask :func:`date_of` where a date is meant: in headers, logs, changes.
"""

from __future__ import annotations

import time
from typing import Any


def measure_steadily(reactor: Any) -> None:
    """From now on ``reactor.seconds()`` is a clock that never jumps; before the first delayed call."""
    reactor.seconds = time.monotonic
    reactor.date = time.time


def date_of(clock: Any) -> float:
    """Unix seconds; a simulated *clock*, or a reactor as Twisted has it, has only one clock for both."""
    return float(getattr(clock, "date", clock.seconds)())
