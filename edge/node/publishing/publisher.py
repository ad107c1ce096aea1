"""Publishing on this node: from a scan of the webroot, in threads, to the table, in small slices.

Only the supervisor does this.  One publish or purge runs at a time.  A scan takes as long as it takes, in
threads; its result goes into the table in slices of a few milliseconds (:mod:`edge.node.process.slices`), so
that the supervisor's reactor answers meanwhile; readers see each resource change as a whole, assets before
the pages that name them, removals last (:func:`edge.publish.catalogue.diff`).

A *purge* removes paths from the table.  They stay gone while their files stay as they are: a rescan
by inotify does not bring them back.  A changed file, an explicit ``edgectl publish`` and a restart do.

What does not fit into the table is remembered: workers ask for it (:meth:`Publisher.look_up`).

Next on the way of a change: the table, :mod:`edge.node.publishing.table`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from edge.config.paths import default_webroot
from edge.errors import EdgeError, PublishError
from edge.node.process.clocks import date_of
from edge.publish.catalogue import Catalogue, diff
from edge.publish.client import CACHE_RULES, beside, unpack
from edge.publish.problems import KEEPS_OLD
from edge.publish.webroot import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from edge.node.bodies.store import BodyStore
    from edge.node.process.slices import Slices
    from edge.node.publishing.table import Table
    from edge.publish.problems import Problem
    from edge.publish.settings import PublishSettings, ScanProgress
    from edge.publish.store import Store
    from edge.resource import Resource

#: Seconds between two lines of progress in the log.
PROGRESS_SECONDS = 2.0


_T = TypeVar("_T")


class Stopped(EdgeError):
    """A scan was ended because the node stops."""


class PublishResult(NamedTuple):
    """What one publish did to the table, and the files that could not be published."""

    puts: int
    removes: int
    unchanged: int
    problems: Sequence[Problem]
    #: Of the table, after it.
    sequence: int


class Publisher:
    """Keeps the table equal to the webroot: scans, applies the difference, purges."""

    _log = Logger()

    def __init__(
        self,
        settings: PublishSettings,
        store: Store,
        bodies: BodyStore,
        table: Table,
        slices: Slices,
        reactor: Any,
    ) -> None:
        """*store*: what scans remember from one to the next; *bodies*: learns of each new catalogue."""
        self.settings = settings
        self.catalogue = Catalogue()
        self.problems: Sequence[Problem] = ()
        #: Unix seconds of the last publish that changed something; None before the first one.
        self.published_at: float | None = None
        self._store = store
        self._bodies = bodies
        self._table = table
        self._slices = slices
        self._reactor = reactor
        self._one_at_a_time = DeferredLock()
        self._one_restored_at_a_time = DeferredLock()
        #: The smart client beside the site.
        self._client = Catalogue()
        self._purged: set[bytes] = set()
        #: Paths that do not fit into the table.
        self._outside: set[bytes] = set()
        self._reporter: _Reporter | None = None

    async def publish(
        self,
        root: str | None = None,
        everything: bool = False,
        on_directory: Callable[[str], None] | None = None,
    ) -> PublishResult:
        """Scan and bring the table up to date.  *root*: serve that directory from now on.

        *everything* brings purged paths back too; *on_directory* is told of each directory before it is
        listed.  :class:`~edge.errors.PublishError` when there is no usable webroot; the table stays as it
        was.
        """
        async with self._one_at_a_time:
            settings = self.settings if root is None else replace(self.settings, root=root)
            problems: list[Problem] = []
            new = await self._scan(settings, problems, on_directory)
            old = self.catalogue
            before = await self._standing(old) if everything else old
            deploy = await self._in_thread(partial(diff, before, new))
            known = set(self.problems)
            self.settings, self.catalogue, self.problems = settings, new, tuple(problems)
            self._bodies.hold(new)
            puts = [one for one in deploy.puts if everything or not self._stays_purged(one, old)]
            await self._slices.run(self._put(puts))
            await self._slices.run(self._remove(deploy.removes, only_own=True))
            await self._slices.run(self._put([new[path] for path in self._outside if path in new]))
            self._table.end_first_publish()
            if settings.root and not new.look_again and not any(one.kind in KEEPS_OLD for one in problems):
                await self._slices.run(self._remove_vanished(new))
            self._outside.intersection_update(new)
            self._purged.intersection_update(new)
            self._table.set_complete(not self._outside)
            if deploy or self.published_at is None:
                self.published_at = date_of(self._reactor)
            await self._collect()
        for problem in problems:
            if problem in known:
                continue  # said before; a file that grows is looked at every few seconds
            self._log.warn("not published: {problem}", problem=problem)
        unchanged = len(new) - len(puts)
        return PublishResult(len(puts), len(deploy.removes), unchanged, problems, self._table.sequence)

    async def purge(self, paths: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Remove *paths* from the table: those that were there, and those that were not."""
        async with self._one_at_a_time:
            known: list[bytes] = []
            unknown: list[bytes] = []
            for path in paths:
                (known if self.is_published(path) else unknown).append(path)
            await self._slices.run(self._remove(known))
            self._purged.update(known)
            return known, unknown

    def use(self, settings: PublishSettings) -> None:
        """Publish by other *settings* from the next time on; the root stays until it is published."""
        self.settings = replace(settings, root=self.settings.root)

    def is_published(self, path: bytes) -> bool:
        """Whether a request for *path* is answered, wherever it was published."""
        return self._table.has(path, path in self.catalogue and path not in self._purged)

    def look_up(self, path: bytes) -> Resource | None:
        """What is published under *path*, whether or not the table holds it; its bodies are blobs then."""
        if not self._table.owns(path):
            return self._table.look_up(path)
        resource = None if path in self._purged else self.catalogue.get(path)
        if resource is not None:
            for representation in resource.representations:
                self._bodies.spill(representation)
        return resource

    async def restore(self, path: bytes, etag: bytes) -> bool:
        """Have the blob *etag* of *path* whole again, from memory or the webroot; whether it is."""
        blobs = self._store.blobs
        async with self._one_restored_at_a_time:  # many may ask for the same one
            if await self._in_thread(partial(blobs.check, etag)):
                return True
            resource = self.catalogue.get(path)
            if resource is None or all(one.etag != etag for one in resource.representations):
                return False
            self._log.warn("{path}: its copy on disk was missing or damaged", path=path.decode("ascii"))
            if not self._bodies.restore(path, etag):
                await self.publish()
            return await self._in_thread(partial(blobs.check, etag))

    def stop(self) -> None:
        """End a scan that is running, as soon as it reports progress."""
        if self._reporter is not None:
            self._reporter.stopped = True

    # Scanning, in threads

    async def _scan(
        self, settings: PublishSettings, problems: list[Problem], on_directory: Callable[[str], None] | None
    ) -> Catalogue:
        """The site as it is now, and the smart client beside it."""
        if not settings.root:
            return Catalogue()
        reporter = self._reporter = _Reporter(self._log, self._reactor.seconds)
        site = await self._in_thread(
            partial(
                scan,
                settings,
                self._store,
                self.catalogue,
                reporter.progress,
                problems.append,
                on_directory=on_directory,
            )
        )
        if not settings.client:
            return site
        client = await self._in_thread(partial(self._scan_client, settings))
        return beside(client, site, Path(settings.root) == default_webroot())

    def _scan_client(self, settings: PublishSettings) -> Catalogue:
        """The smart client as it is now.  Runs in a thread."""
        folder = Path(settings.client)
        folder.mkdir(parents=True, exist_ok=True)
        unpack(default_webroot(), folder)
        own = replace(settings, root=settings.client, cache_rules=CACHE_RULES, node="")
        self._client = scan(own, self._store, self._client)
        return self._client

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)

    # Steps of work on the table

    async def _standing(self, old: Catalogue) -> Mapping[bytes, Resource]:
        """What clients still get of *old*: what was not purged, nor replaced by another node."""
        standing: dict[bytes, Resource] = {}

        def steps() -> Iterator[None]:
            for path, resource in old.items():
                if path not in self._purged and self._table.is_current(resource):
                    standing[path] = resource
                yield

        await self._slices.run(steps())
        return standing

    def _stays_purged(self, resource: Resource, old: Mapping[bytes, Resource]) -> bool:
        """Whether *resource* was purged, and its bytes are those that were."""
        was = old.get(resource.path) if resource.path in self._purged else None
        return was is not None and _digests(was) == _digests(resource)

    def _put(self, resources: Iterable[Resource]) -> Iterator[None]:
        for resource in resources:
            self._purged.discard(resource.path)
            try:
                fits = self._table.put(resource, self._bodies.spill)
            except PublishError as error:  # no room in memory, and none on the disk
                self._log.error("{error}", error=error)
                self._table.remove(resource.path)
                fits = False
            if fits:
                self._outside.discard(resource.path)
            else:
                self._outside.add(resource.path)
            yield
        self._table.reclaim()

    def _remove(self, paths: Iterable[bytes], only_own: bool = False) -> Iterator[None]:
        """*only_own*: what another node has published under a path since stays."""
        for path in paths:
            if not only_own or self._table.owns(path):
                self._table.remove(path)
            self._outside.discard(path)
            yield
        self._table.reclaim()

    def _remove_vanished(self, new: Catalogue) -> Iterator[None]:
        """What this node published in an earlier life; a file that was deleted meanwhile is there no more."""
        for path in self._table.vanished(new):
            if path is not None:
                self._table.remove(path)
            yield
        self._table.reclaim()

    async def _collect(self) -> None:
        """Delete the blobs that nothing refers to any more."""
        others: set[bytes] = set()

        def steps() -> Iterator[None]:
            for etags in self._table.bodies_of_others():
                others.update(etags)
                yield

        await self._slices.run(steps())
        await self._in_thread(partial(self._bodies.collect, others))


def _digests(resource: Resource) -> list[tuple[int, bytes]]:
    return [(one.variant, one.digest) for one in resource.representations]


class _Reporter:
    """Logs how far a scan is, when it takes long enough to wonder.  Called in the scanning thread."""

    def __init__(self, log: Logger, seconds: Callable[[], float]) -> None:
        self._log = log
        self._seconds = seconds
        self._next = seconds() + PROGRESS_SECONDS
        self.stopped = False

    def progress(self, progress: ScanProgress) -> None:
        """The *progress* of :func:`edge.publish.webroot.scan`; raises :class:`Stopped` to break it off."""
        if self.stopped:
            raise Stopped("publishing was stopped")
        if self._seconds() >= self._next:
            self._next = self._seconds() + PROGRESS_SECONDS
            self._log.info(
                "publishing: {stage} {done} of {total}",
                stage=progress.stage,
                done=progress.done,
                total=progress.total,
            )
