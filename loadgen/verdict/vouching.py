"""Whether the generator's own lag can account for how a threshold came out.

The **lag** of a request is what the generator itself is late by: from due to taken up, or from an answer's
arrival until the process that reads it was awake again.  Corrected latency counts from the plan, so lag only
ever adds to it: a percentile that is below its limit would be so without any lag, and can be vouched for.
One that is above it is the target's only if it stays there without what lag may account for:

    allowance(p) = 2 x the lag that a share (1 - p) / 2 of the requests exceed

Half of the tail, because p of the sum of two times exceeds neither time's own value by more than the other's
there; twice, because what was sent late came together, and had to wait for each other at the target.  The
lag of a push is how long it may have lain unread; the same holds for it.
Lag of up to :data:`UNNOTICED_MS` is what a machine with something else to do has anyway; it is not counted.
"""

from __future__ import annotations

from loadgen.histogram import Histogram
from loadgen.verdict.thresholds import PERCENTS, PUSHES, Comparison

UNNOTICED_MS = 1.0
_TWICE = 2.0
#: The percentiles for which lag can account, by measure.
VOUCHED = PERCENTS | PUSHES


def allowance_ms(lag: Histogram, percent: float) -> float:
    """Milliseconds of a latency at *percent* that *lag* (microseconds) may account for."""
    late = lag.percentile(100 - (100 - percent) / 2) / 1000
    return _TWICE * late if late > UNNOTICED_MS else 0.0


def is_doubtful(comparison: Comparison, value: float, lag: Histogram) -> bool:
    """Whether a latency of *value* ms might have come out otherwise without the generator's own lag."""
    percent = VOUCHED.get(comparison.measure)
    if percent is None:
        return False
    without = max(0.0, value - allowance_ms(lag, percent))
    return comparison.holds(value) != comparison.holds(without)
