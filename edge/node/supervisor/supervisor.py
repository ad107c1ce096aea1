"""The supervisor: ``twistd edge`` itself.

It opens what the node needs (state directory, listeners, shared table), publishes the webroot, runs
the workers, and serves the admin API.  Its states::

    starting --published--> ready --SIGTERM, SIGINT, edgectl drain--> draining --> exit 0

Workers are started at once and accept when the site is published, or after
:data:`STARTUP_PATIENCE`: until then connections wait in the kernel, afterwards what is not published
yet is answered 503.  A second signal does not wait for what still runs.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import atexit
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from edge.config import needs_restart, reload
from edge.errors import ConfigError, EdgeError
from edge.fastpath import select
from edge.node.bodies.store import BodyStore
from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.process.acceptor import Acceptor
from edge.node.process.channel_limits import ChannelLimits
from edge.node.process.descriptors import node_connections, raise_descriptor_limit
from edge.node.process.lookup import pack
from edge.node.process.settings import encode
from edge.node.process.slices import Slices
from edge.node.publishing.auto_publisher import AutoPublisher
from edge.node.publishing.publisher import Publisher, Stopped
from edge.node.publishing.table import LocalTable
from edge.node.supervisor.admin import BODY_BYTES, AdminSite
from edge.node.supervisor.administration import Administration
from edge.node.supervisor.listeners import open_listener, open_listeners
from edge.node.supervisor.plan import public_url, publish_settings, worker_settings
from edge.node.supervisor.statedir import StateDirectory
from edge.node.supervisor.workers import InProcessWorker, WorkerProcesses
from edge.node.telemetry.loading import LOAD_SECONDS
from edge.node.telemetry.status import STATUS_SECONDS
from edge.publish.store import Store
from edge.table.counters import INDEX
from edge.table.segment import CounterBlock, Segment
from edge.table.writer import Writer
from edge.trust.listener_certificate import CertificateFiles, load_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.application.service import IService

    from edge.config import Config
    from edge.node.cluster.cluster import Cluster
    from edge.node.supervisor.worker_process import WorkerSlot
    from edge.node.supervisor.workers import Workers
    from edge.publish.problems import Problem

#: Seconds for which connections wait in the kernel for the first publish.
STARTUP_PATIENCE = 3.0
#: Seconds between two attempts to free memory that no worker reads any more.
RECLAIM_SECONDS = 1.0


def make_supervisor(config: Config, reactor: Any) -> IService:
    """The service of one node; raises an :class:`EdgeError` when it cannot have what it needs."""
    return Supervisor(config, reactor)


class Supervisor(Service):
    """See the module's docstring."""

    _log = Logger()

    def __init__(self, config: Config, reactor: Any) -> None:
        self.config = config
        self.state = "starting"
        self.started_at = reactor.seconds()
        self._reactor = reactor
        if config.webroot is None and config.gossip is None:
            raise ConfigError("--webroot none: a node alone would serve nothing; give --gossip and --peer")
        self._count = config.worker_count
        self.descriptors = raise_descriptor_limit(-(-(config.connections or 0) // max(self._count, 1)))
        select(config.fast_path)  # what a worker would fail at is better said now
        self._ended: Deferred[None] | None = None
        self._started = False
        self.state_dir = StateDirectory(config.state_dir)
        try:
            for spec in config.endpoints:
                if spec.kind == "tls":
                    load_context(CertificateFiles(spec.cert_key, spec.private_key, spec.extra_cert_chain))
            self.listeners = open_listeners(config.endpoints, max(self._count, 1))
            try:
                self.admin_listener = open_listener(_private(config), 1)
                self.segment = Segment.create(
                    capacity=config.table_entries,
                    arena_bytes=config.arena_mib << 20,
                    workers=max(self._count, 1),
                )
            except BaseException:
                for listener in self.listeners:
                    listener.close()
                raise
        except BaseException:
            self.state_dir.close()
            raise

    # Starting

    def startService(self) -> None:
        """Start everything; what fails is said in one line, and the process exits with 1."""
        super().startService()
        self._reactor.callWhenRunning(self._take_signals)
        try:
            self._start()
        except EdgeError as error:
            self._give_up(str(error))
            return
        Deferred.fromCoroutine(self._publish_first())

    def _start(self) -> None:
        config = self.config
        self.state_dir.note_process()
        config.cache_dir.mkdir(parents=True, exist_ok=True)
        self.store = Store(str(config.cache_dir), self._report)
        self.writer = Writer(self.segment)
        slices = Slices(self._reactor)
        self.cluster = self._make_cluster(slices)
        bodies = self.cluster.bodies if self.cluster is not None else BodyStore(self.store.blobs)
        table = self.cluster.table if self.cluster is not None else LocalTable(self.writer)
        self.publisher = Publisher(publish_settings(config), self.store, bodies, table, slices, self._reactor)
        self.workers = self._make_workers()
        self.administration = Administration(self, self._reactor)
        self.site = AutoPublisher(self.publisher, config.watch, self._reactor)
        self._start_admin()
        if self.cluster is not None:
            self.cluster.start()
        self._calls = []
        for work, seconds in (
            (self.writer.reclaim, RECLAIM_SECONDS),
            (self.administration.publish_load, LOAD_SECONDS),
            (self.administration.publish_status, STATUS_SECONDS),
        ):
            call = LoopingCall(work)
            call.clock = self._reactor
            call.start(seconds)
            self._calls.append(call)
        urls = [listener.url for listener in self.listeners]
        self.state_dir.tell_listening(urls)
        self._log.info(
            "node {node} listens on {urls}; admin API on {admin}",
            node=config.node,
            urls=", ".join(urls),
            admin=self.admin_listener.url,
        )
        possible = node_connections(self.descriptors, self._count)
        if config.connections is not None and config.connections > possible:
            self._log.warn(
                "--connections {wanted}: {workers} with {n} descriptors each hold {possible}; raise the hard "
                "limit (LimitNOFILE= of a systemd unit, ulimit -Hn), or give --workers more",
                wanted=config.connections,
                workers=f"{max(self._count, 1)} worker(s)",
                n=self.descriptors,
                possible=possible,
            )
        self.workers.start()
        self._patience = self._reactor.callLater(STARTUP_PATIENCE, self.workers.accept, False)
        self._started = True

    def _make_cluster(self, slices: Slices) -> Cluster | None:
        if self.config.gossip is None:
            return None
        # Not before the listeners are open: twisted.internet.endpoints takes LISTEN_FDS out of the
        # environment when it is imported.
        from edge.node.cluster.assembly import make_cluster

        url = public_url(self.config, self.listeners)
        return make_cluster(self.config, url, self.store.blobs, self.writer, slices, self._reactor)

    def _make_workers(self) -> Workers:
        if self._count:
            return WorkerProcesses(self._count, self, self._reactor)
        return InProcessWorker(
            self.settings_for(0),
            self.segment,
            self._packed,
            self.fetch,
            lambda reason: self._give_up("the fast path failed"),
            os.getpid(),
            self._reactor,
        )

    def _start_admin(self) -> None:
        token = self.state_dir.admin_token() if self.admin_listener.spec.kind != "unix" else None
        root = AdminSite(self.administration, token)
        self._admin_site = EdgeSite(root, self._reactor, limits=ChannelLimits(body_bytes=BODY_BYTES))
        self._admin = Acceptor(
            self.admin_listener.socket_for(0), ChannelFactory(self._admin_site), self._reactor
        )
        self._admin.start()

    async def _publish_first(self) -> None:
        began = self._reactor.seconds()
        try:
            if self.cluster is not None:
                await self.cluster.join()
            outcome = await self.site.publish()
        except Stopped:
            return
        except EdgeError as error:
            self._give_up(str(error))
            return
        except Exception:
            self._log.failure("publishing failed")
            self._give_up("the webroot could not be published")
            return
        statistics = self.publisher.catalogue.statistics()
        if self.cluster is not None and self.cluster.table.kept:
            self._log.warn(
                "{n} files are older than what the cluster has under their paths, which stays; "
                "edgectl publish publishes the files",
                n=self.cluster.table.kept,
            )
        self._log.info(
            "published {webroot}: {n} resources, {problems} problems, in {seconds:.1f} s",
            webroot=self.publisher.settings.root or "nothing of its own",
            n=statistics.resources,
            problems=len(outcome.problems),
            seconds=self._reactor.seconds() - began,
        )
        if self.state == "starting":
            self.state = "ready"
            if self._patience.active():
                self._patience.cancel()
            self.workers.accept(True)
            self.administration.publish_load()
            self._log.info("ready")

    def _report(self, problem: Problem) -> None:
        self._log.warn("{problem}", problem=problem)

    # What workers ask: edge.node.supervisor.worker_process.WorkerHost

    def _settings(self, index: int) -> Any:
        blobs = str(self.config.cache_dir / "blobs")
        return worker_settings(
            self.config, self.listeners, index, blobs, self.descriptors, own_process=bool(self._count)
        )

    def settings_for(self, index: int) -> bytes:
        """See :class:`edge.node.supervisor.worker_process.WorkerHost`."""
        return encode(self._settings(index))

    def descriptors_for(self, index: int) -> Sequence[int]:
        """See :class:`edge.node.supervisor.worker_process.WorkerHost`."""
        return [self.segment.fd, *(listener.socket_for(index).fileno() for listener in self.listeners)]

    def look_up(self, path: bytes) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.worker_process.WorkerHost`."""
        return {"entries": self._packed(path)}

    async def fetch(self, path: bytes, etag: bytes) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.worker_process.WorkerHost`."""
        return {"found": self.cluster is not None and await self.cluster.missing.fetch(path, etag)}

    def _packed(self, path: bytes) -> bytes:
        return pack(self.publisher.look_up(path))

    def worker_started(self, slot: WorkerSlot, fast_path: str) -> None:
        """See :class:`edge.node.supervisor.worker_process.WorkerHost`."""
        if isinstance(self.workers, WorkerProcesses):
            self.workers.started(slot, fast_path)

    def worker_refused(self, slot: WorkerSlot, why: str) -> None:
        """See :class:`.worker_process.WorkerHost`: at the start that is a mistake, later an accident."""
        if not self.workers.fast_path:  # none has ever started
            self._give_up(why)
        else:
            self._log.error("worker {index} cannot start: {why}", index=slot.index, why=why)

    def worker_gone(self, slot: WorkerSlot) -> None:
        """See :class:`edge.node.supervisor.worker_process.WorkerHost`."""
        self.writer.worker_gone(slot.index)
        counters = CounterBlock(self.segment, slot.index)
        for gauge in ("connections", "lag_us", "sockets"):
            counters.set(INDEX[gauge], 0)

    # Signals

    def _take_signals(self) -> None:
        """Instead of the reactor's handlers, with which the process would end by the signal."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self.terminate))
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._hang_up))

    def terminate(self) -> None:
        """Drain, then end the process; asked again: end it now."""
        if self._ended is None:
            self._log.info("draining for at most {n} seconds", n=self.config.drain_seconds)
            self._end(float(self.config.drain_seconds)).addBoth(lambda _: self._stop_reactor())
        else:
            self._log.info("asked again: not waiting any longer")
            Deferred.fromCoroutine(self.workers.drain(0.0))

    def _hang_up(self) -> None:
        Deferred.fromCoroutine(self.reload())

    async def reload(self) -> None:
        """SIGHUP: the configuration, the certificates, the access log."""
        try:
            new = reload(self.config)
        except ConfigError as error:
            self._log.error("SIGHUP: the configuration stays as it was: {error}", error=error)
            new = self.config
        for name in needs_restart(self.config, new):
            self._log.warn("SIGHUP: a change of {name} takes effect at the next start", name=name)
        old_settings, old_plan = self.settings_for(0), publish_settings(self.config)
        self.config = self.administration.take_over(self.config, new)
        plan = publish_settings(self.config)
        if plan != old_plan:
            await self.site.publish_by(plan, moves=plan.root != old_plan.root)
        problems = await self.workers.reload()
        if self.cluster is not None:
            problems += self.cluster.reload()
        if self.settings_for(0) != old_settings:
            problems += await self.workers.replace(float(self.config.drain_seconds))
        for problem in problems:
            self._log.error("SIGHUP: {problem}", problem=problem)
        self._log.info("SIGHUP: done")

    # Ending

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._end(float(self.config.drain_seconds))

    def _end(self, seconds: float) -> Deferred[None]:
        """Drain and close everything, once."""
        if self._ended is None:
            self._ended = Deferred.fromCoroutine(self._drain(seconds))
        waiting: Deferred[None] = Deferred()
        self._ended.addBoth(lambda _: waiting.callback(None))
        return waiting

    async def _drain(self, seconds: float) -> None:
        self.state = "draining"
        if self._started:
            self.publisher.stop()
            self.administration.publish_load()
            if self._patience.active():
                self._patience.cancel()
            await self.workers.drain(seconds)
            if self.cluster is not None:
                await self.cluster.leave()
                self.cluster.stop()
            for call in self._calls:
                call.stop()
            self.site.stop()
            self._admin.stop()
            self._admin_site.abort()
            self.store.close()
        for listener in (*self.listeners, self.admin_listener):
            listener.close()
        self.segment.close()
        self.state_dir.close()

    def _give_up(self, why: str) -> None:
        """Say why the node cannot run, and end the process with 1."""
        self._log.critical("{why}", why=why)
        atexit.register(_exit_with_1)
        self._end(0.0).addBoth(lambda _: self._stop_reactor())

    def _stop_reactor(self) -> None:
        if self._reactor.running:
            self._reactor.stop()
        else:
            self._reactor.callWhenRunning(self._reactor.stop)


def _private(config: Config) -> Any:
    """The admin API's endpoint: a Unix socket that only its owner can use, unless told otherwise."""
    spec = config.admin_endpoint
    return replace(spec, mode=0o600) if spec.kind == "unix" and spec.mode is None else spec


def _exit_with_1() -> None:
    """Twisted knows no exit code; called at the very end of the interpreter's life."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
