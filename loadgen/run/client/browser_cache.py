"""The browser cache of a user: stored responses of a page, which are fresh, and which need revalidation.

Terms of RFC 9111: a stored response is fresh for its max-age, and then has to be confirmed by its validator.

A user remembers pages, and when each was last as published; that holds for all that belongs to the page.
A part that several kept pages have is as new as the newest of them.

Ticks, see :mod:`loadgen.models.calendar`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from loadgen.models.calendar import TICKS
from loadgen.models.users import NO_PAGE, Users
from loadgen.run.client.site import FOR_GOOD_S, Page, Site, batch


class CacheLookup(NamedTuple):
    """What a browser cache has of a page: numbers of resources missing, to be revalidated, fresh."""

    #: Not there, the page itself first; empty: the whole page is kept.
    missing: tuple[int, ...]
    #: There, but to be confirmed; and the ticks at which each was current.
    parts: tuple[int, ...]
    ats: tuple[int, ...]
    #: How many more are there and fresh.
    fresh: int
    #: The batch that asks for all of *parts*, if it is known already.
    body: bytes | None = None


class BrowserCache:
    """The browser caches of all users of a process."""

    def __init__(self, site: Site, users: Users) -> None:
        self.site = site
        self._users = users
        #: Bodies of batches that confirm a whole page as it is now, until something changes.
        self._batches: dict[int, bytes] = {}
        self._batches_of = -1

    def look(self, user: int, page: Page, tick: int) -> CacheLookup:
        """What *user* has of *page* at *tick*."""
        kept = self._users.kept(user)
        try:
            at = self._users.ring_at[user * len(kept) + kept.index(page.index)]
        except ValueError:
            return self._partly(user, page, kept, tick)
        if at >= self.site.changed and not page.for_a_while:
            # The ordinary case: all of it is as it was, and none of it fresh for a while only.
            parts = page.confirmed
            return CacheLookup((), parts, (at,) * len(parts), page.forgood, self._batch_of(page))
        return self._old((), dict.fromkeys(page.parts, at), tick)

    def batch(self, lookup: CacheLookup) -> bytes:
        """The batch that asks for what *lookup* found."""
        pairs = ((self.site.resources[part], at) for part, at in zip(lookup.parts, lookup.ats, strict=True))
        return batch((resource.at(at), resource.path) for resource, at in pairs)

    def _partly(self, user: int, page: Page, kept: list[int], tick: int) -> CacheLookup:
        """*page* is not kept; others may have brought parts of it; who has none needs the smart client."""
        base, pages = user * len(kept), self.site.pages
        newest = sorted(
            ((self._users.ring_at[base + place], one) for place, one in enumerate(kept) if one != NO_PAGE),
            reverse=True,
        )
        if not newest:
            return CacheLookup(tuple(dict.fromkeys((*page.parts, *self.site.worker))), (), (), 0)
        wanted, have = page.assets, {}
        for at, one in newest:
            found = wanted & pages[one].all
            if found:
                have.update(dict.fromkeys(found, at))
                wanted = wanted - found
                if not wanted:
                    break
        missing = tuple(part for part in page.parts if part not in have)
        return self._old(missing, {part: have[part] for part in page.parts if part in have}, tick)

    def _old(self, missing: tuple[int, ...], copies: Mapping[int, int], tick: int) -> CacheLookup:
        """Of *copies*, by when they were current, those that are not fresh at *tick* are to be confirmed."""
        old = [(part, at) for part, at in copies.items() if not self._is_fresh(part, at, tick)]
        parts, ats = tuple(part for part, _ in old), tuple(at for _, at in old)
        return CacheLookup(missing, parts, ats, len(copies) - len(old))

    def _is_fresh(self, part: int, at: int, tick: int) -> bool:
        age = self.site.resources[part].max_age
        return age >= FOR_GOOD_S or (age > 0 and tick - at < age * TICKS)

    def _batch_of(self, page: Page) -> bytes:
        """The batch that confirms *page* as it is now."""
        if self._batches_of != self.site.changed:
            self._batches.clear()
            self._batches_of = self.site.changed
        body = self._batches.get(page.index)
        if body is None:
            resources = (self.site.resources[part] for part in page.confirmed)
            body = self._batches[page.index] = batch((one.current, one.path) for one in resources)
        return body
