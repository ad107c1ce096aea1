"""SIGHUP and SIGUSR1: what changes while a node runs.

Configuration, certificates and access log are read anew; what is published is published by the new settings;
and workers that would be told other settings are replaced, one after the other.

SIGUSR1 does the part that log rotation needs: the logs go on in new files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

from edge.config.publishing import publish_settings
from edge.node.supervisor.plan import capacity, public_url
from edge.node.telemetry.logfiles import reopen_log_files

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from edge.config import Config
    from edge.node.publishing.sites import PublishedSites
    from edge.node.supervisor.configuration import Configuration
    from edge.node.supervisor.listeners import Listener
    from edge.node.supervisor.worker_host import WorkerHost
    from edge.node.supervisor.workers import Workers
    from edge.node.telemetry.accesslog import AccessLog
    from edge.node.telemetry.load_publisher import LoadPublisher
    from edge.publish.settings import PublishSettings


class Reloadable(Protocol):
    """What has certificates of its own: :class:`edge.node.cluster.cluster.Cluster`."""

    def reload(self) -> list[str]:
        """Load them anew; sentences about what stayed as it was."""


async def _believe(mounts: Sequence[str]) -> list[str]:
    """Nothing is wrong with *mounts*."""
    return []


def _publishing(config: Config) -> dict[bytes, PublishSettings]:
    """How sites are published, by their prefixes."""
    return {site.prefix.encode("ascii"): publish_settings(config, site) for site in config.sites}


class Reloader:
    """What SIGHUP does: brings the configuration, as it is now, into force in these parts."""

    _log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        listeners: Sequence[Listener],
        descriptors: int,
        host: WorkerHost,
        sites: PublishedSites,
        workers: Workers,
        load: LoadPublisher,
        cluster: Reloadable | None,
        try_mounts: Callable[[Sequence[str]], Awaitable[list[str]]] = _believe,
        *,
        access_log: AccessLog,
    ) -> None:
        """*try_mounts*: why mounts cannot be opened, in sentences."""
        self._configuration = configuration
        self._listeners = listeners
        self._descriptors = descriptors
        self._host = host
        self._sites = sites
        self._workers = workers
        self._try_mounts = try_mounts
        self._load = load
        self._cluster = cluster
        self._access_log = access_log

    async def reload(self) -> None:
        """Read everything anew, and tell the parts; what stays as it was is logged."""
        reopen_log_files()
        worker_before, publish_before = self._host.settings(0), _publishing(self._configuration.current)
        self._configuration.read_anew()
        config = self._configuration.current
        self._load.reconfigure(public_url(config, self._listeners), capacity(config, self._descriptors))
        publish = _publishing(config)
        for site in self._sites.sites:
            before, now = publish_before.get(site.prefix), publish.get(site.prefix)
            if before is not None and now is not None and now != before:
                await site.auto_publisher.publish_by(now, moves=now.root != before.root)
        problems = [
            problem
            for listener in self._listeners
            for certificate in listener.certificates
            if (problem := certificate.reload()) is not None
        ]
        problems += await self._workers.certify()
        self._access_log.configure(config.access_log, config.access_log_format)
        await self._access_log.reopen()
        if self._cluster is not None:
            problems += self._cluster.reload()
        if self._host.settings(0) != worker_before:
            problems += await self._replace_workers(config)
        for problem in problems:
            self._log.error("SIGHUP: {problem}", problem=problem)
        self._log.info("SIGHUP: done")

    async def _replace_workers(self, config: Config) -> list[str]:
        """Bring the settings of workers into force, if their successors can serve all that they do."""
        if wrong := await self._try_mounts(config.mount):
            return [*wrong, "the workers go on as they were; another SIGHUP tries it again"]
        return await self._workers.replace(float(config.drain_seconds))

    async def reopen_logs(self) -> None:
        """Go on in new files."""
        reopen_log_files()
        await self._access_log.reopen()
        self._log.info("SIGUSR1: logs are reopened")
