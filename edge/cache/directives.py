"""Cache directives, read: Cache-Control (RFC 9111 section 5.2) and CDN-Cache-Control (RFC 9213).

They look alike, and are read by different rules.  Cache-Control is a list of tokens with optional arguments,
and its reader forgives: what is malformed is a directive that says nothing, or a lifetime of zero where one
was meant.  A targeted field is a Dictionary of Structured Fields (RFC 9651): malformed, it counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from edge.http.fields import list_members
from edge.http.grammar import QUOTED_STRING, TCHAR

#: The longest time in seconds: RFC 9111 section 1.2.2 asks for at least 2**31; more is as good as for ever.
LONGEST = 2**31

_DIRECTIVE = re.compile(rb"(" + TCHAR + rb"+)(?:=(" + TCHAR + rb"+|" + QUOTED_STRING + rb"))?")
_SECONDS = re.compile(rb'"?([0-9]+)"?')

#: One member of a Dictionary: key, then the value, then parameters.  RFC 9651 sections 3.2 and 4.2.2.
_BARE_ITEM = (
    rb"(?:-?[0-9]{1,12}\.[0-9]{1,3}|-?[0-9]{1,15}|\"(?:[ !#-\[\]-~]|\\[\"\\])*\""
    rb"|[A-Za-z*][!#$%&'*+\-.^_`|~:/0-9A-Za-z]*|:[A-Za-z0-9+/=]*:|\?[01]|@-?[0-9]{1,15})"
)
_PARAMETERS = rb"(?:; *[a-z*][a-z0-9_\-.*]*(?:=" + _BARE_ITEM + rb")?)*"
_INNER_LIST = rb"\( *(?:" + _BARE_ITEM + _PARAMETERS + rb"(?: +|(?=\))))*\)"
_MEMBER = re.compile(
    rb"([a-z*][a-z0-9_\-.*]*)(?:=("
    + _BARE_ITEM
    + rb"|"
    + _INNER_LIST
    + rb"))?"
    + _PARAMETERS
    + rb"[ \t]*(,|\Z)[ \t]*"
)

Directives = Mapping[bytes, "bytes | None"]


class Contradiction(Exception):
    """A lifetime stands there twice with two values: RFC 9111 section 4.2.1 lets it count as over."""


def cache_control(lines: Iterable[bytes]) -> Directives:
    """Lower-case name -> argument as written (None without one) of the lines of Cache-Control.

    :raises Contradiction: one directive has two different arguments.
    """
    found: dict[bytes, bytes | None] = {}
    for line in lines:
        for member in list_members(line):
            directive = _DIRECTIVE.fullmatch(member)
            if directive is not None:
                name, argument = directive[1].lower(), directive[2]
            else:  # "max-age=-1", "max-age =1": a name that says something it cannot mean
                name, argument = member.partition(b"=")[0].strip().lower(), b""
            if name in found and found[name] != argument:
                raise Contradiction(name.decode("latin-1"))
            found[name] = argument
    return found


def seconds(directives: Directives, name: bytes) -> int | None:
    """The delta-seconds of a directive, at most :data:`LONGEST`; None: not there.  Malformed: 0."""
    if name not in directives:
        return None
    digits = _SECONDS.fullmatch(directives[name] or b"")
    if digits is None:
        return 0
    return LONGEST if len(digits[1].lstrip(b"0")) > 10 else min(int(digits[1].lstrip(b"0") or 0), LONGEST)


def targeted(lines: Iterable[bytes]) -> Directives | None:
    """Key -> value (b"?1" for true) of a targeted field; None: absent, empty or malformed.

    Of one key the last counts (RFC 9651 section 3.2).  A value of the wrong type says nothing (RFC 9213
    section 2.1): a lifetime that is no Integer is left out.
    """
    text = b", ".join(lines).strip(b" ")
    found: dict[bytes, bytes | None] = {}
    at = 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        if member is None:
            return None
        key, value, comma = member[1], member[2], member[3]
        found.pop(key, None)
        if value != b"?0":
            found[key] = b"?1" if value is None else value
        at = member.end()
        if comma and at == len(text):
            return None  # a comma at the end: RFC 9651 section 4.2.2
    return found or None


def targeted_seconds(directives: Directives, name: bytes) -> int | None:
    """The Integer of a targeted directive; None: not there, or of another type."""
    value = directives.get(name)
    if value is None or not re.fullmatch(rb"-?[0-9]{1,15}", value):
        return None
    return min(max(int(value), 0), LONGEST)
