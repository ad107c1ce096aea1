"""Conditional requests: RFC 9110 section 13, complete.

Fields come as :attr:`edge.http.events.RequestHead.fields` gives them: lower-case names, repeated
lines joined.  Our entity-tags are strong, always.

Where the RFC is silent: a list of entity-tags that cannot be parsed whole matches nothing, which
means that If-Match fails (412) and If-None-Match does not prevent the answer; it is still there, so
that the dates, which it overrides, stay ignored.

If-Modified-Since holds only for the very Last-Modified that was sent, as section 13.1.3 allows: files have
older times after a rollback, and a later date names no version of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from edge.http.dates import parse_date
from edge.http.grammar import ENTITY_TAG_MEMBER

#: The fields that are preconditions (section 13.1), but for If-Range.
CONDITIONS = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"})
_SAFE = (b"GET", b"HEAD")
#: RFC 9110 section 13.2.1: they select no representation, so there is nothing to compare.
_WITHOUT_REPRESENTATION = (b"OPTIONS", b"TRACE", b"CONNECT")


class Outcome(Enum):
    """What the conditions mean for the answer."""

    PROCEED = "proceed"
    #: 304: the client's copy is still good.
    NOT_MODIFIED = "not modified"
    #: 412.
    PRECONDITION_FAILED = "precondition failed"


PROCEED = Outcome.PROCEED
NOT_MODIFIED = Outcome.NOT_MODIFIED
PRECONDITION_FAILED = Outcome.PRECONDITION_FAILED


def parse_entity_tags(value: bytes) -> list[tuple[bool, bytes]] | None:
    """(weak, opaque-tag without quotes) of each member; None if *value* is no list of entity-tags.

    Empty members are skipped, RFC 9110 section 5.6.1.2; a list needs one that is not.
    """
    found = ENTITY_TAG_MEMBER.findall(value)
    if not found or found[-1][2]:
        return None
    return [(bool(weak), opaque) for weak, opaque, _ in found]


def _matches(value: bytes, etag: bytes | None, strong: bool) -> bool:
    """Whether the field *value* lists the current *etag* (None: nothing exists here)."""
    if etag is None:
        return False
    if value == b"*":
        return True
    tags = parse_entity_tags(value) or ()
    return any(opaque == etag and not (strong and weak) for weak, opaque in tags)


def evaluate(
    method: bytes,
    fields: Mapping[bytes, bytes],
    etag: bytes | None,
    modified: int | None,
    extra_tag: bytes | None,
    now: int,
) -> Outcome:
    """Evaluate the preconditions of a request in the order of RFC 9110 section 13.2.2.

    To be asked only if the answer without them would be 2xx.  (The last step, If-Range, is in
    :mod:`edge.http.ranges`.)

    :param etag: opaque-tag of the selected representation, without quotes; None: there is none.
    :param modified: its Last-Modified, Unix seconds; None: not known, dates are ignored.
    :param extra_tag: of ``?~etag=TAG``, which acts as one more line of If-None-Match.
    :param now: Unix seconds, for two-digit years.
    """
    if method in _WITHOUT_REPRESENTATION:
        return PROCEED
    safe = method in _SAFE

    if_match = fields.get(b"if-match")
    if if_match is not None:
        if not _matches(if_match, etag, strong=True):
            return PRECONDITION_FAILED
    elif modified is not None:
        unmodified = parse_date(fields.get(b"if-unmodified-since", b""), now)
        if unmodified is not None and modified > unmodified:
            return PRECONDITION_FAILED

    none_match = fields.get(b"if-none-match")
    if none_match is not None or extra_tag is not None:
        listed = none_match is not None and _matches(none_match, etag, strong=False)
        if listed or (etag is not None and extra_tag == etag):
            return NOT_MODIFIED if safe else PRECONDITION_FAILED
    elif safe and modified is not None:
        since = parse_date(fields.get(b"if-modified-since", b""), now)
        if since == modified:
            return NOT_MODIFIED
    return PROCEED
