"""Range requests: RFC 9110 section 14, with If-Range of section 13.1.5.

One range of bytes is answered with 206.  Several are answered with the whole representation, as
section 14.2 allows: multipart/byteranges is a well-known way to make a server send far more than
it was asked for, and no browser asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Literal, NamedTuple

from edge.http.fields import list_members
from edge.http.grammar import ENTITY_TAG

#: int-range or suffix-range, RFC 9110 section 14.1.1.
_SPEC = re.compile(rb"([0-9]*)-([0-9]*)")
#: Numbers of more digits are as good as this: no representation is so long.
_DIGITS = 18
_HUGE = 10**_DIGITS


class Selection(Enum):
    """What Range means when it does not mean one span."""

    #: Answer as if there were no Range: 200.
    WHOLE = "whole"
    #: 416.
    UNSATISFIABLE = "unsatisfiable"


WHOLE: Literal[Selection.WHOLE] = Selection.WHOLE
UNSATISFIABLE: Literal[Selection.UNSATISFIABLE] = Selection.UNSATISFIABLE


class Span(NamedTuple):
    """Bytes *first* to *last*, both included, both inside the representation."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Octets."""
        return self.last - self.first + 1


def select_range(method: bytes, fields: Mapping[bytes, bytes], length: int, etag: bytes) -> Span | Selection:
    """Which part of the selected representation a request asks for, once its preconditions hold.

    Range counts for GET only (section 14.2).  What is malformed, of another unit, or more than one
    range, is ignored; so is a suffix of an empty representation, which 206 could not express.

    :param fields: as :attr:`edge.http.events.RequestHead.fields`.
    :param length: octets of the representation (after content coding).
    :param etag: its opaque-tag, without quotes.
    """
    value = fields.get(b"range")
    if value is None or method != b"GET":
        return WHOLE
    if_range = fields.get(b"if-range")
    if if_range is not None and not _is_unchanged(if_range, etag):
        return WHOLE
    unit, _, ranges = value.partition(b"=")
    specs = list_members(ranges)
    spec = _SPEC.fullmatch(specs[0]) if unit.lower() == b"bytes" and len(specs) == 1 else None
    if spec is None or spec[0] == b"-":
        return WHOLE
    return _span(spec[1], spec[2], length)


def _span(first: bytes, last: bytes, length: int) -> Span | Selection:
    if not first:
        suffix = _number(last)
        if not suffix:
            return UNSATISFIABLE
        return Span(max(length - suffix, 0), length - 1) if length else WHOLE
    begin = _number(first)
    end = _number(last) if last else _HUGE
    if end < begin:
        return WHOLE  # invalid, section 14.1.1
    return Span(begin, min(end, length - 1)) if begin < length else UNSATISFIABLE


def _number(digits: bytes) -> int:
    digits = digits.lstrip(b"0")
    return _HUGE if len(digits) > _DIGITS else int(digits or b"0")


def _is_unchanged(if_range: bytes, etag: bytes) -> bool:
    """Whether If-Range names the current representation, by strong comparison.

    A date never does: files are replaced by others of the same time, and variants share theirs, so it is no
    strong validator (section 8.8.2.2); parts of two versions would be put together.
    """
    tag = ENTITY_TAG.fullmatch(if_range)
    return tag is not None and tag[1] is None and tag[2] == etag
