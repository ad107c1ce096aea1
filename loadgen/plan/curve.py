"""The day's users by the hour, when there is no history: the wave of :mod:`loadgen.models.daily`."""

from __future__ import annotations

from loadgen.models.daily import curve

HOURS = 24


def daily_shares(peak_to_mean: float, peak_hour: int, trough_to_mean: float = 0.0) -> list[float]:
    """Users in each hour of the day, relative to the busiest one."""
    rates = curve([hour * 3600.0 for hour in range(HOURS)], peak_to_mean, peak_hour * 3600.0, trough_to_mean)
    return [float(rate) for rate in rates / rates[peak_hour]]
