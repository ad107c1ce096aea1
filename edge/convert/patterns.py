"""Regular expressions of other servers: what RE2 takes of them, and what they are about."""

from __future__ import annotations

import re


def not_re2(pattern: str) -> str:
    """Why RE2 does not take *pattern*; "": it does."""
    if re.search(r"\(\?(?:[=!]|<[=!])|\\[1-9]|[*+?]\+", pattern):
        return "regular expressions have no look-around, no references and no possessive repeats here"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"this is no regular expression: {error}"
    return ""


def has_alternatives(pattern: str) -> bool:
    """Whether *pattern* may have several of which one matches; a group without others inside is one thing."""
    plain = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "", pattern)
    return "|" in re.sub(r"\([^()]*\)", "", plain)
