"""Comments on characters."""

from __future__ import annotations

import time
import unicodedata
from typing import TYPE_CHECKING

from demonstration.services.groups import tell

if TYPE_CHECKING:
    from demonstration.data.store import Comment, Store

#: Characters of a comment.
MAX_TEXT = 500
#: Comments that are given at once.
MAX_COMMENTS = 200


class WrongComment(ValueError):
    """A comment that is not taken; str() says why, for its writer."""


def comment(store: Store, visitor: str, code: int, text: str, key: str) -> Comment:
    """Add a comment to *code*; one with a *key* of *visitor*'s that was there before is that one."""
    written, changes = store.comment(visitor, code, cleaned(text), key, time.time())
    tell(store, changes)
    return written


def cleaned(text: str) -> str:
    """*text* without what is no text; :class:`WrongComment` if nothing is left, or too much."""
    kept = "".join(
        character
        for character in text.replace("\r\n", "\n")
        if character == "\n" or unicodedata.category(character) not in ("Cc", "Cs", "Co", "Cn")
    ).strip()
    if not any(unicodedata.category(character)[0] in "LMNPS" for character in kept):
        raise WrongComment("a comment needs some text")
    if len(kept) > MAX_TEXT:
        raise WrongComment(f"a comment has {MAX_TEXT} characters at most, and this one {len(kept)}")
    return kept


def recent(store: Store, first: int) -> list[Comment]:
    """The latest comments, on any character."""
    return store.comments(None, max(0, min(first, MAX_COMMENTS)))


def comments_on(store: Store, code: int, first: int) -> list[Comment]:
    """The latest comments on *code*."""
    return store.comments(code, max(0, min(first, MAX_COMMENTS)))
