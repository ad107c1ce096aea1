"""How many users come at which time of the day.

A part *trough* of the mean comes at any hour alike: people of other zones and habits, and programs.  On it
stands one wave a day, in proportion to exp(k cos(2 pi (t - peak) / day)): the von Mises density, the wave of
a single peak that is described by how peaked it is.  Its mean over a day is I0(k), so that its own peak /
mean = exp(k) / I0(k).  Without the first part, nights would be empty: at a peak of 4.4 times the mean, the
quietest hour would have 1/858 of the busiest.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

DAY_S = 86_400.0


def concentration(peak_to_mean: float) -> float:
    """The k with exp(k) / I0(k) = *peak_to_mean* >= 1; by bisection."""
    low, high = 0.0, 600.0
    for _ in range(100):
        middle = (low + high) / 2
        if _peak_to_mean(middle) < peak_to_mean:
            low = middle
        else:
            high = middle
    return low


def _peak_to_mean(k: float) -> float:
    return math.exp(k) / float(np.i0(k))


def curve(
    second: ArrayLike, peak_to_mean: float, peak_s: float, trough_to_mean: float = 0.0
) -> NDArray[np.float64]:
    """The rate at *second* of a day over its mean; *trough_to_mean*: 0 to 1, and that is never undercut."""
    if trough_to_mean >= 1:
        return np.ones(np.shape(second))
    k = concentration((peak_to_mean - trough_to_mean) / (1 - trough_to_mean))
    phase = 2 * np.pi * (np.asarray(second, dtype=np.float64) - peak_s) / DAY_S
    wave: NDArray[np.float64] = np.exp(k * np.cos(phase)) / np.i0(k)
    return trough_to_mean + (1 - trough_to_mean) * wave
