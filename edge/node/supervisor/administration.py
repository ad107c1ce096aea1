"""What the node knows of itself and does when told: behind the admin API, and the load document.

``GET /status`` answers (times in seconds, sizes in bytes)::

    {"node", "cluster", "version", "state": "starting" | "ready" | "draining", "uptime_s", "pid",
     "fast_path": "native" | "python" | "off", "listeners": ["http://127.0.0.1:8001", ...],
     "workers": [{"index", "pid", "state", "restarts", "connections", "requests", "lag_ms"}],
     "table": {"entries", "slots", "arena_free_bytes", "sequence", "complete", ...},
     "site": {"webroot", "resources", "representations", "bytes", "published_at",
              "problems": [{"path", "problem"}]},
     "load": {"utilization", "weight", "cpu", "egress", "connections", "lag_ms", "rps", "eps"}}
"""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from edge.config import SETTINGS, find_problems, needs_restart, reload
from edge.errors import ConfigError, PublishError
from edge.http.target import canonical_path
from edge.load.document import LoadDocument, encode, node_load
from edge.load.meters import Capacity, Measurement, Meters
from edge.load.orca import orca_line
from edge.load.weight import Weight
from edge.node.cluster import clusterview
from edge.node.process.descriptors import node_connections
from edge.node.supervisor.plan import public_url
from edge.node.telemetry.loading import publish_load
from edge.node.telemetry.metrics import Snapshot, render
from edge.node.telemetry.sampler import Sampler, cores, nic_bps
from edge.node.telemetry.status import StatusReport, publish_status
from edge.publish.problems import Problem, printable
from edge.table.segment import CounterBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config import Config
    from edge.node.cluster.cluster import Cluster
    from edge.node.supervisor.supervisor import Supervisor

#: In the load document, what the states of a node are called.
_STATES = {"starting": "draining", "ready": "alive", "draining": "draining"}


def package_version() -> str:
    """The version of this program; "0" when it runs from a folder that was not installed."""
    try:
        return version("twistd-edge")
    except PackageNotFoundError:
        return "0"


class Administration:
    """See the module's docstring; implements :class:`edge.node.supervisor.admin.Administered`."""

    _log = Logger()

    def __init__(self, supervisor: Supervisor, reactor: Any) -> None:
        self._supervisor = supervisor
        self._reactor = reactor
        self._version = package_version()
        self._sequence = 0
        self._figures: Measurement | None = None
        self._weight = Weight()
        self._drawn = 0.0
        self._report = StatusReport()
        self._sampler = Sampler(supervisor.segment, self._worker_pids)
        self._meters = Meters(self._capacity(supervisor.config))

    def _capacity(self, config: Config) -> Capacity:
        limit = node_connections(self._supervisor.descriptors, config.worker_count, config.connections)
        return Capacity(cores(), nic_bps(config.nic_mbit), limit)

    def _worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in self._supervisor.workers.status() if worker["pid"]]

    # The load document

    def publish_load(self) -> None:
        """Measure, and put the new load document into the table; never raises."""
        try:
            self._publish_load()
        except Exception:
            self._log.failure("the load could not be measured")

    def _publish_load(self) -> None:
        supervisor, now = self._supervisor, self._reactor.seconds()
        self._sequence += 1
        figures = self._figures = self._meters.observe(self._sampler.sample(now))
        self._drawn = self._weight.observe(now, figures.shares.utilization)
        config = supervisor.config
        url = public_url(config, supervisor.listeners)
        cluster = supervisor.cluster
        generation = cluster.generation if cluster is not None else 0
        draining = supervisor.state != "ready"
        report = figures.report(config.node, generation, self._sequence, self._drawn, draining=draining)
        nodes = [node_load(report, url)]
        if cluster is not None:
            cluster.set_load(report)
            nodes = sorted((*nodes, *clusterview.loads(cluster)), key=lambda one: one.id)
        document = LoadDocument(
            cluster=config.cluster, seq=self._sequence, at=int(now * 1000), nodes=tuple(nodes)
        )
        publish_load(supervisor.writer, encode(document), orca_line(figures), int(now))

    def publish_status(self) -> None:
        """Put what this node says of itself into the table; never raises."""
        try:
            self._publish_status()
        except Exception:
            self._log.failure("the status could not be published")

    def _publish_status(self) -> None:
        supervisor, now = self._supervisor, self._reactor.seconds()
        if self._figures is None:
            return
        known = {
            "id": supervisor.config.node, "state": _STATES[supervisor.state],
            "uptime_s": int(now - supervisor.started_at), "workers": max(supervisor.config.worker_count, 1),
            "fast_path": supervisor.workers.fast_path,
        }  # fmt: skip
        totals, table = supervisor.segment.totals(), supervisor.writer.statistics()
        document = self._report.make(now, known, totals, table, supervisor.cluster)
        publish_status(supervisor.writer, document, orca_line(self._figures), int(now))

    # The admin API

    def status(self) -> dict[str, Any]:
        """See the module's docstring."""
        supervisor = self._supervisor
        config = supervisor.config
        return {
            "node": config.node,
            "cluster": config.cluster,
            "version": self._version,
            "state": supervisor.state,
            "uptime_s": round(self._reactor.seconds() - supervisor.started_at, 1),
            "pid": os.getpid(),
            "fast_path": supervisor.workers.fast_path,
            "listeners": [listener.url for listener in supervisor.listeners],
            "workers": [self._worker(worker) for worker in supervisor.workers.status()],
            "table": supervisor.writer.statistics(),
            "site": self._site(),
            "load": self._load(),
        }

    def _worker(self, worker: dict[str, Any]) -> dict[str, Any]:
        counted = CounterBlock(self._supervisor.segment, worker["index"]).read()
        return {
            **worker,
            "connections": counted["connections"],
            "requests": counted["requests"] + counted["twisted_requests"],
            "lag_ms": counted["lag_us"] / 1000,
        }

    def _site(self) -> dict[str, Any]:
        publisher = self._supervisor.publisher
        return {
            "webroot": publisher.settings.root,
            **publisher.catalogue.statistics()._asdict(),
            "published_at": publisher.published_at,
            "problems": _listed(publisher.problems),
        }

    def _load(self) -> dict[str, Any]:
        figures = self._figures
        if figures is None:
            return {}
        return {
            "utilization": round(figures.shares.utilization, 4),
            "weight": round(self._drawn, 4),
            "cpu": round(figures.shares.cpu, 4),
            "egress": round(figures.shares.egress, 4),
            "connections": figures.connections,
            "lag_ms": figures.lag_ms,
            "rps": round(figures.rps, 1),
            "eps": round(figures.eps, 1),
        }

    async def publish(self, webroot: str | None) -> dict[str, Any]:
        """Publish again; paths that were purged come back."""
        if webroot is not None:
            if not os.path.isabs(webroot):
                raise PublishError(f"{webroot} is not an absolute path; give the directory from the root on")
            webroot = os.path.normpath(webroot)
        outcome = await self._supervisor.site.publish(webroot, True)
        return {
            "puts": outcome.puts,
            "removes": outcome.removes,
            "unchanged": outcome.unchanged,
            "problems": _listed(outcome.problems),
            "sequence": outcome.sequence,
        }

    async def purge(self, paths: list[str]) -> dict[str, Any]:
        """Remove paths from the table; each is taken as a client would write it."""
        wanted: dict[bytes, str] = {}
        unknown = []
        for path in paths:
            key = canonical_path(path.encode("utf-8", "surrogateescape").partition(b"?")[0])
            if key is None:
                unknown.append(path)
            else:
                wanted[key] = path
        purged, missing = await self._supervisor.publisher.purge(wanted)
        unknown += [wanted[key] for key in missing]
        gone = [wanted[key] for key in purged]
        return {"purged": gone, "unknown": unknown, "sequence": self._supervisor.writer.sequence}

    def members(self) -> dict[str, Any]:
        """The nodes of the cluster, as this one sees them."""
        return clusterview.members(self._cluster())

    def log(self) -> dict[str, Any]:
        """The change logs of all nodes, as far as they are here."""
        return clusterview.log(self._cluster())

    def _cluster(self) -> Cluster:
        cluster = self._supervisor.cluster
        if cluster is None:
            raise PublishError("this node is alone; --gossip and --peer make it one of a cluster")
        return cluster

    def start_draining(self) -> dict[str, Any]:
        """Answer first, then drain."""
        self._reactor.callLater(0.05, self._supervisor.terminate)
        return {"state": "draining"}

    async def check(self) -> dict[str, Any]:
        """Is everything as it should be, and would the configuration still work?"""
        supervisor = self._supervisor
        workers = supervisor.workers.status()
        ready = sum(worker["state"] == "ready" for worker in workers)
        statistics = supervisor.writer.statistics()
        problems = supervisor.publisher.problems
        wrong = await deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), _configuration_problems, supervisor.config
        )
        checks = [
            ("state", supervisor.state == "ready", supervisor.state),
            ("workers", ready == len(workers), f"{ready} of {len(workers)} ready"),
            ("table", bool(statistics["complete"]), f"{statistics['entries']} entries"),
            ("site", not problems, f"{len(problems)} files with problems"),
            ("configuration", not wrong, "; ".join(wrong) or "valid"),
        ]
        return {
            "ok": all(ok for _, ok, _ in checks),
            "checks": [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in checks],
        }

    def metrics(self) -> tuple[bytes, bytes]:
        """(content type, Prometheus text)."""
        supervisor = self._supervisor
        workers = supervisor.workers.status()
        content_type, text = render(
            Snapshot(
                version=self._version,
                node=supervisor.config.node,
                cluster=supervisor.config.cluster,
                workers={w["index"]: CounterBlock(supervisor.segment, w["index"]).read() for w in workers},
                restarts={w["index"]: w["restarts"] for w in workers},
                table=supervisor.writer.statistics(),
                measured=self._figures,
                weight=self._drawn,
                gossip=clusterview.figures(supervisor.cluster) if supervisor.cluster is not None else {},
            )
        )
        return content_type.encode("ascii"), text

    def take_over(self, old: Config, new: Config) -> Config:
        """*new*, but for what takes effect at the next start only."""
        kept = {SETTINGS[name].attribute for name in needs_restart(old, new)}
        if old.nic_mbit != new.nic_mbit or old.connections != new.connections:
            self._meters.capacity = self._capacity(new)
        return replace(new, **{attribute: getattr(old, attribute) for attribute in kept})


def _listed(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"path": printable(problem.name) or ".", "problem": problem.text} for problem in problems]


def _configuration_problems(config: Config) -> list[str]:
    """What would be wrong if the node were started again now."""
    try:
        return find_problems(reload(config))
    except ConfigError as error:
        return str(error).splitlines()
