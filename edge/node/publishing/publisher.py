"""Publishing on this node: what the schedule of the webroot says is done, in threads, and reaches the table.

Only the supervisor does this.  :class:`edge.publish.schedule.Schedule` decides what is listed, read and coded
next; this is the shell around it: it has the jobs run in threads (:mod:`.job_runner`), and brings the table
up to date path by path, in slices of a few milliseconds (:mod:`edge.node.process.slices`), so that the
supervisor's reactor answers meanwhile.  What is put under a path is what the site has there in that moment,
unless it was purged.

A purge (:mod:`edge.node.publishing.purges`) goes to the table at once and waits for nothing.

What does not fit into the table, or is not read yet, workers ask for (:meth:`Publisher.look_up`): it is read
before everything else then.

Next on the way of a change: the table, :mod:`edge.node.publishing.table`.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import deferLater
from twisted.logger import Logger

from edge.errors import EdgeError, PublishError
from edge.node.process.clocks import date_of
from edge.node.publishing.client_files import ClientFiles
from edge.node.publishing.deploys import Deploy
from edge.node.publishing.job_runner import JobRunner
from edge.node.publishing.milestone import Milestone
from edge.node.publishing.purges import Purges
from edge.node.publishing.readdressing import Readdressing
from edge.publish.jobs import root_of
from edge.publish.problems import KEEPS_OLD
from edge.publish.schedule import Known, Schedule
from edge.publish.settings import AddressSettings
from edge.publish.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence, Set

    from edge.node.bodies.store import BodyStore
    from edge.node.process.slices import Slices
    from edge.node.publishing.table import Table
    from edge.publish.batches import Batch
    from edge.publish.problems import Problem
    from edge.publish.settings import PublishSettings
    from edge.publish.store import Store
    from edge.resource import Resource

#: Seconds between two lines of progress in the log.
PROGRESS_SECONDS = 2.0
#: Seconds after a change until blobs that nothing refers to are looked for.
COLLECT_SECONDS = 10.0
#: Seconds for which a client waits for a file that is read before everything else.
ASK_PATIENCE = 5.0
#: Seconds until the first look whether it has been, and between two at most: mostly it is a matter of
#: milliseconds, and where it is not, hundreds may wait, each look of whom costs a tenth of a millisecond.
ASK_LOOK, ASK_LOOK_MOST = 0.01, 0.25


class Stopped(EdgeError):
    """Publishing was ended because the node stops."""


class NotYet(EdgeError):
    """It exists, or may exist, and is not published yet."""


class PublishResult(NamedTuple):
    """What one publish did to the table, and the files that could not be published."""

    puts: int
    removes: int
    unchanged: int
    problems: Sequence[Problem]
    #: Of the table, after it.
    sequence: int


class Progress(NamedTuple):
    """What a publisher has still to do."""

    #: Files that were never read, and their bytes.
    unread: int
    unread_bytes: int
    #: Files that are coded quickly, and will be coded well.
    provisional: int


class Publisher:
    """Keeps the table equal to the webroot; purges."""

    _log = Logger()

    def __init__(
        self,
        settings: PublishSettings,
        store: Store,
        bodies: BodyStore,
        table: Table,
        slices: Slices,
        reactor: Any,
        prefix: bytes = b"",
        show_rules: Callable[[bytes], object] = lambda document: None,
    ) -> None:
        """*store*: what is remembered of files and coded bodies; *bodies*: is told of the site.

        *prefix*: of the site's names there (:mod:`edge.sites`); *table* knows it.
        *show_rules*: tells workers of rules that are no entries (:class:`edge.publish.addressing.Document`).
        """
        self._prefix = prefix
        self.settings = settings
        self.site = Site(settings.publish_siblings)
        #: Unix seconds of the last change; None before the first publish.
        self.published_at: float | None = None
        #: Everything has been told what there is; what was read by then is served.
        self.begun = Milestone()
        #: Everything is served for the first time, but large files.
        self.served = Milestone()
        self._schedule = Schedule(self.site, settings.file_limit)
        self._store = store
        self._bodies = bodies
        self._table = table
        self._slices = slices
        self._reactor = reactor
        self._jobs = JobRunner(self._schedule, store, slices, reactor, self._pump)
        self._client = ClientFiles(lambda: self.settings, self._schedule, store, self._jobs, self._pump)
        self._waiting: dict[Batch, Deferred[None]] = {}
        self._draining: list[Deferred[None]] = []
        self._one_restored_at_a_time = DeferredLock()
        self._purges = Purges()
        #: Paths that do not fit into the table, and whether there may be room for them now.
        self._outside: set[bytes] = set()
        self._freed = False
        #: What has vanished is still to be taken away, when all that exists can be read.
        self._has_vanished = False
        self._puts = self._removes = 0
        self._applying = self._stopped = False
        #: The deploy that is being published.
        self.deploy = Deploy(table, lambda: not self._applying and self._schedule.is_idle, reactor)
        self._wake: Any = None
        self._collecting: Any = None
        self._next_progress = 0.0
        self._readdressing = Readdressing(
            self.site, self._schedule, store, slices, self._jobs.quick, show_rules
        )
        self._readdressing.begin(settings.addresses)
        bodies.hold(self.site, prefix)

    # Publishing

    async def publish(
        self,
        root: str | None = None,
        everything: bool = False,
        on_directory: Callable[[str], None] | None = None,
    ) -> PublishResult:
        """Look at everything and bring the table up to date, large files too.

        *root*: serve that directory from now on.  *everything* brings purged paths back too; *on_directory*
        is told of each directory before it is listed, from now on.  :class:`~edge.errors.PublishError` when
        there is no usable webroot; the site stays as it was.
        """
        settings = self.settings if root is None else replace(self.settings, root=root)
        puts, removes = self._puts, self._removes
        try:
            done = await self._begin(settings, on_directory)
        except EdgeError as error:
            self.begun.fail(error)
            self.served.fail(error)
            raise
        if everything:
            self._schedule.step(self._purges.clear())
            await self._slices.run(self._put_what_others_replaced())
        self.begun.reach()
        self._pump()
        await done
        await self._readdressing.bring_about(self.settings.addresses)
        self._table.end_first_publish()
        await self._remove_vanished()
        self._freed = True
        await self._drained()
        puts, removes = self._puts - puts, self._removes - removes
        if puts or removes or self.published_at is None:
            self.published_at = date_of(self._reactor)
        unchanged = len(self.site) - puts
        return PublishResult(puts, removes, max(unchanged, 0), self.problems, self._table.sequence)

    def change(self, locations: Iterable[str]) -> None:
        """Something has changed in the directories with these absolute names."""
        self._schedule.change(locations)
        self._pump()

    async def look_at_everything(self) -> None:
        """Anything may have changed: begin to look; :class:`~edge.errors.PublishError` as :meth:`publish`."""
        done = await self._begin(self.settings, None)
        done.addErrback(lambda failure: failure.trap(Stopped))

    async def purge(self, paths: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Remove *paths* from the table, at once: those that were there, and those that were not."""
        known: list[bytes] = []
        unknown: list[bytes] = []
        for path in paths:
            signatures = self._schedule.signatures_of(path)
            if self.is_published(path) or (signatures is not None and path not in self._purges):
                known.append(path)
                self._purges.add(path, self.site.get(path), signatures)
            else:
                unknown.append(path)
        await self._slices.run(self._purge(known))
        return known, unknown

    def use(self, settings: PublishSettings) -> None:
        """Publish by other *settings* from the next time on; the root stays until it is published."""
        if _of_files(settings) != _of_files(self.settings):
            self._schedule.forget_rules()
        self.settings = replace(settings, root=self.settings.root)

    async def renew(self, etags: Set[bytes]) -> None:
        """Have the bodies with these *etags* made anew from the webroot: their blobs are damaged."""
        names = [
            name
            for name, published in self.site.files.items()
            if any(one.etag in etags for resource in published.resources for one in resource.representations)
        ]
        done = self._promise(self._schedule.renew(names))
        self._pump()
        await done
        await self._drained()

    def stop(self) -> None:
        """Do nothing more; what threads do now comes to nothing."""
        self._stopped = True
        self.deploy.stop()
        for call in (self._wake, self._collecting):
            if call is not None and call.active():
                call.cancel()
        self._jobs.stop()
        waiting, self._waiting = [*self._waiting.values(), *self._draining], {}
        self._draining = []
        for done in waiting:
            done.errback(Stopped("publishing was stopped"))

    # What is asked

    @property
    def problems(self) -> Sequence[Problem]:
        """Files that are not published as they are."""
        return [problem for problems in self._schedule.problems.values() for problem in problems]

    @property
    def progress(self) -> Progress:
        """What is still to be done."""
        return Progress(self._schedule.unread, self._schedule.unread_bytes, self._schedule.provisional)

    def is_published(self, path: bytes) -> bool:
        """Whether a request for *path* is answered, wherever it was published."""
        return self._table.has(path, path in self.site and path not in self._purges)

    async def look_up(self, path: bytes) -> Resource | None:
        """What is published under *path*, whether or not the table holds it; its bodies are blobs then.

        What is not read yet is read now.  :class:`NotYet`: that takes longer than a client waits.
        """
        until, pause = self._reactor.seconds() + ASK_PATIENCE, ASK_LOOK
        while path not in self.site:
            others = self._table.look_up(path)
            if others is not None:
                return others
            known = self._known(path)
            if known is Known.YES:
                return None
            if known is Known.LATER or self._stopped or self._reactor.seconds() > until:
                raise NotYet("it is not read yet")
            self._pump()
            await deferLater(self._reactor, pause)
            pause = min(1.5 * pause, ASK_LOOK_MOST)
        if path in self._purges:
            return self._table.look_up(path)
        others = self._table.look_up(path) if not self._table.owns(path) else None
        if others is not None:
            return others
        resource = self.site.get(path)
        if resource is not None:
            try:
                for representation in resource.representations:
                    self._bodies.spill(representation)
            except PublishError as error:
                raise NotYet(str(error)) from error
        return resource

    async def restore(self, path: bytes, etag: bytes) -> bool:
        """Have the blob *etag* of *path* whole again, from memory or the webroot; whether it is."""
        blobs = self._store.blobs
        async with self._one_restored_at_a_time:  # many may ask for the same one
            if await self._jobs.quick.run(partial(blobs.check, etag)):
                return True
            resource = self.site.get(path)
            if resource is None or all(one.etag != etag for one in resource.representations):
                return False
            name = (self._prefix + path).decode("ascii")
            self._log.warn("{path}: its copy on disk was missing or damaged", path=name)
            if not self._bodies.restore(self._prefix + path, etag):
                await self.renew({etag})
            return await self._jobs.quick.run(partial(blobs.check, etag))

    def _known(self, path: bytes) -> Known:
        if path in self._purges:
            return Known.YES
        is_addressed = self.served.is_reached or not self._readdressing.is_due(self.settings.addresses)
        if not self.begun.is_reached or not is_addressed:
            return Known.LATER
        if not self.settings.root:
            return Known.YES if self.served.is_reached else Known.LATER
        return self._schedule.ask(path)

    # Jobs

    async def _begin(
        self, settings: PublishSettings, on_directory: Callable[[str], None] | None
    ) -> Deferred[None]:
        """Begin to look at everything; the Deferred fires when all that is found is in the table."""
        if self._stopped:
            raise Stopped("publishing was stopped")
        is_start = self.published_at is None and not self.begun.is_reached
        self._jobs.on_directory = on_directory or self._jobs.on_directory
        if not settings.root:
            self.settings = settings
            return self._drained()
        place = await self._jobs.quick.run(partial(root_of, settings, self._store))
        differ = _of_files(settings) != _of_files(self.settings)
        self.settings = settings
        done = self._promise(self._schedule.begin(place, is_start=is_start, rules_differ=differ))
        self._next_progress = self._reactor.seconds() + PROGRESS_SECONDS
        client = self._client.begin()
        if client is not None:
            done.addCallback(lambda _: client)
        self._pump()
        return done

    async def _remove_vanished(self) -> None:
        """Take away what an earlier life of this node published and has no file any more.

        What could not be listed or read may well be there: then it waits until all of it could.
        """
        if not self.settings.root:
            await self._slices.run(self._remove_all(self._table.vanished_rules(self.site)))
            return
        self._has_vanished = any(problem.kind in KEEPS_OLD for problem in self.problems)
        if not self._has_vanished:
            files = _Existing(self.site, self._schedule)
            await self._slices.run(self._remove_all(self._table.vanished(files)))

    def _promise(self, batch: Batch) -> Deferred[None]:
        """Fires when all that *batch* has brought is in the table."""
        done: Deferred[None] = Deferred()
        self._waiting[batch] = done
        return done

    def _drained(self) -> Deferred[None]:
        """Fires when the table is up to date with the site."""
        done: Deferred[None] = Deferred()
        self._draining.append(done)
        self._pump()
        return done

    def _pump(self) -> None:
        """Begin what can be done now, and wake up when there will be more."""
        if self._stopped:
            return
        self._jobs.begin(self.settings)
        self._readdress_if_due()
        if not self._applying:
            self._applying = True
            Deferred.fromCoroutine(self._apply())
        if not self._schedule.is_complete and self.settings.root:
            self._table.set_complete(False)
            self._tell_progress(self._reactor.seconds())

    def _readdress_if_due(self) -> None:
        if not self._readdressing.is_running and self._readdressing.is_due(self.settings.addresses):
            Deferred.fromCoroutine(self._readdress())

    async def _readdress(self) -> None:
        """Have the site found as its rules say now."""
        try:
            await self._readdressing.bring_about(self.settings.addresses)
        except Exception:
            self._log.failure("the rules of the site could not be brought into force")
        self._pump()

    def _tell_progress(self, now: float) -> None:
        if now >= self._next_progress and not self.served.is_reached:
            self._next_progress = now + PROGRESS_SECONDS
            self._log.info(
                "publishing: {unread} of {total} files are still to be read; what is asked for is read first",
                unread=self._schedule.unread,
                total=self._schedule.unread + len(self.site.files),
            )

    # The table

    async def _apply(self) -> None:
        """Bring the table up to date with the site, path by path."""
        try:
            await self._slices.run(self._steps())
            while self._schedule.has_steps and not self._stopped:
                await self._slices.run(self._steps())
        except Exception:
            self._log.failure("the table could not be brought up to date")
        finally:
            self._applying = False
            self.deploy.end()
        if self._stopped:
            return
        self._readdress_if_due()
        schedule = self._schedule
        for batch in schedule.finished():
            done = self._waiting.pop(batch, None)
            if done is not None:
                done.callback(None)
        self._jobs.forget_over()
        if self.begun.is_reached:
            is_addressed = not self._readdressing.is_due(self.settings.addresses)
            is_whole = is_addressed and not self._outside
            self._table.set_complete(is_whole and (schedule.is_complete or not self.settings.root))
            is_served = schedule.is_served and self._client.is_there and is_addressed
            if is_served or not self.settings.root:
                self.served.reach()
        if self._has_vanished and schedule.is_served:
            Deferred.fromCoroutine(self._remove_vanished())
        draining, self._draining = self._draining, []
        for done in draining:
            done.callback(None)
        self._set_wake()

    def _steps(self) -> Iterator[None]:
        changed = False
        while not self._stopped:
            path = self._schedule.next_step(self._reactor.seconds())
            if path is None and self._freed and self._outside:
                self._freed = False
                self._schedule.step(sorted(self._outside))
                continue
            if path is None:
                break
            changed = True
            self.deploy.begin()
            self._bring_up_to_date(path)
            yield
        if changed and not self._stopped:
            self._table.reclaim()
            self.published_at = date_of(self._reactor) if self.published_at is not None else None
            self._collect_later()

    def _bring_up_to_date(self, path: bytes) -> None:
        """Have in the table under *path* what the site has there now."""
        resource = self.site.get(path)
        signatures = self._schedule.signatures_of(path)
        if resource is None:
            if signatures is None:
                self._purges.discard(path)
            self._remove(path, only_own=True)
        elif self._purges.holds(path, resource, signatures):
            self._remove(path, only_own=True)
        elif path not in self.site.provisional or not self._table.has_same_originals(resource):
            self._put(resource)

    def _put(self, resource: Resource) -> None:
        try:
            fits = self._table.put(resource, self._bodies.spill)
        except PublishError as error:  # no room in memory, and none on the disk
            self._log.error("{error}", error=error)
            self._table.remove(resource.path)
            fits = False
        self._puts += 1
        if fits:
            self._outside.discard(resource.path)
        else:
            self._outside.add(resource.path)

    def _remove(self, path: bytes, only_own: bool = False) -> None:
        """*only_own*: what another node has published under a path since stays."""
        if not only_own or self._table.owns(path):
            self._removes += self._table.remove(path)
            self._freed = True
        self._outside.discard(path)

    def _purge(self, paths: Iterable[bytes]) -> Iterator[None]:
        for path in paths:
            self._remove(path)
            yield
        self._table.reclaim()

    def _remove_all(self, paths: Iterable[bytes | None]) -> Iterator[None]:
        """Take away what this node published in an earlier life, and has no more; None: a step without."""
        for path in paths:
            if path is not None:
                self._table.remove(path)
            yield
        self._table.reclaim()

    def _put_what_others_replaced(self) -> Iterator[None]:
        for path, resource in list(self.site.items()):
            if not self._table.is_current(resource):
                self._schedule.step([path])
            yield

    # Time

    def _set_wake(self) -> None:
        if self._wake is not None and self._wake.active():
            self._wake.cancel()
        at = self._schedule.wake_at()
        if at is not None and not self._stopped:
            self._wake = self._reactor.callLater(max(at - self._reactor.seconds(), 0.0), self._pump)

    def _collect_later(self) -> None:
        if self._collecting is None and not self._stopped:
            self._collecting = self._reactor.callLater(
                COLLECT_SECONDS, lambda: Deferred.fromCoroutine(self.collect())
            )

    async def collect(self) -> None:
        """Delete the blobs that nothing refers to any more."""
        others: set[bytes] = set()

        def steps() -> Iterator[None]:
            for etags in self._table.bodies_of_others():
                others.update(etags)
                yield

        try:
            await self._slices.run(steps())
            if not self._stopped:
                await self._jobs.slow.run(partial(self._bodies.collect, self._bodies.needed() | others))
        except (EdgeError, OSError) as error:
            self._log.error("{error}", error=error)
        finally:
            self._collecting = None


class _Existing:
    """The paths of everything that exists, published or not."""

    def __init__(self, site: Site, schedule: Schedule) -> None:
        self._site = site
        self._schedule = schedule

    def __contains__(self, path: object) -> bool:
        return isinstance(path, bytes) and (
            path in self._site or self._schedule.signatures_of(path) is not None
        )


def _of_files(settings: PublishSettings) -> PublishSettings:
    """What of *settings* files are made by; where they are found is asked anew without that."""
    return replace(settings, root="", addresses=AddressSettings())
