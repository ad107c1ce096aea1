"""What to expect of each hour of the week: a quantile of what the same hour brought in the weeks before.

Hours are those of the wall clock of a time zone, since people live by it: through a change of the clock the
evening stays the evening.  An hour of which the history has nothing is taken as high as the same hour of the
other days, or else as the highest of all: a gap must not look like a quiet hour.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import NamedTuple

from loadgen.plan.history import Sample

WEEK = 168
DAY = 24


class Forecast(NamedTuple):
    """Requests per second to be ready for, for each hour of the week from Monday 0:00 on."""

    rates: tuple[float, ...]
    #: Hours of the week without a sample of their own.
    guessed: tuple[int, ...]
    #: Weeks since the first sample of which there is at least one.
    weeks: int


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of *values* that at least *share* of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def forecast(samples: Iterable[Sample], share: float, home: tzinfo) -> Forecast:
    """The forecast from at least one sample, for hours of the zone *home*."""
    seen: dict[int, list[float]] = defaultdict(list)
    weeks = set()
    samples = list(samples)
    begin = min(sample.at for sample in samples)
    for at, rate in samples:
        local = at.astimezone(home)
        seen[local.weekday() * DAY + local.hour].append(rate)
        weeks.add((at - begin).days // 7)
    known = {hour: quantile(rates, share) for hour, rates in seen.items()}
    highest = max(known.values())

    def expected(hour: int) -> float:
        if hour in known:
            return known[hour]
        same = [known[other] for other in range(hour % DAY, WEEK, DAY) if other in known]
        return max(same, default=highest)

    guessed = tuple(hour for hour in range(WEEK) if hour not in known)
    return Forecast(tuple(expected(hour) for hour in range(WEEK)), guessed, len(weeks))
