"""HTTP-date, RFC 9110 section 5.6.7: one format out, three formats in.

Times are Unix seconds.  The clock is not read here: where the present matters, it is a parameter.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
#: 50 years of 365.2425 days.
_FIFTY_YEARS = 50 * 31_556_952

_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = rb"(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTH = rb"(?P<month>" + b"|".join(_MONTHS) + rb")"
_TIME = rb"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)"
_FORMATS = (
    # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(_DAY + rb", (?P<day>[0-9]{2}) " + _MONTH + rb" (?P<year>[0-9]{4}) " + _TIME + rb" GMT"),
    # rfc850-date: Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(_LONG_DAY + rb", (?P<day>[0-9]{2})-" + _MONTH + rb"-(?P<year>[0-9]{2}) " + _TIME + rb" GMT"),
    # asctime-date: Sun Nov  6 08:49:37 1994
    re.compile(_DAY + rb" " + _MONTH + rb" (?P<day>[0-9]{2}| [0-9]) " + _TIME + rb" (?P<year>[0-9]{4})"),
)


@lru_cache(maxsize=1024)
def format_date(unix: int) -> bytes:
    """IMF-fixdate of *unix* (0 to the year 9999): 29 bytes.

    Remembers what it made: the Date of this second, and the Last-Modified of busy resources.
    """
    at = _EPOCH + timedelta(seconds=unix)
    return b"%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        _DAYS[at.weekday()],
        at.day,
        _MONTHS[at.month - 1],
        at.year,
        at.hour,
        at.minute,
        at.second,
    )


def parse_date(value: bytes, now: int) -> int | None:
    """Unix seconds of an HTTP-date in any of the three formats, or None: it is none.

    Names are case-sensitive, as the RFC demands.  The day of the week has to be one, but nobody
    checks that it is the right one.  A two-digit year is of the century of *now*, unless that is
    more than 50 years in the future: then of the century before.
    """
    for pattern in _FORMATS:
        match = pattern.fullmatch(value)
        if match is not None:
            break
    else:
        return None
    month = _MONTHS.index(match["month"]) + 1
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    year = int(match["year"])
    clock = hour * 3600 + minute * 60 + second  # a leap second, :60, is the next minute's first
    if len(match["year"]) == 4:
        return _unix(year, month, day, clock)
    year += (_EPOCH + timedelta(seconds=now)).year // 100 * 100
    unix = _unix(year, month, day, clock)
    if unix is None or unix > now + _FIFTY_YEARS:
        return _unix(year - 100, month, day, clock)
    return unix


def _unix(year: int, month: int, day: int, clock: int) -> int | None:
    try:
        midnight = datetime(year, month, day, tzinfo=timezone.utc)
    except ValueError:
        return None
    return (midnight - _EPOCH) // timedelta(seconds=1) + clock
