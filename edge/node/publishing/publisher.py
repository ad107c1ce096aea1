"""Publishing on this node: from a scan of the webroot, in threads, to the table, in small slices.

Only the supervisor does this.  One publish or purge runs at a time.  A scan takes as long as it
takes, in threads; its result goes into the table in slices of a few milliseconds, so that the
supervisor's reactor answers meanwhile; readers see each resource change as a whole, assets before the
pages that name them (see :func:`edge.publish.catalogue.diff`).

A *purge* removes paths from the table.  They stay gone while their files stay as they are: a rescan
by inotify does not bring them back.  A changed file, an explicit ``edgectl publish`` and a restart do.

What does not fit into the table is remembered: workers ask for it (:meth:`Publisher.look_up`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import DeferredLock
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from edge.config.paths import default_webroot
from edge.errors import EdgeError, PublishError
from edge.publish.catalogue import Catalogue, diff
from edge.publish.client import CACHE_RULES, beside, unpack
from edge.publish.settings import Progress, Settings
from edge.publish.webroot import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge.publish.problems import Problem
    from edge.publish.store import Store
    from edge.resource import Representation, Resource

#: Seconds of work on the table before the reactor gets its turn.
SLICE_SECONDS = 0.005
#: Seconds between two lines of progress in the log.
PROGRESS_SECONDS = 2.0


_T = TypeVar("_T")


class Stopped(EdgeError):
    """A scan was ended because the node stops."""


class Table(Protocol):
    """Where what is published goes: a writer, or :class:`~edge.node.cluster.replication.ClusterTable`."""

    @property
    def sequence(self) -> int:
        """Changes so far."""

    def put(self, resource: Resource, spill: Callable[[Representation], None] | None = None) -> bool:
        """Publish; False: it does not fit."""

    def remove(self, path: bytes) -> bool:
        """Take away; whether it was there."""

    def set_complete(self, complete: bool) -> None:
        """Whether all that is published is in the table."""

    def reclaim(self) -> int:
        """Free what nobody reads any more."""


class Shared(Table, Protocol):
    """A table that other nodes publish to as well."""

    files_count: bool

    def is_current(self, resource: Resource) -> bool:
        """Whether nobody has published anything else since."""

    def owns(self, path: bytes) -> bool:
        """Whether this node published what is there now."""

    def has(self, path: bytes) -> bool:
        """Whether anything is published there."""

    def look_up(self, path: bytes) -> Resource | None:
        """What another node published there."""

    def bodies(self) -> Iterable[bytes]:
        """ETags of the bodies of other nodes' entries."""


class Outcome(NamedTuple):
    """What one publish did."""

    puts: int
    removes: int
    unchanged: int
    problems: Sequence[Problem]
    sequence: int


class Publisher:
    """Keeps the table equal to the webroot; see the module's docstring."""

    _log = Logger()

    def __init__(
        self, settings: Settings, store: Store, writer: Table, reactor: Any, shared: Shared | None = None
    ) -> None:
        """*shared*: *writer* again, if it belongs to a cluster."""
        self.settings = settings
        self.catalogue = Catalogue()
        self._client = Catalogue()
        self.problems: Sequence[Problem] = ()
        #: Unix seconds of the last publish that changed something; None before the first one.
        self.published_at: float | None = None
        self._store = store
        self._writer: Table = shared if shared is not None else writer
        self._shared = shared
        self._reactor = reactor
        self._one_at_a_time = DeferredLock()
        #: Told of each directory before it is listed: the watcher.
        self.on_directory: Callable[[str], None] | None = None
        self._purged: set[bytes] = set()
        #: Paths that do not fit into the table.
        self._outside: set[bytes] = set()
        #: ETags of bodies that did not fit and went into the blob store.
        self._spilled: set[bytes] = set()
        self._reporter: _Reporter | None = None

    async def publish(self, root: str | None = None, everything: bool = False) -> Outcome:
        """Scan and bring the table up to date.  *root*: serve that directory from now on.

        *everything* brings purged paths back too.  :class:`~edge.errors.PublishError` when there is
        no usable webroot; the table stays as it was.
        """
        async with self._one_at_a_time:
            settings = self.settings if root is None else _with_root(self.settings, root)
            problems: list[Problem] = []
            reporter = self._reporter = _Reporter(self._log, self._reactor.seconds)
            scanning = partial(
                scan,
                settings,
                self._store,
                self.catalogue,
                reporter.progress,
                problems.append,
                on_directory=self.on_directory,
            )
            new = await self._in_thread(scanning) if settings.root else Catalogue()
            if settings.client and settings.root:
                client = await self._in_thread(partial(self._scan_client, settings))
                new = beside(client, new, Path(settings.root) == default_webroot())
            old = self.catalogue
            before = {path: old[path] for path in old if self._stands(old[path])} if everything else old
            deploy = diff(before, new)
            self.settings, self.catalogue, self.problems = settings, new, tuple(problems)
            await self._put(deploy.puts)
            await self._remove(deploy.removes, removes_own=True)
            await self._put([new[path] for path in self._outside if path in new])
            if self._shared is not None:
                self._shared.files_count = True
            self._outside.intersection_update(new)
            self._purged.intersection_update(new)
            self._writer.set_complete(not self._outside)
            if deploy or self.published_at is None:
                self.published_at = self._reactor.seconds()
            needed = new.blobs() | self._spilled | await self._bodies_of_others()
            await self._in_thread(partial(self._store.blobs.collect, needed))
        for problem in problems:
            self._log.warn("not published: {problem}", problem=problem)
        unchanged = len(new) - len(deploy.puts)
        return Outcome(len(deploy.puts), len(deploy.removes), unchanged, problems, self._writer.sequence)

    async def purge(self, paths: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Remove *paths* from the table: those that were there, and those that were not."""
        async with self._one_at_a_time:
            unknown = []
            known = []
            for path in paths:
                if self.is_published(path):
                    known.append(path)
                else:
                    unknown.append(path)
            await self._remove(known)
            self._purged.update(known)
            return known, unknown

    def is_published(self, path: bytes) -> bool:
        """Whether a request for *path* is answered, wherever it was published."""
        if self._shared is not None:
            return self._shared.has(path)
        return path in self.catalogue and path not in self._purged

    def find_body(self, etag: bytes, digest: bytes, path: bytes, variant: int) -> bytes | str | None:
        """For another node: a body, the name of its file, or None if it is not here."""
        resource = self.catalogue.get(path)
        for one in resource.representations if resource is not None else ():
            if one.variant == variant and one.digest == digest and one.body is not None:
                return one.body
        file = self._store.blobs.path(etag)
        return file if os.path.exists(file) else None

    def stop(self) -> None:
        """End a scan that is running, as soon as it reports progress."""
        if self._reporter is not None:
            self._reporter.stopped = True

    def look_up(self, path: bytes) -> Resource | None:
        """What is published under *path*, whether or not the table holds it; its bodies are blobs then."""
        if self._shared is not None and not self._shared.owns(path):
            return self._shared.look_up(path)
        resource = None if path in self._purged else self.catalogue.get(path)
        if resource is not None:
            for representation in resource.representations:
                self._spill(representation)
        return resource

    def _scan_client(self, settings: Settings) -> Catalogue:
        """The smart client as it is now.  Runs in a thread."""
        folder = Path(settings.client)
        folder.mkdir(parents=True, exist_ok=True)
        unpack(default_webroot(), folder)
        own = replace(settings, root=settings.client, cache_rules=CACHE_RULES)
        self._client = scan(own, self._store, self._client)
        return self._client

    def _stands(self, resource: Resource) -> bool:
        """Whether *resource* is still what clients get: not purged, nor replaced by another node."""
        if resource.path in self._purged:
            return False
        return self._shared is None or self._shared.is_current(resource)

    async def _bodies_of_others(self) -> set[bytes]:
        needed: set[bytes] = set()
        until = self._reactor.seconds() + SLICE_SECONDS
        for number, etag in enumerate(self._shared.bodies() if self._shared is not None else ()):
            needed.add(etag)
            if number % 64 == 0:
                until = await self._breathe(until)
        return needed

    def _spill(self, representation: Representation) -> None:
        """Put a body that should have been in memory into the blob store."""
        if representation.body is not None and representation.etag not in self._spilled:
            self._store.blobs.put(representation.body)
            self._spilled.add(representation.etag)

    async def _put(self, resources: Iterable[Resource]) -> None:
        until = self._reactor.seconds() + SLICE_SECONDS
        for resource in resources:
            self._purged.discard(resource.path)
            try:
                fits = self._writer.put(resource, self._spill)
            except PublishError as error:  # no room in memory, and none on the disk
                self._log.error("{error}", error=error)
                self._writer.remove(resource.path)
                fits = False
            if fits:
                self._outside.discard(resource.path)
            else:
                self._outside.add(resource.path)
            until = await self._breathe(until)
        self._writer.reclaim()

    async def _remove(self, paths: Iterable[bytes], removes_own: bool = False) -> None:
        """*removes_own*: what another node has published under a path since stays."""
        until = self._reactor.seconds() + SLICE_SECONDS
        for path in paths:
            if self._shared is None or not removes_own or self._shared.owns(path):
                self._writer.remove(path)
            self._outside.discard(path)
            until = await self._breathe(until)
        self._writer.reclaim()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)

    async def _breathe(self, until: float) -> float:
        """Give the reactor its turn if this slice is over; the end of the present slice."""
        if self._reactor.seconds() < until:
            return until
        await deferLater(self._reactor, 0)
        return self._reactor.seconds() + SLICE_SECONDS  # type: ignore[no-any-return]


class _Reporter:
    """Logs how far a scan is, when it takes long enough to wonder.  Called in the scanning thread."""

    def __init__(self, log: Logger, seconds: Any) -> None:
        self._log = log
        self._seconds = seconds
        self._next = seconds() + PROGRESS_SECONDS
        self.stopped = False

    def progress(self, progress: Progress) -> None:
        """See :func:`edge.publish.webroot.scan`."""
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


def _with_root(settings: Settings, root: str) -> Settings:
    return replace(settings, root=root)
