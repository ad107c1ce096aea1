"""The site as virtual users know it: pages, their parts, and the versions that were published when.

A process learns of a version when an answer first carries its ETag.  From then on an older one is
superseded, and whoever still confirms it a while later gives a stale confirmation.

Times are ticks, see :mod:`loadgen.models.calendar`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from loadgen.run.messages.sitemap import CrawledResource, SiteMap

#: A copy that stays fresh for longer than this never needs a request during a run, seconds.
FOR_GOOD_S = 86_400
#: Of a page: what a node takes in one batch.
MOST_PARTS = 1000


class Version(NamedTuple):
    """One version of a resource: its entity tag, and since when it is current."""

    etag: bytes
    #: First seen.
    tick: int


class Resource:
    """One path and its versions, the newest last."""

    __slots__ = ("_ticks", "form", "is_shared", "kind", "max_age", "path", "versions")

    def __init__(self, found: CrawledResource) -> None:
        self.path = found.path.encode("ascii")
        self.kind = found.kind
        self.form = found.form
        self.max_age = found.max_age
        self.is_shared = found.is_shared
        self.versions = [Version(found.etag.encode("ascii"), 0)]
        self._ticks = [0]

    @property
    def current(self) -> bytes:
        """The ETag of the newest version."""
        return self.versions[-1].etag

    def at(self, tick: int) -> bytes:
        """The ETag of what was current at *tick*."""
        return self.versions[max(0, bisect.bisect_right(self._ticks, tick) - 1)].etag

    def learn(self, etag: bytes, tick: int) -> None:
        """A version is current from *tick* on; answers can come out of order, versions do not."""
        tick = max(tick, self._ticks[-1])
        self.versions.append(Version(etag, tick))
        self._ticks.append(tick)

    def superseded(self, etag: bytes) -> int:
        """When *etag* ceased to be current, in ticks; -1: it has not, or is unknown."""
        for number in range(len(self.versions) - 1, -1, -1):
            if self.versions[number].etag == etag:
                return self._ticks[number + 1] if number + 1 < len(self.versions) else -1
        return -1


class Page:
    """A page, the *index*-th of the site, and what belongs to it: numbers of resources, itself the first."""

    __slots__ = ("all", "assets", "confirmed", "for_a_while", "forgood", "index", "number", "parts")

    def __init__(self, index: int, parts: Sequence[int], max_ages: Sequence[int]) -> None:
        self.index = index
        self.parts = tuple(parts[:MOST_PARTS])
        self.number = parts[0]
        self.all = frozenset(self.parts)
        self.assets = self.all - {self.number}
        #: What has to be confirmed when all of it is kept; how many of the rest stay fresh for good.
        self.confirmed = tuple(part for part in self.parts if max_ages[part] < FOR_GOOD_S)
        self.forgood = len(self.parts) - len(self.confirmed)
        #: Whether any part is fresh for a while only: that has to be looked at closely.
        self.for_a_while = any(max_ages[part] > 0 for part in self.confirmed)


class Site:
    """The site: resources by number, pages by index."""

    def __init__(self, found: SiteMap) -> None:
        self.resources = [Resource(one) for one in found.resources]
        ages = [one.max_age for one in found.resources]
        beside = found.beside
        self.pages = [
            Page(index, [*parts, *(one for one in beside if one not in parts)], ages)
            for index, parts in enumerate(found.pages)
        ]
        self.worker = tuple(found.worker)
        #: When any resource last got a new version.
        self.changed = 0

    def learn(self, resource: Resource, etag: bytes, tick: int) -> None:
        """*resource* has a version that was not current until now."""
        resource.learn(etag, tick)
        self.changed = max(self.changed, tick)


def batch(resources: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The body of a POST /.edge/revalidate for (etag, path)."""
    return b"\n".join(b"%b %b" % one for one in resources)
