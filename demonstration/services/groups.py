"""Groups: the names of what answers are made of, and what a change of the data touches.

``ranking``, ``recent`` (the latest comments), ``character:41``, ``block:basic-latin``, and ``unicode`` for
what only another version of Unicode would change.  An answer that was made of one of them is not true any
more when that changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from demonstration.services.characters import block_of
from edge.app import changed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demonstration.data.store import Change, Store

RANKING, RECENT, UNICODE = "ranking", "recent", "unicode"


def character_group(code: int) -> str:
    """The group of what is made of a character: its votes, its comments."""
    return f"character:{code:x}"


def block_group(slug: str) -> str:
    """The group of what is made of the votes of a block's characters."""
    return f"block:{slug}"


def touched(change: Change) -> list[str]:
    """The groups that *change* touches."""
    if change.kind == "comment":
        return [RECENT, character_group(change.code)]
    block = block_of(change.code)
    return [RANKING, character_group(change.code), *([block_group(block.slug)] if block else [])]


def tell(store: Store, changes: Iterable[Change]) -> None:
    """Have all nodes know of *changes*, which are committed; then forget them.

    In a thread this waits until they know, a tenth of a second at most.  Should this process die before,
    another one finds them in the store, and tells.
    """
    known = list(changes)
    groups = dict.fromkeys(group for change in known for group in touched(change))
    if groups:
        changed(*groups)
        store.told(known)
