"""The sites of a node: each with a webroot and a publisher of its own, over one table.

A publisher knows paths; the table knows names, which say the site, too (:mod:`edge.sites`).  Between them
stands a :class:`SiteTable`.  What concerns the table as a whole - that it is complete, that the first publish
is over, what an earlier life of the node published and nobody has any more - is true when it is true of all
sites.

A site that is alone has the table itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from edge.errors import PublishError
from edge.publish.addressing import Addressing
from edge.sites import entry_name, split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence, Set

    from edge.config.model import Site
    from edge.node.publishing.auto_publisher import AutoPublisher
    from edge.node.publishing.publisher import Publisher, PublishResult
    from edge.node.publishing.table import Table
    from edge.resource import Representation, Resource


class Gathering:
    """What several sites have told of one *table*: it holds when all of them have."""

    def __init__(self, table: Table, prefixes: Iterable[bytes], with_files: Iterable[bytes]) -> None:
        """*prefixes*: of all sites; *with_files*: of those that have a webroot."""
        self.table = table
        self._incomplete = set(prefixes)
        self._unpublished = set(prefixes)
        self._with_files = set(with_files)
        #: Nothing of theirs goes because no file has it.
        self._without_files = set(self._incomplete) - self._with_files
        self._files: dict[bytes, Container[bytes]] = {}

    def set_complete(self, prefix: bytes, complete: bool) -> None:
        """Whether all of one site is in the table."""
        (self._incomplete.discard if complete else self._incomplete.add)(prefix)
        self.table.set_complete(not self._incomplete)

    def end_first_publish(self, prefix: bytes) -> None:
        """The first publish of one site is through."""
        if prefix in self._unpublished:
            self._unpublished.discard(prefix)
            if not self._unpublished:
                self.table.end_first_publish()

    def remove_vanished(self, prefix: bytes, files: Container[bytes]) -> Iterator[None]:
        """Note the *files* of one site; with the last one, take away what is of none, in short steps.

        Also what an earlier life published of a site that is configured no more.
        """
        self._files[prefix] = files
        if self._with_files <= self._files.keys():
            for name in self.table.vanished(self):
                if name is not None:
                    self.table.remove(name)
                yield

    def __contains__(self, name: object) -> bool:
        """Whether a site has a file under *name*."""
        if not isinstance(name, bytes):
            return False
        prefix, path = split_name(name)
        return prefix in self._without_files or path in self._files.get(prefix, ())


class _OfOneSite:
    """All names but those of the site with *prefix* whose paths are not among its *paths*."""

    def __init__(self, prefix: bytes, paths: Container[bytes]) -> None:
        self._prefix = prefix
        self._paths = paths

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, bytes):
            return False
        prefix, path = split_name(name)
        return prefix != self._prefix or path in self._paths


class SiteTable:
    """The table as the publisher of one site sees it.

    Implements :class:`edge.node.publishing.table.Table`.
    """

    def __init__(self, gathering: Gathering, prefix: bytes) -> None:
        self._gathering = gathering
        self._table = gathering.table
        self._prefix = prefix

    def _named(self, resource: Resource) -> Resource:
        return replace(resource, path=self._prefix + resource.path)

    @property
    def sequence(self) -> int:
        return self._table.sequence

    def put(self, resource: Resource, spill: Callable[[Representation], None]) -> bool:
        return self._table.put(self._named(resource), spill)

    def remove(self, path: bytes) -> bool:
        return self._table.remove(self._prefix + path)

    def begin_step(self) -> None:
        self._table.begin_step()

    def end_step(self) -> None:
        self._table.end_step()

    def set_complete(self, complete: bool) -> None:
        self._gathering.set_complete(self._prefix, complete)

    def reclaim(self) -> int:
        return self._table.reclaim()

    def end_first_publish(self) -> None:
        self._gathering.end_first_publish(self._prefix)

    def vanished(self, files: Container[bytes]) -> Iterable[bytes | None]:
        """None: they are taken away here, when all sites have told what they have."""
        return self._gathering.remove_vanished(self._prefix, files)

    def vanished_rules(self, kept: Container[bytes]) -> Iterator[bytes | None]:
        length = len(self._prefix)
        for name in self._table.vanished_rules(_OfOneSite(self._prefix, kept)):
            yield None if name is None else name[length:]

    def is_current(self, resource: Resource) -> bool:
        return self._table.is_current(self._named(resource))

    def has_same_originals(self, resource: Resource) -> bool:
        return self._table.has_same_originals(self._named(resource))

    def owns(self, path: bytes) -> bool:
        return self._table.owns(self._prefix + path)

    def has(self, path: bytes, here: bool) -> bool:
        return self._table.has(self._prefix + path, here)

    def look_up(self, path: bytes) -> Resource | None:
        return self._table.look_up(self._prefix + path)

    def bodies_of_others(self) -> Iterable[Set[bytes]]:
        return self._table.bodies_of_others()


class PublishedSite(NamedTuple):
    """One site, and who publishes it."""

    #: "": the one on top of the file.
    name: str
    prefix: bytes
    publisher: Publisher
    auto_publisher: AutoPublisher


class PublishedSites:
    """All sites of a node: who asks for a name is led to the publisher of its site."""

    def __init__(self, sites: Sequence[PublishedSite], table: Table) -> None:
        self.sites = tuple(sites)
        self._table = table
        self._by_prefix = {site.prefix: site for site in sites}

    async def begun(self) -> None:
        """All have been told what there is; raises why one cannot."""
        for site in self.sites:
            await site.publisher.begun.wait()

    async def served(self) -> None:
        """All are served for the first time, but for large files; raises why one cannot be."""
        for site in self.sites:
            await site.publisher.served.wait()

    def stop(self) -> None:
        """Publish nothing more."""
        for site in self.sites:
            site.publisher.stop()

    def named(self, name: str | None) -> PublishedSite:
        """The site with that *name*; None: the default one, or the only one."""
        found = [site for site in self.sites if site.name == name or (name is None and not site.prefix)]
        if name is None and len(self.sites) == 1:
            return self.sites[0]
        if not found:
            known = ", ".join(site.name for site in self.sites if site.name)
            raise PublishError(
                f"there is no site {name}; there are: {known}" if name is not None
                else f"there is no default site; name one of {known}"
            )  # fmt: skip
        return found[0]

    async def publish(self, name: str | None, root: str | None, everything: bool) -> list[PublishResult]:
        """Publish the site with that *name* now, or all; see :meth:`AutoPublisher.publish`.

        From another directory *root* only one can be.
        """
        if name is None and root is None:
            return [await site.auto_publisher.publish(None, everything) for site in self.sites]
        return [await self.named(name).auto_publisher.publish(root, everything)]

    async def purge(self, names: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Take entries with these *names* away: those that were there, and those that were not."""
        by_prefix: dict[bytes, list[bytes]] = {}
        gone: list[bytes] = []
        unknown: list[bytes] = []
        for name in names:
            prefix, path = split_name(name)
            by_prefix.setdefault(prefix, []).append(path)
        for prefix, paths in by_prefix.items():
            site = self._by_prefix.get(prefix)
            known, others = await site.publisher.purge(paths) if site is not None else ([], paths)
            gone += [prefix + path for path in known]
            unknown += [prefix + path for path in others]
        return gone, unknown

    async def renew(self, etags: Set[bytes]) -> None:
        """Have the bodies with these *etags* made anew from the webroots."""
        for site in self.sites:
            await site.publisher.renew(etags)

    async def look_up(self, name: bytes) -> Resource | None:
        """What is published under *name*; see :meth:`Publisher.look_up`."""
        prefix, path = split_name(name)
        site = self._by_prefix.get(prefix)
        return self._table.look_up(name) if site is None else await site.publisher.look_up(path)

    def known(self, name: bytes) -> Resource | None:
        """What is published under *name*, as far as it is known without reading anything."""
        prefix, path = split_name(name)
        site = self._by_prefix.get(prefix)
        found = site.publisher.site.get(path) if site is not None else None
        return found if found is not None else self._table.look_up(name)

    def find(self, site: Site, path: bytes) -> Resource | None:
        """What *site* has at the canonical *path*, as far as it is known without reading anything."""
        return self.known(entry_name(site.prefix.encode("ascii"), path))

    def addressing(self, site: Site) -> Addressing:
        """The rules of addresses and fields that are in force for *site*."""
        published = self._by_prefix.get(site.prefix.encode("ascii"))
        return published.publisher.site.addressing if published is not None else Addressing()

    async def restore(self, name: bytes, etag: bytes) -> bool:
        """Have the blob *etag* of the entry *name* whole again; whether it is."""
        prefix, path = split_name(name)
        site = self._by_prefix.get(prefix)
        return site is not None and await site.publisher.restore(path, etag)
