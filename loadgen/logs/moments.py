"""Dates of access logs as Unix seconds; ValueError for what is no date."""

from __future__ import annotations

import calendar
import functools
import re

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
_CLF = re.compile(
    rb"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?: ([+-]\d{4}))?"
)
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?\s?(Z|[+-]\d{2}:?\d{2})?"
)
#: The year 2286; what is above is in milliseconds, or micro- or nanoseconds.
LAST = 1e10


def common(text: bytes) -> float:
    """Of ``14/Nov/2023:22:13:20 +0000``; without a zone it is UTC."""
    match = _CLF.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        raise ValueError("no date")
    day = _midnight(int(match[3]), _MONTHS[match[2]], int(match[1]))
    return day + _clock(match[4], match[5], match[6], match[7]) - _zone(match[8] or b"+0000")


def iso(text: str) -> float:
    """Of ``2023-11-14T22:13:20.5+01:00`` (RFC 3339, ISO 8601); without a zone it is UTC."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError("no date")
    day = _midnight(int(match[1]), int(match[2]), int(match[3]))
    zone = (match[8] or "Z").replace("Z", "+0000").replace(":", "")
    parts = (part.encode("ascii") if part else None for part in match.group(4, 5, 6, 7))
    return day + _clock(*parts) - _zone(zone.encode("ascii"))


def number(value: float) -> float:
    """Of Unix seconds, or of milli-, micro- or nanoseconds, which no seconds of a log can be."""
    for _ in range(3):
        if value < LAST:
            break
        value /= 1000
    if not 0 < value < LAST:
        raise ValueError("no date")
    return value


@functools.lru_cache(maxsize=64)
def _midnight(year: int, month: int, day: int) -> int:
    if not 1970 <= year <= 9998 or not 1 <= month <= 12:
        raise ValueError("no date")
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise ValueError("no date")
    return calendar.timegm((year, month, day, 0, 0, 0))


def _clock(hour: bytes | None, minute: bytes | None, second: bytes | None, part: bytes | None) -> float:
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 60:  # 60: a leap second
        raise ValueError("no date")
    whole = hours * 3600 + minutes * 60 + seconds
    return whole + float(b"0." + part) if part else whole


@functools.lru_cache(maxsize=256)
def _zone(text: bytes) -> int:
    hours, minutes = int(text[1:3]), int(text[3:5])
    if hours > 15 or minutes > 59:
        raise ValueError("no date")
    return (hours * 3600 + minutes * 60) * (-1 if text[:1] == b"-" else 1)
