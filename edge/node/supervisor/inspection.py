"""What a node knows of itself, for the admin API.

``GET /status`` answers (times in seconds, sizes in bytes)::

    {"node", "cluster", "version", "state": "starting" | "ready" | "draining", "uptime_s", "pid",
     "fast_path": "native" | "python" | "off", "listeners": ["http://127.0.0.1:8001", ...],
     "workers": [{"index", "pid", "state", "restarts", "connections", "requests", "lag_ms"}],
     "table": {"entries", "slots", "arena_free_bytes", "sequence", "complete", ...},
     "site": {"webroot", "resources", "representations", "bytes", "unread", "unread_bytes", "provisional",
              "published_at", "problems": [{"path", "problem"}]},
     "tickets": {"keys": ["1f0e...", ...], "age_s"},   names of the keys, newest first; age of the newest
     "sites": [{"name", as above, "requests", "sent_bytes"}, ...],   if there are several; bytes of bodies
     "load": {"utilization", "weight", "cpu", "egress", "connections", "lag_ms", "rps", "eps"},
     "applications": [...],   as GET /applications has them
     "traces": {"written", "dropped", "exported", "lost", "is_failing"},   spans; null: there are none
     "troubles": [a sentence for each thing that only an operator can mend]}
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.threads import deferToThreadPool

from edge.node.process.clocks import date_of
from edge.node.supervisor.security import security_checks
from edge.node.telemetry.metrics import Snapshot, render
from edge.node.telemetry.tls_figures import tls_figures
from edge.publish.problems import Problem, printable
from edge.table.segment import CounterBlock
from edge.table.site_counts import SiteAnswers, total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.node.cluster.clusterview import ClusterView
    from edge.node.process.life import Life
    from edge.node.publishing.sites import PublishedSite, PublishedSites
    from edge.node.supervisor.certificate_report import CertificateReport
    from edge.node.supervisor.configuration import Configuration
    from edge.node.supervisor.exporting import Exporter
    from edge.node.supervisor.workers import Workers, WorkerStatus
    from edge.node.telemetry.load_publisher import LoadPublisher
    from edge.node.telemetry.status_publisher import StatusTable
    from edge.table.segment import Segment
    from edge.trust.tickets import Key

#: What figures call the site on top of the file, and the hosts that are no site's.
DEFAULT, NOBODYS = "(default)", "(none)"


def package_version() -> str:
    """The version of this program; "0" when it runs from a folder that was not installed."""
    try:
        return version("twistd-edge")
    except PackageNotFoundError:
        return "0"


class Tickets(Protocol):
    """The keys of session tickets: :class:`edge.node.certificates.ticket_keeper.TicketKeeper`."""

    @property
    def keys(self) -> Sequence[Key]:
        """Newest first."""

    @property
    def age(self) -> float:
        """Of the newest, in seconds."""


class Inspection:
    """The questions of the admin API, answered from what the parts of a node count and know.

    *cluster* is None for a node alone.
    """

    def __init__(
        self,
        *,
        configuration: Configuration,
        life: Life,
        urls: Sequence[str],
        workers: Workers,
        segment: Segment,
        table: StatusTable,
        sites: PublishedSites,
        load: LoadPublisher,
        cluster: ClusterView | None,
        certificates: CertificateReport,
        tickets: Tickets,
        reactor: Any,
        applications: Callable[[], list[dict[str, Any]]] = list,
        logged: Callable[[], tuple[int, int]] = lambda: (0, 0),
        exporter: Exporter | None = None,
    ) -> None:
        self._configuration = configuration
        self._life = life
        self._urls = urls
        self._workers = workers
        self._segment = segment
        self._table = table
        self._sites = sites
        self._load = load
        self._cluster = cluster
        self._certificates = certificates
        self._tickets = tickets
        self._reactor = reactor
        self._applications = applications
        self._logged = logged
        self._exporter = exporter
        self._version = package_version()
        self._began = reactor.seconds()

    def status(self) -> dict[str, Any]:
        """The answer to ``GET /status``."""
        config = self._configuration.current
        return {
            "node": config.node,
            "cluster": config.cluster,
            "version": self._version,
            "state": self._life.state.value,
            "uptime_s": round(self._reactor.seconds() - self._began, 1),
            "pid": os.getpid(),
            "fast_path": self._workers.fast_path,
            "listeners": list(self._urls),
            "workers": [self._worker(worker) for worker in self._workers.status()],
            "table": self._table.statistics(),
            **self._webroots(),
            "tickets": self.tickets(),
            "load": self._load_now(),
            "tls": self._tls(),
            "applications": self._applications(),
            "traces": self._exporter.figures()._asdict() if self._exporter is not None else None,
            "troubles": self._cluster.troubles() if self._cluster is not None else [],
        }

    def _tls(self) -> dict[str, Any] | None:
        """What :mod:`edge.node.telemetry.tls_figures` makes; None: no listener speaks TLS."""
        if not any(url.startswith("https:") for url in self._urls):
            return None
        return tls_figures(map(self._counted, self._workers.status()), self._tickets.age)

    def certificates(self) -> dict[str, Any]:
        """The answer to ``GET /certificates``; see :mod:`edge.node.supervisor.certificate_report`."""
        return {"certificates": self._certificates.certificates(date_of(self._reactor))}

    def applications(self) -> dict[str, Any]:
        """The answer to ``GET /applications``."""
        return {"applications": self._applications()}

    def _applications_ready(self) -> list[tuple[str, bool, str]]:
        """A check for the processes of applications, if there are applications."""
        found = self._applications()
        if not found:
            return []
        processes = [process["state"] == "ready" for one in found for process in one["processes"]]
        problems = "; ".join(f"{one['name']}: {one['problem']}" for one in found if one["problem"])
        detail = problems or f"{sum(processes)} of {len(processes)} processes ready"
        return [("applications", all(processes), detail)]

    async def check(self) -> dict[str, Any]:
        """The answer to ``GET /check``: is everything as it should be, would the configuration still work?"""
        workers = self._workers.status()
        ready = sum(worker.is_ready for worker in workers)
        statistics = self._table.statistics()
        publishers = [site.publisher for site in self._sites.sites]
        problems = sum(len(publisher.problems) for publisher in publishers)
        unread = sum(publisher.progress.unread for publisher in publishers)
        wrong = await deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), self._configuration.find_problems
        )
        checks = [
            ("state", self._life.is_ready, self._life.state.value),
            ("workers", ready == len(workers), f"{ready} of {len(workers)} ready"),
            ("table", bool(statistics["complete"]), f"{statistics['entries']} entries"),
            ("site", not problems, f"{problems} files with problems"),
            ("reading", not unread, f"{unread} files still to be read"),
            *self._applications_ready(),
            *([("traces", *self._exporter.check())] if self._exporter is not None else ()),
            ("certificates", *self._certificates.check(date_of(self._reactor))),
            ("configuration", not wrong, "; ".join(wrong) or "valid"),
            *(self._cluster.checks() if self._cluster is not None else ()),
        ]
        return {
            "ok": all(ok for _, ok, _ in checks),
            "checks": [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in checks],
        }

    def security(self) -> dict[str, Any]:
        """The answer to ``GET /security``: what protects this node from its own workers?"""
        checks = security_checks(self._configuration.current, self._workers.status(), self._segment)
        return {"ok": all(one.ok for one in checks), "checks": [one._asdict() for one in checks]}

    def metrics(self) -> tuple[bytes, bytes]:
        """The answer to ``GET /.edge/metrics``: Prometheus text, after its content type."""
        config, workers = self._configuration.current, self._workers.status()
        content_type, text = render(
            Snapshot(
                version=self._version,
                node=config.node,
                cluster=config.cluster,
                workers={worker.index: self._counted(worker) for worker in workers},
                restarts={worker.index: worker.restarts for worker in workers},
                table=self._table.statistics(),
                measured=self._load.measured,
                weight=self._load.weight,
                gossip=self._cluster.metrics() if self._cluster is not None else {},
                applications=self._applications(),
                logged=self._logged(),
                spans=self._exporter.figures() if self._exporter is not None else None,
                sites=self._by_site(),
                ticket_key_age=self._tickets.age,
                certificates={
                    one["file"]: (one["expires_at"] or 0.0, bool(one["problem"] or one["last_error"]))
                    for one in self._certificates.certificates(date_of(self._reactor))
                },
            )
        )
        return content_type.encode("ascii"), text

    def _counted(self, worker: WorkerStatus) -> dict[str, int]:
        return CounterBlock(self._segment, worker.index).read()

    def _worker(self, worker: WorkerStatus) -> dict[str, Any]:
        counted = self._counted(worker)
        return {
            "index": worker.index,
            "pid": worker.pid,
            "state": worker.state,
            "restarts": worker.restarts,
            "connections": counted["connections"],
            "requests": counted["requests"] + counted["twisted_requests"],
            "lag_ms": counted["lag_us"] / 1000,
        }

    def _by_site(self) -> dict[str, SiteAnswers]:
        """What was answered at each site, by its name; {}: there is one for all hosts."""
        sites = self._sites.sites
        names = [site.name or DEFAULT for site in sites]
        if all(site.prefix for site in sites):  # hosts that no site has are nobody's
            names.append(NOBODYS)
        return dict(zip(names, total(self._segment), strict=False))

    def _webroots(self) -> dict[str, Any]:
        """The default site, or the first; and all, if there are several."""
        found = [self._webroot(site) for site in self._sites.sites]
        if len(found) == 1:
            return {"site": found[0]}
        by_site = self._by_site()
        for one in found:
            answers = by_site.get(one.get("name", DEFAULT), SiteAnswers())
            one |= {"requests": sum(answers.by_class), "sent_bytes": answers.sent}
        return {"site": found[0], "sites": found}

    def _webroot(self, site: PublishedSite) -> dict[str, Any]:
        publisher = site.publisher
        return {
            **({"name": site.name} if site.name else {}),
            "webroot": publisher.settings.root,
            **publisher.site.statistics()._asdict(),
            **publisher.progress._asdict(),
            "published_at": publisher.published_at,
            "problems": listed(publisher.problems),
        }

    def tickets(self) -> dict[str, Any]:
        """The names of the keys of session tickets: each ticket bears one, readable for everybody."""
        tickets = self._tickets
        return {"keys": [key.name.hex() for key in tickets.keys], "age_s": round(tickets.age, 1)}

    def _load_now(self) -> dict[str, Any]:
        """This node's load, finer than in the load document: for people who look closely."""
        measured = self._load.measured
        if measured is None:
            return {}
        return {
            "utilization": round(measured.shares.utilization, 4),
            "weight": round(self._load.weight, 4),
            "cpu": round(measured.shares.cpu, 4),
            "egress": round(measured.shares.egress, 4),
            "connections": measured.connections,
            "lag_ms": measured.lag_ms,
            "rps": round(measured.rps, 1),
            "eps": round(measured.eps, 1),
        }


def listed(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """*problems* of the webroot as JSON has them."""
    return [{"path": printable(problem.name) or ".", "problem": problem.text} for problem in problems]
