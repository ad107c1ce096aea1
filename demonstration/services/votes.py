"""Votes: a visitor has one for each character, and may take it back; the ranking counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demonstration.services.groups import tell

if TYPE_CHECKING:
    from demonstration.data.store import Score, Store

#: Characters of the ranking.
MAX_RANKING = 200


def vote(store: Store, visitor: str, code: int, wanted: bool) -> int:
    """Give *visitor*'s vote to *code*, or take it back; the votes that it has then."""
    votes, changes = store.vote(visitor, code, wanted)
    tell(store, changes)
    return votes


def ranking(store: Store, first: int) -> list[Score]:
    """The *first* characters with most votes."""
    return store.top(max(0, min(first, MAX_RANKING)))
