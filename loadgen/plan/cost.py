"""When burst machines run, and what a month costs.

The hours are a circle, a day or a week that repeats.  Machines are taken in order: the k-th runs in the hours
that need at least k.  It is ordered its boot time before the first of them, and stopped at the end of the
last; through a pause it goes on running if that costs no more than to stop and order it again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from loadgen.plan.inputs import Burst

#: Of a month: a twelfth of 365.25 days.
MONTH_HOURS = 365.25 * 24 / 12


class Run(Struct, frozen=True):
    """One burst machine from its order to its stop.

    Hours count from the beginning of the circle, which *start* may precede and *stop* may exceed.
    """

    machine: int
    start: float
    stop: float

    @property
    def hours(self) -> float:
        """Hours from its order to its stop."""
        return self.stop - self.start


class Bill(Struct, frozen=True):
    """EUR of one month."""

    servers: float
    burst: float
    traffic: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.servers + self.burst + self.traffic


def schedule(needed: Sequence[int], burst: Burst) -> list[Run]:
    """The runs of one circle in which hour h needs ``needed[h]`` machines, by start."""
    runs: list[Run] = []
    fewer = 0
    for level in sorted({count for count in needed if count}):
        # All machines between two levels are needed in the same hours.
        spans = _spans([count >= level for count in needed], burst)
        runs += [Run(machine, *span) for machine in range(fewer + 1, level + 1) for span in spans]
        fewer = level
    return sorted(runs, key=lambda run: (run.start, run.machine))


def _spans(wanted: Sequence[bool], burst: Burst) -> list[tuple[float, float]]:
    """(start, stop) of each run of one machine."""
    length = len(wanted)
    if all(wanted):
        return [(0.0, float(length))]
    begin = next(hour for hour in range(length) if wanted[hour] and not wanted[hour - 1])
    spans: list[list[int]] = []
    for hour in range(begin, begin + length):
        if not wanted[hour % length]:
            continue
        if spans and spans[-1][1] == hour:
            spans[-1][1] = hour + 1
        else:
            spans.append([hour, hour + 1])
    boot = burst.boot_s / 3600
    runs = [(start - boot, float(stop)) for start, stop in spans]
    joined = runs[:1]
    for start, stop in runs[1:]:
        first, last = joined[-1]
        apart = price(last - first, burst) + price(stop - start, burst)
        if start <= last or price(stop - first, burst) <= apart:
            joined[-1] = (first, stop)
        else:
            joined.append((start, stop))
    first, last = joined[0][0], joined[-1][1]
    through = price(float(length), burst)
    if last - first > length or through <= sum(price(stop - start, burst) for start, stop in joined):
        return [(0.0, float(length))]
    return joined


def price(hours: float, burst: Burst) -> float:
    """EUR of a run of so many hours: what is begun of the billing unit is paid."""
    unit = burst.billed_s / 3600
    return math.ceil(hours / unit - 1e-9) * unit * burst.eur_per_hour


def burst_euros(runs: Sequence[Run], circle_hours: int, burst: Burst) -> float:
    """EUR of a month of such circles."""
    return sum(price(run.hours, burst) for run in runs) * MONTH_HOURS / circle_hours
