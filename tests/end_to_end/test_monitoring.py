"""Debian's Prometheus reads a node, its rules, and every expression of the dashboard."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.edgectl.main import main
from edge.node.telemetry.alerts import ALERTS
from edge.node.telemetry.dashboard import dashboard, expressions
from tests import processes
from tests.commands import run_command
from tests.end_to_end.cluster import free_port
from tests.end_to_end.node import PATIENCE, RunningNode

CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{folder}/edge.rules.yml]
scrape_configs:
  - job_name: edge
    metrics_path: /.edge/metrics
    authorization: {{credentials_file: {token}}}
    static_configs: [{{targets: ["127.0.0.1:{admin}"]}}]
"""


class Prometheus:
    """A server of its own, with its data in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._process = processes.start(
            [
                "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self._port}", "--log.level=warn",
            ],
            stdout=subprocess.DEVNULL, stderr=(folder / "prometheus.log").open("wb"),
        )  # fmt: skip

    def ask(self, what: str, **query: str) -> Any:
        """The data of an answer of its API."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(PATIENCE)


def until(condition: Any, what: str) -> Any:
    """The first true value of *condition*."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            if found := condition():
                return found
        time.sleep(0.2)
    raise AssertionError(f"waited in vain until {what}")


class MonitoringTests(SynchronousTestCase):
    """As the how-to page says."""

    @contextlib.contextmanager
    def monitored(self) -> Iterator[tuple[RunningNode, Prometheus]]:
        self.assertIsNotNone(shutil.which("prometheus"), "prometheus is missing: apt-get install prometheus")
        admin = free_port()
        node = RunningNode("--admin", f"tcp:{admin}:interface=127.0.0.1", workers=1)
        self.addCleanup(node.clean_up)
        node.write("index.html", b"<p>here</p>")
        node.spawn()
        token = node.state / "admin.token"
        until(token.exists, "the node is there")
        folder = node.directory
        code, rules, _ = run_command(main, "monitoring", "rules")
        self.assertEqual(code, 0)
        (folder / "edge.rules.yml").write_text(rules)
        text = CONFIGURATION.format(folder=folder, token=token, admin=admin)
        (folder / "prometheus.yml").write_text(text)
        prometheus = Prometheus(folder)
        try:
            yield node, prometheus
        finally:
            prometheus.stop()

    def test_prometheus_reads_the_node_its_rules_and_every_graph(self) -> None:
        """All rules are in good health, none fires; each metric that a plain node has has a value."""
        with self.monitored() as (node, prometheus):
            # edgectl finds it by the state directory alone.
            code, metrics, err = run_command(main, "--state-dir", str(node.state), "metrics")
            self.assertEqual((code, err, "edge_utilization" in metrics), (0, "", True))
            up = until(lambda: prometheus.ask("query", query='up{job="edge"} == 1')["result"], "it is read")
            self.assertEqual(len(up), 1)

            def evaluated() -> list[dict[str, Any]]:
                rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
                return rules if all(rule["health"] != "unknown" for rule in rules) else []

            rules = until(evaluated, "the rules are evaluated")
            self.assertEqual({rule["name"] for rule in rules}, {alert.name for alert in ALERTS})
            self.assertEqual([rule for rule in rules if rule["health"] != "ok"], [])
            self.assertEqual([rule["name"] for rule in rules if rule["state"] == "firing"], [])
            until(lambda: prometheus.ask("query", query="rate(edge_requests_total[10s])")["result"], "rates")
            empty = set()
            for expression in expressions(dashboard()):
                asked = expression.replace("$job", "edge").replace("$instance", ".*")
                asked = asked.replace("$__rate_interval", "10s")
                if not prometheus.ask("query", query=asked)["result"]:
                    empty.add(expression.partition("{")[0].rpartition("(")[2])
            elsewhere = (
                "edge_gossip_", "edge_application_", "edge_tls_certificate_", "edge_trace_", "edge_site_",
            )  # fmt: skip
            self.assertEqual([name for name in empty if not name.startswith(elsewhere)], [])
