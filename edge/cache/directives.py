"""Cache directives, read: Cache-Control (RFC 9111 section 5.2) and CDN-Cache-Control (RFC 9213).

They look alike, and are read by different rules.  Cache-Control is a list of tokens with optional arguments,
and its reader forgives: what is malformed is a directive that says nothing, or a lifetime of zero where one
was meant.  A targeted field is a Dictionary of Structured Fields (RFC 9651): malformed, it counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from http_sfv.dictionary import Dictionary

from edge.http.fields import list_members
from edge.http.grammar import QUOTED_STRING, TCHAR

#: The longest time in seconds: RFC 9111 section 1.2.2 asks for at least 2**31; more is as good as for ever.
LONGEST = 2**31

_DIRECTIVE = re.compile(rb"(" + TCHAR + rb"+)(?:=(" + TCHAR + rb"+|" + QUOTED_STRING + rb"))?")
_SECONDS = re.compile(rb'"?([0-9]+)"?')

#: Bytes of all lines of a targeted field: what is read in a few milliseconds, whatever it holds.
TARGETED_BYTES = 2048

Directives = Mapping[bytes, "bytes | None"]


class Contradiction(Exception):
    """A lifetime stands there twice with two values: RFC 9111 section 4.2.1 lets it count as over."""


def cache_control(lines: Iterable[bytes]) -> Directives:
    """Lower-case name -> argument as written (None without one) of the lines of Cache-Control.

    :raises Contradiction: one directive has two different arguments.
    """
    found: dict[bytes, bytes | None] = {}
    for line in lines:
        for name, argument in _directives(line):
            if name in found and found[name] != argument:
                raise Contradiction(name.decode("latin-1"))
            found[name] = argument
    return found


@lru_cache(maxsize=256)  # an application says the same few lines all day
def _directives(line: bytes) -> tuple[tuple[bytes, bytes | None], ...]:
    """(lower-case name, argument) of each directive of *line*."""
    found: list[tuple[bytes, bytes | None]] = []
    for member in list_members(line):
        directive = _DIRECTIVE.fullmatch(member)
        if directive is not None:
            found.append((directive[1].lower(), directive[2]))
        else:  # "max-age=-1", "max-age =1": a name that says something it cannot mean
            found.append((member.partition(b"=")[0].strip().lower(), b""))
    return tuple(found)


def seconds(directives: Directives, name: bytes) -> int | None:
    """The delta-seconds of a directive, at most :data:`LONGEST`; None: not there.  Malformed: 0."""
    if name not in directives:
        return None
    digits = _SECONDS.fullmatch(directives[name] or b"")
    if digits is None:
        return 0
    return LONGEST if len(digits[1].lstrip(b"0")) > 10 else min(int(digits[1].lstrip(b"0") or 0), LONGEST)


def targeted(lines: Sequence[bytes]) -> Directives | None:
    """Key -> Integer in digits, b"" for another value; None: absent, empty, malformed or too long.

    Of one key the last counts (RFC 9651 section 3.2).  A value of the wrong type says nothing (RFC 9213
    section 2.1), but that the key is there.
    """
    text = b", ".join(lines)
    if not text or len(text) > TARGETED_BYTES:
        return None
    members = Dictionary()
    try:
        members.parse(text)
    except (ValueError, IndexError):
        return None
    values = {key: getattr(member, "value", member) for key, member in members.items()}
    return {
        key.encode("ascii"): b"%d" % value if type(value) is int else b""
        for key, value in values.items()
        if value is not False
    }


def targeted_seconds(directives: Directives, name: bytes) -> int | None:
    """The Integer of a targeted directive; None: not there, or of another type."""
    value = directives.get(name)
    return min(max(int(value), 0), LONGEST) if value else None
