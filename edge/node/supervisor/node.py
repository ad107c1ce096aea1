"""A running node: its parts, made and started in the order in which they need each other.

Each part is given what it needs, and nothing gives it the node.  ::

    store, table writer          what is published, on disk and in shared memory
    cluster                      if this node is one of several
    publisher, auto-publisher    from the webroot to the table
    worker host, workers         who answers requests
    load, status                 what the node tells of itself
    admin server                 what it is told

It becomes ready when the first publish is through.  Workers are started at once and accept then, or after
:data:`STARTUP_PATIENCE`: until then connections wait in the kernel, afterwards what is not published yet is
answered 503.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from edge.descriptors import node_connections
from edge.errors import EdgeError, in_words
from edge.node.bodies.store import BodyStore
from edge.node.process.life import Event, State
from edge.node.process.slices import Slices
from edge.node.publishing.auto_publisher import AutoPublisher
from edge.node.publishing.publisher import Publisher, Stopped
from edge.node.publishing.scrubber import Scrubber
from edge.node.publishing.table import LocalTable
from edge.node.supervisor.admin_server import AdminServer
from edge.node.supervisor.administration import Administration
from edge.node.supervisor.inspection import Inspection
from edge.node.supervisor.plan import capacity, public_url, publish_settings
from edge.node.supervisor.reloading import Reloader
from edge.node.supervisor.worker_host import WorkerHost
from edge.node.supervisor.workers import make_workers
from edge.node.telemetry.accesslog import try_access_log
from edge.node.telemetry.load_publisher import LoadPublisher
from edge.node.telemetry.sampler import Sampler
from edge.node.telemetry.status_publisher import StatusPublisher
from edge.publish.store import Store
from edge.table.writer import Writer
from edge.trust.listener_certificate import LOOK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.cluster.assembly import ClusterParts
    from edge.node.process.life import Life
    from edge.node.supervisor.configuration import Configuration
    from edge.node.supervisor.opening import Opened
    from edge.publish.problems import Problem

#: Seconds for which connections wait in the kernel for the first publish.
STARTUP_PATIENCE = 3.0
#: Seconds between two attempts to free memory that no worker reads any more.
RECLAIM_SECONDS = 1.0


class Node:
    """The parts of one node, from :meth:`start` to :meth:`drain`.

    *drain* begins the end of the process, *give_up* ends it with the reason.  Raises an
    :class:`~edge.errors.EdgeError` for what a user can mend.
    """

    _log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        opened: Opened,
        life: Life,
        drain: Callable[[], None],
        give_up: Callable[[str], None],
        reactor: Any,
    ) -> None:
        config = configuration.current
        self._configuration = configuration
        self._opened = opened
        self._life = life
        self._give_up = give_up
        self._reactor = reactor

        opened.state_dir.write_pid()
        if config.access_log is not None:
            try_access_log(config.access_log)  # later a worker does without, now it is a mistake
        self._store = Store(str(config.cache_dir), self._report)
        self._writer = Writer(opened.segment)

        slices = Slices(reactor)
        parts = self._cluster_parts = self._make_cluster(slices)
        self._cluster = parts.cluster if parts is not None else None
        view = parts.view if parts is not None else None

        bodies = parts.bodies if parts is not None else BodyStore(self._store.blobs)
        table = parts.table if parts is not None else LocalTable(self._writer)
        self._publisher = Publisher(publish_settings(config), self._store, bodies, table, slices, reactor)
        self._auto_publisher = AutoPublisher(self._publisher, config.watch, reactor)
        self._scrubber = Scrubber(self._store.blobs, self._auto_publisher.publish, reactor)

        host = WorkerHost(configuration, opened, self._writer, self._publisher.look_up, self._fetch)
        self._workers = make_workers(config.worker_count, host, opened.segment, give_up, reactor)

        self._load = LoadPublisher(
            name=config.node,
            cluster=config.cluster,
            url=public_url(config, opened.listeners),
            life=life,
            samples=Sampler(opened.segment, self._worker_pids),
            capacity=capacity(config, opened.descriptors),
            table=self._writer,
            others=view,
            clock=reactor,
        )
        self._status = StatusPublisher(
            name=config.node,
            workers=max(config.worker_count, 1),
            life=life,
            fast_path=lambda: self._workers.fast_path,
            counters=opened.segment,
            table=self._writer,
            load=self._load,
            gossip=view.status if view is not None else None,
            clock=reactor,
            audience=config.status,
        )
        self._reclaiming = LoopingCall(self._writer.reclaim)
        self._reclaiming.clock = reactor

        inspection = Inspection(
            configuration=configuration,
            life=life,
            urls=opened.urls,
            workers=self._workers,
            segment=opened.segment,
            table=self._writer,
            publisher=self._publisher,
            load=self._load,
            cluster=view,
            reactor=reactor,
        )
        administration = Administration(
            self._auto_publisher, self._publisher, lambda: self._writer.sequence, drain, reactor
        )
        self._admin = AdminServer(opened, inspection, administration, view, reactor)
        self._reloader = Reloader(
            configuration, opened, host, self._auto_publisher, self._workers, self._load, self._cluster
        )
        self._looking = LoopingCall(opened.look_at_certificates)
        self._looking.clock = reactor
        self._patience: Any = None

    # Starting

    def start(self) -> None:
        """Start the parts; :meth:`publish_first` makes the node ready."""
        self._admin.start()
        if self._cluster is not None:
            self._cluster.start()
        self._reclaiming.start(RECLAIM_SECONDS)
        self._looking.start(LOOK_SECONDS)
        self._load.start()
        self._status.start()
        self._opened.state_dir.tell_listening(self._opened.urls)
        self._log.info(
            "node {node} listens on {urls}; admin API on {admin}",
            node=self._configuration.current.node,
            urls=", ".join(self._opened.urls),
            admin=self._opened.admin_listener.url,
        )
        self._compare_connections()
        self._workers.start()
        self._patience = self._reactor.callLater(STARTUP_PATIENCE, self._workers.accept, False)

    async def publish_first(self) -> None:
        """Join the cluster, publish the webroot, and be ready."""
        began = self._reactor.seconds()
        try:
            if self._cluster is not None:
                await self._cluster.join()
            outcome = await self._auto_publisher.publish()
        except Stopped:
            return
        except EdgeError as error:
            self._give_up(str(error))
            return
        except OSError as error:
            self._give_up(in_words(error))
            return
        except Exception:
            self._log.failure("publishing failed")
            self._give_up("the webroot could not be published")
            return
        self._tell_published(len(outcome.problems), self._reactor.seconds() - began)
        self._scrubber.start()
        self._life.happens(Event.PUBLISHED)
        if self._life.is_ready:
            self._lose_patience()
            self._workers.accept(True)
            self._load.publish()
            self._log.info("ready")

    def _make_cluster(self, slices: Slices) -> ClusterParts | None:
        config = self._configuration.current
        if config.gossip is None:
            return None
        # Not before the listeners are open: twisted.internet.endpoints takes LISTEN_FDS out of the
        # environment when it is imported.
        from edge.node.cluster.assembly import make_cluster

        url = public_url(config, self._opened.listeners)
        return make_cluster(config, url, self._store.blobs, self._writer, slices, self._reactor)

    async def _fetch(self, path: bytes, etag: bytes) -> bool:
        """Have the body *etag* of *path* in the blob store, whole: a worker found it missing or damaged."""
        if await self._publisher.restore(path, etag):
            return True
        return self._cluster_parts is not None and await self._cluster_parts.missing.fetch(path, etag)

    def _worker_pids(self) -> list[int]:
        return [worker.pid for worker in self._workers.status() if worker.pid]

    def _compare_connections(self) -> None:
        """Warn of more connections wanted than descriptors can be had for."""
        config, descriptors = self._configuration.current, self._opened.descriptors
        possible = node_connections(descriptors, config.worker_count)
        if config.connections is not None and config.connections > possible:
            self._log.warn(
                "--connections {wanted}: {workers} with {n} descriptors each hold {possible}; raise the hard "
                "limit (LimitNOFILE= of a systemd unit, ulimit -Hn), or give --workers more",
                wanted=config.connections,
                workers=f"{max(config.worker_count, 1)} worker(s)",
                n=descriptors,
                possible=possible,
            )

    def _tell_published(self, problems: int, seconds: float) -> None:
        if self._cluster_parts is not None and self._cluster_parts.table.kept:
            self._log.warn(
                "{n} files are older than what the cluster has under their paths, which stays; "
                "edgectl publish publishes the files",
                n=self._cluster_parts.table.kept,
            )
        self._log.info(
            "published {webroot}: {n} resources, {problems} problems, in {seconds:.1f} s",
            webroot=self._publisher.settings.root or "nothing of its own",
            n=self._publisher.catalogue.statistics().resources,
            problems=problems,
            seconds=seconds,
        )

    def _report(self, problem: Problem) -> None:
        self._log.warn("{problem}", problem=problem)

    # Running

    async def reload(self) -> None:
        """Bring the configuration as it is now into force, and load certificates anew."""
        self._opened.look_at_certificates()
        await self._reloader.reload()

    async def reopen_logs(self) -> None:
        """Go on in new files: those of the logs were renamed."""
        await self._reloader.reopen_logs()

    # Ending

    async def drain(self, seconds: float) -> None:
        """Finish what runs, within *seconds*, and close everything, also what :meth:`start` did not reach."""
        assert self._life.state is State.DRAINING
        self._publisher.stop()
        self._load.publish()  # no client should come any more
        self._lose_patience()
        await self._workers.drain(seconds)
        if self._cluster is not None:
            await self._cluster.leave()
            self._cluster.stop()
        self._status.stop()
        self._load.stop()
        for call in (self._reclaiming, self._looking):
            if call.running:
                call.stop()
        self._auto_publisher.stop()
        self._scrubber.stop()
        self._admin.stop()
        self._store.close()

    async def hurry(self) -> None:
        """Do not wait for what still runs."""
        await self._workers.drain(0.0)

    def _lose_patience(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
