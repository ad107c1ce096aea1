"""How often each page is viewed, and which parts it has: counted within bounds.

When there are more paths than room, those that were seen once are forgotten (lossy counting, Manku and
Motwani, 2002): what is popular stays, and its count is short by the number of such times at most.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

#: Paths that are counted at once; their longest; parts of one page.
MOST_PATHS, MOST_BYTES, MOST_PARTS = 50_000, 512, 60
#: A part that fewer of the views came with belongs to somebody's page, not to the page.
_LEAST_SHARE = 0.05


class _Page:
    __slots__ = ("client", "is_shared", "parts", "views")

    def __init__(self, client: int) -> None:
        self.views = 0
        #: Who viewed it first, and whether others did, too.
        self.client, self.is_shared = client, False
        self.parts: Counter[bytes] = Counter()


class Listed(NamedTuple):
    """A page for a scenario's list."""

    path: bytes
    views: int
    parts: list[bytes]


class Pages:
    """Views by path, and the parts that came with them."""

    def __init__(self) -> None:
        self._pages: dict[bytes, _Page] = {}
        self.views = 0
        #: Rounds of forgetting, and the paths too long to be counted.
        self.forgotten = self.too_long = 0

    def view(self, path: bytes, client: int) -> None:
        """Count a view of the page *path*."""
        self.views += 1
        if len(path) > MOST_BYTES:
            self.too_long += 1
            return
        page = self._pages.get(path)
        if page is None:
            if len(self._pages) >= MOST_PATHS:
                self._forget()
            page = self._pages[path] = _Page(client)
        page.views += 1
        page.is_shared |= page.client != client

    def part(self, page: bytes, path: bytes) -> None:
        """Count that *path* was asked for as a part of *page*."""
        found = self._pages.get(page)
        if found is None or len(path) > MOST_BYTES:
            return
        if path in found.parts or len(found.parts) < MOST_PARTS:
            found.parts[path] += 1

    def _forget(self) -> None:
        self.forgotten += 1
        least = 1
        while len(self._pages) > MOST_PATHS * 3 // 4:
            self._pages = {path: page for path, page in self._pages.items() if page.views > least}
            least *= 2

    def listed(self, alone: bool) -> list[Listed]:
        """Pages, most viewed first; *alone*: those, too, that one client alone has asked for."""
        found = [
            Listed(path, page.views, self._parts(page))
            for path, page in self._pages.items()
            if alone or page.is_shared
        ]
        return sorted(found, key=lambda one: (-one.views, one.path))

    def _parts(self, page: _Page) -> list[bytes]:
        # Who has a part already does not ask for it: a share of the most frequent one, not of the views.
        most = max(page.parts.values(), default=0)
        return sorted(path for path, count in page.parts.items() if count >= _LEAST_SHARE * most)

    def __len__(self) -> int:
        return len(self._pages)
