"""How often sessions begin: the daily curve and the spikes on it.

Operational time is time stretched by the rate: in it, a user who comes back at a changing rate comes back
at a constant one, so that gaps between sessions are exponential with mean 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loadgen.models.daily import DAY_S, curve
from loadgen.simulate.inputs import Inputs

#: Seconds between points of the integral.
_GRID_S = 30.0
#: Days before the beginning, for what users did then.
_BEFORE = 30

Floats = NDArray[np.float64]


class SessionRate:
    """The rate of a non-homogeneous Poisson process.  Times are seconds from the first midnight."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        end = inputs.day.hours * 3600
        # One plain day is summed up, and repeated before the beginning.
        self._times = np.arange(0.0, max(end, DAY_S) + 2 * _GRID_S, _GRID_S)
        middles = self._times[:-1] + _GRID_S / 2
        self._sums = np.concatenate(([0.0], np.cumsum(self.rates(middles) * _GRID_S)))
        points = np.arange(0.0, DAY_S + _GRID_S, _GRID_S)
        plain = np.concatenate(([0.0], np.cumsum(self._plain(points[:-1] + _GRID_S / 2) * _GRID_S)))
        days = np.arange(-_BEFORE, 0)
        before = (days[:, np.newaxis] * DAY_S + points[:-1]).ravel()
        sums = (days[:, np.newaxis] * plain[-1] + plain[:-1]).ravel()
        self._times = np.concatenate((before, self._times))
        self._sums = np.concatenate((sums, self._sums))

    def _plain(self, second: ArrayLike) -> Floats:
        day = self._inputs.day
        peak_s, interval = day.peak_hour * 3600, self._inputs.users.return_interval_s
        return curve(second, day.peak_to_mean, peak_s, day.trough_to_mean) / interval

    def rates(self, second: ArrayLike) -> Floats:
        """Sessions per second of a user who is away."""
        at = np.asarray(second, dtype=np.float64)
        factor = np.ones(at.shape)
        for spike in self._inputs.spikes:
            since = at - spike.at_s
            fading = np.exp(-np.maximum(since, 0.0) / spike.fades_s)
            factor *= np.where(since >= 0, 1 + (spike.factor - 1) * fading, 1.0)
        return self._plain(at) * factor

    def operational(self, second: ArrayLike) -> Floats:
        """Operational time: expected sessions of a user who is always away, from the beginning."""
        return np.asarray(np.interp(np.asarray(second), self._times, self._sums), dtype=np.float64)

    def second(self, operational: ArrayLike) -> Floats:
        """The time of an operational time; what is after the end is infinite."""
        return np.asarray(
            np.interp(np.asarray(operational), self._sums, self._times, right=np.inf), dtype=np.float64
        )
