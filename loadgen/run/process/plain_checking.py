"""The check of bodies that any server gives, of which nobody knows what they should be.

=====================================================  ==============================================
another body under the same strong ETag                RFC 9110 section 8.8.1
a body that is not what its Content-Encoding says      damaged, or it ends too early
something compressed, and no Content-Encoding says so  where the crawl found text
a page of HTML instead of what a page uses             where the crawl found a style, a script, an image
a page without a body                                  where the crawl found one
one body for several pages, or for a page and what     where the crawl found different ones: a page of an
it uses                                                error, or of maintenance, with status 200
=====================================================  ==============================================
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from loadgen.run.client.content_checking import ContentChecker
from loadgen.run.client.private_cache import StoredResource
from loadgen.wire.answers import ETAG_BYTES
from loadgen.wire.interface import Answer

#: What is remembered of each kind, before it is forgotten.
_MOST = 100_000
#: Two pages of such sizes, one over the other, may be the same one.
_ALIKE = 1.1
#: Length and checksum of a body as it was sent.
_Print = tuple[int, int]


class BodyChecker:
    """The checks of one process."""

    def __init__(self, resources: Sequence[StoredResource]) -> None:
        self._resources = resources
        self._under: dict[tuple[int, bytes], _Print] = {}
        #: By body and whether it came for a page: the first resource for which it did.
        self._came_for: dict[tuple[_Print, bool], int] = {}
        self._contents = ContentChecker()

    def problem(self, number: int, answer: Answer, body: memoryview) -> str:
        """What is wrong with the *body* that a 200 has brought of resource *number*; "": nothing."""
        seen = len(body), zlib.crc32(body)
        if answer.etag and not answer.weak and len(answer.etag) < ETAG_BYTES:
            if len(self._under) > _MOST:
                self._under.clear()
            if self._under.setdefault((number, answer.etag), seen) != seen:
                return "another body under the same strong ETag"
        resource = self._resources[number]
        if what := self._contents.problem(seen, answer.coding, body, resource):
            return what
        is_page = resource.kind == "document"
        if is_page and not len(body) and resource.size:
            return "a page without a body"
        if len(self._came_for) > _MOST:
            self._came_for.clear()
        self._came_for.setdefault((seen, is_page), number)
        other = self._came_for.get((seen, not is_page))
        if other is not None and self._resources[other].size != resource.size:
            return "one body for a page and for what it uses"
        if is_page and self._is_elsewhere(seen, resource):
            return "one body for several pages"
        return ""

    def _is_elsewhere(self, seen: _Print, resource: StoredResource) -> bool:
        """Whether another page than *resource* had the same body, and the crawl found them to be different.

        A page that scripts fill may say how long it took to make, in more or fewer digits: those are alike.
        """
        other = self._resources[self._came_for[seen, True]]
        sizes = other.size, resource.size, seen[0]
        return other.size != resource.size and max(sizes) > _ALIKE * min(sizes)
