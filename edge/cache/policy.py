"""Which answers may be shared, and for how long: RFC 9111, with RFC 9213 (targeted) and RFC 5861 (stale).

An answer is shared only if it says so: by ``CDN-Cache-Control``, else by ``s-maxage``, else by ``public``
with ``max-age``.  On paths that the operator has named (``share``) what is asked holds nothing personal, so
there a bare ``max-age`` or ``Expires`` is enough, as RFC 9111 has it.  No lifetime is ever guessed.

Never shared: Set-Cookie, private, no-store, no-cache; statuses of which another request may well see another
one (5xx, 206, and of 4xx all but 404 and 410); ``Vary`` on a field that is not part of the key; fields with
line ends, since what is stored goes out as it is, and would be other fields for who reads it.

**Ages.**  The age of an answer is what its Age says, and how long the answer was on its way (RFC 9111 section
4.2.3, corrected_age_value).  Date does not add to it: the clock of an application may be wrong by hours, and
nobody here talks HTTP/1.0 to one, for which alone apparent_age is there.  Expires is compared with Date,
which comes from the same clock.

An answer that took longer than it lasts, or comes from another cache that gives it stale, may be shared all
the same: who waited for it gets it, and the next one asks again.  That it is over says nothing of the next.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from edge.cache.directives import (
    LONGEST,
    Contradiction,
    Directives,
    cache_control,
    seconds,
    targeted,
    targeted_seconds,
)
from edge.http.dates import parse_date
from edge.http.fields import Fields, Lines, by_name, can_be_sent, members_of

#: Statuses with a meaning of their own for caches, or of which the next request may see another.
_STATUSES = frozenset({*range(200, 300), 300, 301, 302, 303, 307, 308, 404, 410} - {205, 206})
#: Fields that end with this hop, or are for caches like this one alone; never stored, never passed on.
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authentication-info proxy-authorization "
    b"proxy-connection te trailer transfer-encoding upgrade cache-group-invalidation".split()
)
#: Heads of which it is remembered what they say: an application gives many answers with the same one.
HEADS = 64
#: Seconds: an older answer is not stored, however long it lasts; the table reckons with two years each way.
MOST_AGE = 31_536_000
_AGE = re.compile(rb"[0-9]+")


class Refusal(Enum):
    """Why an answer is not shared, in a sentence for who asks."""

    STATUS = "answers with this status are not shared"
    SET_COOKIE = "it sets a cookie"
    PRIVATE = "it says private"
    NO_STORE = "it says no-store"
    NO_CACHE = "it says no-cache"
    NO_LIFETIME = (
        "it has no explicit lifetime for shared caches: CDN-Cache-Control, s-maxage, or public with max-age"
    )
    CONTRADICTION = "its Cache-Control says one thing twice, with two values"
    OLD = "it is older than a year"
    VARY = "it varies with a request field that is not part of the key"
    CODED = "its body is in a content coding that nobody asked for"
    TOO_LONG = "its body or its header lines are too long"
    UNREADABLE = "a header field of it has a line end or another control character, or no name"
    GROUPS = "its Cache-Groups cannot be read, or are too many: it could not be taken back"


@dataclass(frozen=True, slots=True)
class Terms:
    """For how long an answer may be shared, in seconds."""

    #: From when it was made.
    fresh: int
    #: How old it was when it was here.
    age: float
    #: After it is no longer fresh: while it is asked for anew, and while the application fails.
    stale_while_revalidate: int
    stale_if_error: int

    @property
    def remaining(self) -> float:
        """How long it is still fresh; not positive: it is not."""
        return self.fresh - self.age


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator has said about a path."""

    #: Asked without anything personal: max-age and Expires are enough.
    trusting: bool = False
    #: Lower-case names of the fields that are part of the key, besides Accept-Encoding.
    vary: Collection[bytes] = ()
    #: Of answers that do not say it themselves, and may be served stale.
    stale_if_error: int = 0


def judge(status: int, fields: Fields, rules: Rules, asked: float, here: float, wall: int) -> Terms | Refusal:
    """Whether an answer to GET may be shared, and for how long.

    *asked*, *here*: when it was asked for, and when its head was here, in seconds of one steady clock.
    *wall*: Unix seconds, for two-digit years alone.
    """
    said = _said(status, tuple(fields), rules.trusting, frozenset(rules.vary), rules.stale_if_error, wall)
    if isinstance(said, Refusal):
        return said
    age = said.age + max(here - asked, 0.0)
    return (
        Refusal.OLD
        if age > MOST_AGE
        else Terms(said.fresh, age, said.stale_while_revalidate, said.stale_if_error)
    )


@lru_cache(maxsize=HEADS)
def _said(
    status: int,
    fields: tuple[tuple[bytes, bytes], ...],
    trusting: bool,
    vary: frozenset[bytes],
    stale_if_error: int,
    wall: int,
) -> Terms | Refusal:
    """The same of an answer that was no time on its way: what most answers of one second say alike."""
    if status not in _STATUSES:
        return Refusal.STATUS
    rules = Rules(trusting, vary, stale_if_error)
    lines = by_name(fields)
    if b"set-cookie" in lines or b"set-cookie2" in lines:
        return Refusal.SET_COOKIE
    if b"vary" in lines and vary_of(lines[b"vary"]) - {b"accept-encoding", *rules.vary}:
        return Refusal.VARY
    if any(member.lower() != b"identity" for member in members_of(lines.get(b"content-encoding", ()))):
        return Refusal.CODED
    said = _lifetime(lines, rules, wall)
    if isinstance(said, Refusal):
        return said
    if not can_be_sent(fields):
        return Refusal.UNREADABLE
    fresh, directives = said
    return Terms(fresh, age_of(lines.get(b"age", ())), *_stale(directives, rules))


def vary_of(lines: Sequence[bytes]) -> set[bytes]:
    """Lower-case names in the *lines* of Vary."""
    return {member.lower() for member in members_of(lines)}


def age_of(lines: Sequence[bytes]) -> int:
    """What the *lines* of Age say; of several the first; what is none is 0 (RFC 9111 5.1)."""
    for line in lines:
        first = line.partition(b",")[0].strip(b" \t")
        if not _AGE.fullmatch(first):
            return 0
        return LONGEST if len(first.lstrip(b"0")) > 10 else min(int(first.lstrip(b"0") or 0), LONGEST)
    return 0


def _lifetime(lines: Lines, rules: Rules, wall: int) -> tuple[int, Directives] | Refusal:
    """How long an answer is fresh, and the directives that count."""
    own = targeted(lines.get(b"cdn-cache-control", ()))
    if own is not None:
        refused = _forbidden(own, understood=False)
        fresh = targeted_seconds(own, b"s-maxage")
        fresh = targeted_seconds(own, b"max-age") if fresh is None else fresh
        return refused or (fresh, own) if fresh else refused or Refusal.NO_LIFETIME
    try:
        directives = cache_control(lines.get(b"cache-control", ()))
    except Contradiction:
        return Refusal.CONTRADICTION
    refused = _forbidden(directives, b"must-understand" in directives)
    if refused is not None:
        return refused
    fresh = seconds(directives, b"s-maxage")
    if fresh is None and (rules.trusting or b"public" in directives):
        fresh = seconds(directives, b"max-age")
    if fresh is None and rules.trusting and b"max-age" not in directives:
        fresh = _expires(lines, wall)
    return (fresh, directives) if fresh else Refusal.NO_LIFETIME


def _forbidden(directives: Directives, understood: bool) -> Refusal | None:
    """*understood*: no-store is meant for who does not know the status, which we do (RFC 9111 5.2.2.3)."""
    if b"no-store" in directives and not understood:
        return Refusal.NO_STORE
    if b"private" in directives:
        return Refusal.PRIVATE
    return Refusal.NO_CACHE if b"no-cache" in directives else None


def _expires(lines: Lines, wall: int) -> int | None:
    """Expires minus Date: both are of the application's clock.  None: no Expires; malformed: 0."""
    said = lines.get(b"expires", ())
    if not said:
        return None
    # Names are case-sensitive, and written in any case by those who do not know it.
    written = said[0].title().replace(b"Gmt", b"GMT")
    expires = parse_date(written, wall) if len(said) == 1 else None
    made = parse_date(next(iter(lines.get(b"date", ())), b""), wall)
    return max(0, min(expires - (wall if made is None else made), LONGEST)) if expires is not None else 0


def _stale(directives: Directives, rules: Rules) -> tuple[int, int]:
    """(while it is asked for anew, while the application fails), in seconds after its lifetime.

    What the answer says of it counts with s-maxage, too, whose readers mean it so, although RFC 9111 section
    5.2.2.10 has it forbid all of that; what the operator says does not then.
    """
    if b"must-revalidate" in directives or b"proxy-revalidate" in directives:
        return 0, 0
    on_error = seconds(directives, b"stale-if-error")
    return seconds(directives, b"stale-while-revalidate") or 0, (
        rules.stale_if_error if on_error is None else on_error
    )
