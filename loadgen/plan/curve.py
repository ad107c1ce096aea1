"""The day's curve of users, when there is no history: one peak, one trough.

The density of von Mises, e^(k cos a): the least arbitrary curve on a circle of which one knows the
peak's place and height.  Its peak to mean is e^k / I0(k); here the mean is that of the 24 hours which are
planned for.
"""

from __future__ import annotations

import math

HOURS = 24
#: Of k; reaches 24, one busy hour and nothing else, far beyond what a plan may say.
_MOST = 500.0


def daily_shares(peak_to_mean: float, peak_hour: int) -> list[float]:
    """Users in each hour of the day, relative to the busiest one: peak over mean is *peak_to_mean*."""
    low, high = 0.0, _MOST
    for _ in range(100):
        middle = (low + high) / 2
        if HOURS / sum(_curve(middle)) < peak_to_mean:
            low = middle
        else:
            high = middle
    curve = _curve(high)
    return [curve[(hour - peak_hour) % HOURS] for hour in range(HOURS)]


def _curve(k: float) -> list[float]:
    return [math.exp(k * (math.cos(2 * math.pi * hour / HOURS) - 1)) for hour in range(HOURS)]
