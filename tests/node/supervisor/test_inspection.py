"""What a node knows of itself, with plain collaborators."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.config import Config
from edge.load.meters import Measurement, Shares
from edge.node.process.life import Life, NodeEvent
from edge.node.publishing.publisher import Progress
from edge.node.publishing.sites import PublishedSite, PublishedSites
from edge.node.supervisor.certificate_report import CertificateReport
from edge.node.supervisor.inspection import Inspection
from edge.node.supervisor.workers import WorkerStatus
from edge.publish.problems import Kind, Problem
from edge.publish.settings import PublishSettings
from edge.publish.site import Site
from edge.table.counters import INDEX
from edge.table.segment import CounterBlock, Segment
from edge.trust.tickets import Key
from tests.node.telemetry.publishing import Table


class Reactor(Clock):
    """Its threads run at once."""

    def getThreadPool(self) -> Reactor:
        """As Twisted has it."""
        return self

    def callInThreadWithCallback(self, done: Callable[..., None], work: Any, *arguments: Any) -> None:
        """As Twisted's thread pool has it."""
        done(True, work(*arguments))

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        """As Twisted has it."""
        call(*arguments)


class Configured:
    """A configuration with *problems*."""

    current = Config()

    def __init__(self) -> None:
        self.problems: list[str] = []

    def find_problems(self) -> list[str]:
        """See :class:`edge.node.supervisor.configuration.Configuration`."""
        return self.problems


class Workers:
    """Two, of which one is not there."""

    fast_path = "native"

    def __init__(self) -> None:
        self.list = [WorkerStatus(0, 4711, "ready", 0), WorkerStatus(1, None, "waiting", 3)]

    def status(self) -> list[WorkerStatus]:
        """See :class:`edge.node.supervisor.workers.Workers`."""
        return self.list


class Publisher:
    """Has published nothing."""

    settings = PublishSettings(root="/srv")
    site = Site()
    progress = Progress(0, 0, 0)
    published_at = None

    def __init__(self) -> None:
        self.problems: list[Problem] = []


class Load:
    """Measured, with figures that have many digits."""

    weight = 0.876543
    measured: Measurement | None = Measurement(Shares(0.123456, 0.05, 0, 0.01), 5.55, 0.0, 6, 7, 0.25)


class Tickets:
    """Two keys of session tickets."""

    age = 61.04
    keys = (Key(2, b"b" * 16, bytes(32), bytes(32)), Key(1, b"a" * 16, bytes(32), bytes(32)))


class InspectionTests(SynchronousTestCase):
    """:mod:`edge.node.supervisor.inspection`."""

    def setUp(self) -> None:
        self.segment = Segment.create(capacity=16, arena_bytes=4096, workers=2)
        self.addCleanup(self.segment.close)
        self.reactor, self.life, self.workers = Reactor(), Life(), Workers()
        self.configured, self.publisher, self.load = Configured(), Publisher(), Load()
        self.life.happens(NodeEvent.PUBLISHED)
        self.inspection = Inspection(
            configuration=self.configured,  # type: ignore[arg-type]
            life=self.life,
            urls=["http://127.0.0.1:8001"],
            workers=self.workers,  # type: ignore[arg-type]
            segment=self.segment,
            table=Table(),
            sites=PublishedSites([PublishedSite("", b"", self.publisher, None)], None),  # type: ignore[arg-type]
            load=self.load,  # type: ignore[arg-type]
            cluster=None,
            certificates=CertificateReport([], None, lambda: None),
            tickets=Tickets(),
            reactor=self.reactor,
        )

    def test_the_status_names_the_node_and_its_parts(self) -> None:
        """Workers with what they count, on both ways of a request."""
        counters = CounterBlock(self.segment, 0)
        for name, count in (("requests", 10), ("twisted_requests", 2), ("connections", 3), ("lag_us", 1500)):
            counters.add(INDEX[name], count)
        self.reactor.advance(2.04)
        self.publisher.progress = Progress(3, 5000, 7)
        status = self.inspection.status()
        known = {
            "node": "n1", "cluster": "edge", "state": "ready", "uptime_s": 2.0, "pid": os.getpid(),
            "fast_path": "native", "listeners": ["http://127.0.0.1:8001"],
            "tickets": {"keys": ["62" * 16, "61" * 16], "age_s": 61.0},
        }  # fmt: skip
        self.assertEqual({name: status[name] for name in known}, known)
        self.assertEqual(
            status["workers"],
            [
                {"index": 0, "pid": 4711, "state": "ready", "restarts": 0,
                 "connections": 3, "requests": 12, "lag_ms": 1.5},
                {"index": 1, "pid": None, "state": "waiting", "restarts": 3,
                 "connections": 0, "requests": 0, "lag_ms": 0.0},
            ],
        )  # fmt: skip
        self.assertEqual((status["site"]["webroot"], status["site"]["problems"]), ("/srv", []))
        left = [status["site"][name] for name in ("unread", "unread_bytes", "provisional")]
        self.assertEqual(left, [3, 5000, 7])
        self.assertEqual(
            status["load"],
            {"utilization": 0.1235, "weight": 0.8765, "cpu": 0.1235, "egress": 0.05, "connections": 7,
             "lag_ms": 0.25, "rps": 5.5, "eps": 0.0},
        )  # fmt: skip

    def test_before_it_is_measured_it_has_no_load(self) -> None:
        """Rather than zeros that would look like an idle node."""
        self.load.measured = None
        self.assertEqual(self.inspection.status()["load"], {})

    def checks(self) -> dict[str, tuple[bool, str]]:
        """What ``GET /check`` finds; all of it has to be right for *ok*."""
        found = self.successResultOf(Deferred.fromCoroutine(self.inspection.check()))
        self.assertEqual(found["ok"], all(check["ok"] for check in found["checks"]))
        return {check["name"]: (check["ok"], check["detail"]) for check in found["checks"]}

    def test_each_check_can_fail(self) -> None:
        """By itself."""
        self.workers.list[1] = WorkerStatus(1, 4712, "ready", 3)
        self.assertEqual({ok for ok, _ in self.checks().values()}, {True})
        self.workers.list[1] = WorkerStatus(1, 4712, "accepting", 3)
        self.publisher.problems = [Problem(Kind.LOOP, "a", "a link that leads to itself")]
        self.publisher.progress = Progress(3, 5000, 7)
        self.configured.problems = ["tls: no such file", "webroot: no such folder"]
        self.life.happens(NodeEvent.TOLD_TO_END)
        self.assertEqual(
            self.checks(),
            {
                "state": (False, "draining"),
                "workers": (False, "1 of 2 ready"),
                "table": (True, "7 entries"),
                "site": (False, "1 files with problems"),
                "reading": (False, "3 files still to be read"),
                "certificates": (True, "0 valid"),
                "configuration": (False, "tls: no such file; webroot: no such folder"),
            },
        )

    def test_metrics_have_the_weight_and_each_worker(self) -> None:
        """As Prometheus text."""
        content_type, text = self.inspection.metrics()
        self.assertTrue(content_type.startswith(b"text/plain"))
        for line in (b"edge_weight 0.876543", b'edge_worker_restarts_total{worker="1"} 3.0'):
            self.assertIn(line, text)
