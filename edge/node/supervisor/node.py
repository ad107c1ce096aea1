"""A running node: its parts, started in the order in which they need each other, stopped the other way round.

Workers are started at once, and accept when publishing begins, or after :data:`STARTUP_PATIENCE`: until then
connections wait in the kernel.  What is asked for is read first; what cannot be so soon is answered 503.  The
node is ready when everything is published but large files: before that it is given no new clients, and says
that it is starting.  :func:`edge.node.supervisor.assembly.make_node` makes it.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.config import find_exposed
from edge.descriptors import node_connections
from edge.errors import EdgeError, PublishError, in_words
from edge.node.process.life import NodeEvent, NodeState
from edge.node.publishing.publisher import Stopped
from edge.node.supervisor.service_manager import tell_service_manager
from edge.trust.credentials import name_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.python.failure import Failure

    from edge.node.cluster.assembly import ClusterParts
    from edge.node.process.life import Life
    from edge.node.publishing.scrubber import Scrubber
    from edge.node.publishing.sites import PublishedSite, PublishedSites
    from edge.node.supervisor.configuration import Configuration
    from edge.node.supervisor.exporting import Exporter
    from edge.node.supervisor.hosting.applications import Applications
    from edge.node.supervisor.opening import Opened
    from edge.node.supervisor.reloading import Reloader
    from edge.node.supervisor.workers import Workers
    from edge.node.telemetry.load_publisher import LoadPublisher
    from edge.publish.store import Store

#: Seconds for which connections wait in the kernel for the first publish.
STARTUP_PATIENCE = 3.0


class Part(Protocol):
    """What runs between the start and the end of a node."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End at once; whether it was started or not."""


class Node:
    """One node, from :meth:`start` to :meth:`drain`.

    *parts*: what is started with the node and stopped with it, in the order of starting.  *give_up* ends the
    process with the reason.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        configuration: Configuration,
        opened: Opened,
        life: Life,
        store: Store,
        cluster: ClusterParts | None,
        sites: PublishedSites,
        scrubber: Scrubber,
        workers: Workers,
        applications: Applications,
        load: LoadPublisher,
        exporter: Exporter | None,
        parts: Sequence[Part],
        reloader: Reloader,
        give_up: Callable[[str], None],
        reactor: Any,
    ) -> None:
        self._configuration = configuration
        self._opened = opened
        self._life = life
        self._store = store
        self._cluster = cluster
        self._sites = sites
        self._scrubber = scrubber
        self._workers = workers
        self._applications = applications
        self._exporter = exporter
        self._load = load
        self._parts = parts
        self._reloader = reloader
        self._give_up = give_up
        self._reactor = reactor
        self._patience: Any = None

    # Starting

    def start(self) -> None:
        """Start the parts; :meth:`publish_first` makes the node ready."""
        for part in self._parts:
            part.start()
        self._opened.state_dir.tell_listening(self._opened.urls, self._opened.admin_listener.url)
        self._log.info(
            "node {node} listens on {urls}; admin API on {admin}",
            node=self._configuration.current.node,
            urls=", ".join(self._opened.urls),
            admin=self._opened.admin_listener.url,
        )
        tell_service_manager("STATUS=publishing the site for the first time")
        self._compare_connections()
        self._compare_names()
        self._look_who_may_read()
        self._workers.start()
        self._patience = self._reactor.callLater(STARTUP_PATIENCE, self._workers.accept, False)

    async def publish_first(self) -> None:
        """Join the cluster, publish the webroot, and be ready."""
        began = self._reactor.seconds()
        try:
            if self._cluster is not None:
                await self._cluster.cluster.join()
            for site in self._sites.sites:
                publishing = Deferred.fromCoroutine(site.auto_publisher.publish())
                publishing.addErrback(self._not_published, site)
            await self._sites.begun()
            self._lose_patience()
            if not self._life.is_ready and self._life.state is NodeState.STARTING:
                self._workers.accept(False)  # what is asked for is read first
            await self._sites.served()
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
        self._tell_published(self._reactor.seconds() - began)
        self._life.happens(NodeEvent.PUBLISHED)
        if self._life.is_ready:  # and is not draining already
            self._scrubber.start()
            self._workers.accept(True)
            self._load.publish()
            self._log.info("ready")
            tell_service_manager("READY=1", "STATUS=ready")

    def _not_published(self, failure: Failure, site: PublishedSite) -> None:
        """The first publish did not end; that it could not begin is told by who waits for that."""
        if failure.check(Exception) and not failure.check(EdgeError):
            self._log.failure("publishing failed", failure)
            site.publisher.begun.fail(PublishError("the webroot could not be published"))

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

    def _compare_names(self) -> None:
        """Warn of a public name that no certificate has."""
        kept = [one.credential for listener in self._opened.listeners for one in listener.certificates]
        problem = name_problem(kept, self._configuration.current.public_url or "")
        if kept and problem is not None:
            self._log.warn("{problem}", problem=problem)

    def _look_who_may_read(self) -> None:
        """Warn of files with secrets that everybody may read."""
        for exposed in find_exposed(self._configuration.current):
            self._log.warn("{exposed}", exposed=exposed)

    def _tell_published(self, seconds: float) -> None:
        if self._cluster is not None and self._cluster.table.kept:
            self._log.warn(
                "{n} files are not new to this node, and the cluster has other versions under their paths, "
                "which stay; edgectl publish publishes the files",
                n=self._cluster.table.kept,
            )
        for site in self._sites.sites:
            self._tell_of(site, seconds)

    def _tell_of(self, site: PublishedSite, seconds: float) -> None:
        publisher, root = site.publisher, site.publisher.settings.root
        self._log.info(
            "published {webroot}{site}: {n} resources, {problems} problems, in {seconds:.1f} s",
            webroot=root or "nothing of its own",
            site=f" for {site.name}" if site.name else "",
            n=len(publisher.site),
            problems=len(publisher.problems),
            seconds=seconds,
        )
        if root is not None and not any(Path(root).iterdir()):
            self._log.warn(
                "{webroot} is empty: put the site there, it is published at once; or name another one with "
                "--webroot",
                webroot=root,
            )
        progress = publisher.progress
        if progress.unread:
            self._log.info(
                "{n} large files ({mib} MiB) are still being read, and answered 503 until then",
                n=progress.unread,
                mib=progress.unread_bytes >> 20,
            )

    # Running

    async def reload(self) -> None:
        """Bring the configuration as it is now into force, and load certificates anew."""
        await self._reloader.reload()

    async def reopen_logs(self) -> None:
        """Go on in new files: those of the logs were renamed."""
        await self._reloader.reopen_logs()

    # Ending

    async def drain(self, seconds: float) -> None:
        """Finish what runs, within *seconds*, and close everything, also what :meth:`start` did not reach."""
        assert self._life.state is NodeState.DRAINING
        tell_service_manager("STOPPING=1", "STATUS=draining")
        self._sites.stop()
        self._load.publish()  # no client should come any more
        self._lose_patience()
        await self._workers.drain(seconds)
        await self._applications.drain(seconds)  # whom nobody asks any more
        if self._exporter is not None:
            await self._exporter.drain()  # nothing new comes
        if self._cluster is not None:
            await self._cluster.cluster.leave()
        for site in self._sites.sites:
            site.auto_publisher.stop()
        self._scrubber.stop()
        for part in reversed(self._parts):
            part.stop()
        self._store.close()

    async def hurry(self) -> None:
        """Do not wait for what still runs."""
        await self._workers.drain(0.0)

    def _lose_patience(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
