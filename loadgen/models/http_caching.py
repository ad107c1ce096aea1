"""What a browser's cache may do with a response, by its header fields (RFC 9111, for a private cache).

Arithmetic alone: fields and no clock, since an age is counted from when the response came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import NamedTuple

#: A freshness lifetime counts as this at most, seconds (RFC 9111 section 1.2.2).
MOST_S = (1 << 31) - 1
#: Of the time since the last change, what is fresh where the server says nothing (section 4.2.2).
_HEURISTIC = 10
#: Field names of Vary whose values differ between two requests of one browser for the same address; what
#: else browsers send is the same each time, so it matches.
_DIFFER = {"*", "referer"}
_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
#: What a wire keeps of an entity tag.
_ETAG_BYTES = 63


class Caching(NamedTuple):
    """How long a response is fresh, and how it is validated afterwards."""

    #: Whether it may be kept at all.
    is_stored: bool
    #: Seconds for which it is fresh without its age; 0: to be validated each time.
    lifetime_s: int
    #: The lifetime is max-age's: an answer that names none has none.
    is_explicit: bool
    #: It never matches a request without having been validated (Vary, section 4.1).
    is_varying: bool
    #: Of Age, seconds.
    age_s: int
    #: Opaque tag without quotes, and whether it is weak; "" without one.
    etag: str
    is_weak: bool
    #: Last-Modified as it came; "" without one.
    modified: str


def read(fields: Mapping[str, str]) -> Caching:
    """What a private cache does with a 200 of these *fields*: names in lower case, repeated ones joined."""
    directives = _directives(fields.get("cache-control", ""))
    match = _ETAG.fullmatch(fields.get("etag", ""))
    etag = match[2] if match and len(match[2]) < _ETAG_BYTES else ""
    modified = fields.get("last-modified", "")
    is_varying = not _DIFFER.isdisjoint(name.strip().lower() for name in fields.get("vary", "").split(","))
    lifetime, is_explicit = (0, True) if is_varying else _lifetime(fields, directives)
    return Caching(
        "no-store" not in directives, lifetime, is_explicit, is_varying, _seconds(fields.get("age", "")) or 0,
        etag, bool(etag and match and match[1]), modified if _date(modified) else "",
    )  # fmt: skip


def _lifetime(fields: Mapping[str, str], directives: Mapping[str, str]) -> tuple[int, bool]:
    """Seconds, and whether max-age said so (RFC 9111 section 4.2.1)."""
    if "no-cache" in directives or "no-store" in directives:
        return 0, True
    if "max-age" in directives:
        return _seconds(directives["max-age"]) or 0, True
    date = _date(fields.get("date", ""))
    if "expires" in fields:
        expires = _date(fields["expires"])
        return (_between(date, expires) if date and expires else 0), False
    modified = _date(fields.get("last-modified", ""))
    return (_between(modified, date) // _HEURISTIC if date and modified else 0), False


def _directives(value: str) -> dict[str, str]:
    """Of Cache-Control; of a directive that is there twice, the first."""
    found: dict[str, str] = {}
    for one in value.split(","):
        name, _, argument = one.strip().partition("=")
        found.setdefault(name.strip().lower(), argument.strip().strip('"'))
    return found


def _seconds(value: str) -> int | None:
    text = value.strip()
    return min(int(text[:18]), MOST_S) if text.isascii() and text.isdigit() else None


def _date(value: str) -> datetime | None:
    """A date of RFC 9110 section 5.6.7; None: it is none, which counts as long past."""
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _between(earlier: datetime, later: datetime) -> int:
    """Seconds, not below 0."""
    return max(0, min(MOST_S, int((later - earlier).total_seconds())))
