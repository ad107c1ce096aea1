"""A load history: a CSV file with lines ``timestamp,requests_per_second``.

A timestamp is Unix seconds, or ISO 8601: with an offset (or Z) it is that moment, without one it is the wall
clock of the plan's time zone.  In the hour that a clock repeats in autumn that is ambiguous and harmless:
both passes belong to the same hour of the week.  A heading, empty lines and lines that begin with # are
skipped; anything else that is no sample is refused by its number.  Of equal timestamps the higher rate
counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from loadgen.errors import UsageError

#: Years that a timestamp may be of: milliseconds taken for seconds would be far beyond.
_YEARS = range(1990, 2101)
#: Wrong lines that are told before reading ends.
_TOLD = 5


class Sample(NamedTuple):
    """The load at one time."""

    at: datetime
    rate: float


class History(NamedTuple):
    """A file's samples by time, and what was strange about it."""

    samples: tuple[Sample, ...]
    duplicates: int


def zone(name: str) -> tzinfo:
    """The time zone *name*; :exc:`UsageError`."""
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f'forecast.timezone = "{name}": this system has no such time zone; '
            'give a name like "Europe/Berlin" (and install tzdata), or "UTC"'
        ) from None


def parse(lines: Iterable[str], name: str, home: tzinfo) -> History:
    """The samples in *lines* of the file *name*; :exc:`UsageError` names each wrong line."""
    found: dict[datetime, float] = {}
    duplicates = 0
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.strip().lstrip("\ufeff")
        if not text or text.startswith("#") or (number == 1 and text.lower().startswith("timestamp")):
            continue
        try:
            at, rate = _sample(text, home)
        except ValueError as error:
            problems.append(f"{name}: line {number}: {_shortened(text)}: {error}")
            if len(problems) == _TOLD:
                break
            continue
        duplicates += at in found
        found[at] = max(rate, found.get(at, 0.0))
    if problems:
        raise UsageError("\n".join(problems))
    if not found:
        raise UsageError(f"{name}: there is no sample in it; write lines timestamp,requests_per_second")
    return History(tuple(Sample(at, found[at]) for at in sorted(found)), duplicates)


def _sample(text: str, home: tzinfo) -> tuple[datetime, float]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2:
        raise ValueError("write timestamp,requests_per_second")
    try:
        rate = float(parts[1])
    except ValueError:
        raise ValueError(f"{_shortened(parts[1])} is no number") from None
    if not (math.isfinite(rate) and 0 <= rate <= 1e12):
        raise ValueError("the rate has to be a number from 0 to 1e12")
    at = _moment(parts[0], home)
    if at.year not in _YEARS:
        raise ValueError(f"the year {at.year} is outside of 1990 to 2100; are these milliseconds?")
    return at, rate


def _moment(text: str, home: tzinfo) -> datetime:
    """In UTC: only there do times in order stay in order through a change of the clock."""
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        try:
            return datetime.fromtimestamp(seconds, timezone.utc)
        except (ValueError, OverflowError, OSError):
            raise ValueError("the timestamp is outside of 1990 to 2100; are these milliseconds?") from None
    try:
        at = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)
        return (at if at.tzinfo else at.replace(tzinfo=home)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ValueError("the timestamp is neither Unix seconds nor like 2026-03-29T14:00:00+01:00") from None


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
