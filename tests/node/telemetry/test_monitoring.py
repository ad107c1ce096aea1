"""Alerts and dashboard: of metrics that exist, and as Prometheus reads them."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.node.telemetry.alerts import ALERTS, rules
from edge.node.telemetry.dashboard import CHOSEN, dashboard, expressions
from edge.node.telemetry.registry import families
from tests import processes

REGISTRY = {family.name: family for family in families()}
#: Of Prometheus itself.
OTHERS = {"up"}
_ONE = 'job="edge", instance="a"'
#: Alert -> series in which it fires, with their values each minute; and when it does.
FIRING = {
    "EdgeNodeGone": ({f"up{{{_ONE}}}": "1 0x10"}, "5m"),
    "EdgeNodeFull": ({f"edge_utilization{{{_ONE}}}": "0.95x20"}, "10m"),
    "EdgeConnectionsRefused": (
        {f'edge_connections_refused_total{{{_ONE}, worker="0", limit="total"}}': "0+600x30"},
        "20m",
    ),
    "EdgeTableIncomplete": ({f"edge_table_complete{{{_ONE}}}": "0x20"}, "10m"),
    "EdgeErrors": (
        {f'edge_twisted_responses_total{{{_ONE}, worker="0", status="5xx"}}': "0+600x30"},
        "20m",
    ),
    "EdgeWorkerRestarts": ({f'edge_worker_restarts_total{{{_ONE}, worker="0"}}': "0+1x20"}, "15m"),
    "EdgeReactorLate": ({f'edge_reactor_lag_seconds{{{_ONE}, worker="0"}}': "0.5x20"}, "10m"),
    "EdgeApplicationDown": (
        {
            f'edge_application_processes{{{_ONE}, application="s"}}': "2x20",
            f'edge_application_processes_ready{{{_ONE}, application="s"}}': "1x20",
        },
        "10m",
    ),
    "EdgeMembersMissing": (
        {f"edge_gossip_members_suspect{{{_ONE}}}": "0x20", f"edge_gossip_members_dead{{{_ONE}}}": "1x20"},
        "10m",
    ),
    "EdgeBehind": ({f"edge_gossip_behind{{{_ONE}}}": "7x20"}, "10m"),
    "EdgeTroubles": ({f"edge_gossip_troubles{{{_ONE}}}": "1x20"}, "10m"),
    "EdgeCertificateEnds": (
        {f'edge_tls_certificate_expiry_timestamp_seconds{{{_ONE}, file="c"}}': "86400x200"},
        "2h",
    ),
    "EdgeCertificateProblem": ({f'edge_tls_certificate_problem{{{_ONE}, file="c"}}': "1x200"}, "2h"),
    "EdgeTicketKeyOld": ({f"edge_tls_ticket_key_age_seconds{{{_ONE}}}": "50000x20"}, "5m"),
    "EdgeLogIncomplete": ({f"edge_access_log_dropped_total{{{_ONE}}}": "0+5x20"}, "10m"),
}


def metrics(expression: str) -> set[str]:
    """The names of metrics in *expression*."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)", "", expression)
    names = re.findall(r"[a-z_][a-z0-9_]+\b(?!\()", bare)
    return {name for name in names if "_" in name or name in OTHERS}


def labels(expression: str) -> set[str]:
    """The labels that *expression* groups by."""
    return {label for found in re.findall(r"by \(([^)]*)\)", expression) for label in found.split(", ")}


class Monitoring(SynchronousTestCase):
    """What ``edgectl monitoring`` prints."""

    def promtool(self, *arguments: str) -> tuple[int, str]:
        self.assertIsNotNone(shutil.which("promtool"), "promtool is missing: apt-get install prometheus")
        done = processes.run(["promtool", *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_every_expression_is_of_metrics_and_labels_that_nodes_expose(self) -> None:
        """Also those of the dashboard."""
        for expression in (*[alert.expression for alert in ALERTS], *expressions(dashboard())):
            names = metrics(expression)
            self.assertTrue(names, expression)
            self.assertLessEqual(names, REGISTRY.keys() | OTHERS, expression)
            known = {label for name in names - OTHERS for label in REGISTRY[name].labels}
            self.assertLessEqual(labels(expression), known | {"job", "instance"}, expression)

    def test_no_metric_is_missing_on_the_dashboard(self) -> None:
        """But those that are no numbers."""
        shown = set().union(*map(metrics, expressions(dashboard())))
        numbers = {
            name for name, one in REGISTRY.items() if one.kind != "info" and not name.endswith("_info")
        }
        self.assertEqual(numbers - shown, set())

    def test_the_dashboard_fits_its_grid(self) -> None:
        """Each panel has its number; none lies on another one."""
        found = dashboard()
        numbers = [panel["id"] for row in found["panels"] for panel in (row, *row.get("panels", ()))]
        self.assertEqual(len(numbers), len(set(numbers)))
        taken: set[tuple[int, int]] = set()
        for panel in found["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells
        chosen = found["panels"][: len(CHOSEN)]
        self.assertEqual([panel["title"] for panel in chosen], [one.title for one in CHOSEN])

    def test_promtool_takes_the_rules_and_each_alert_fires(self) -> None:
        """In the series in which it has to, with everything filled in; in none of the others."""
        self.assertEqual({alert.name for alert in ALERTS}, FIRING.keys())
        with tempfile.TemporaryDirectory() as folder:
            file, cases = Path(folder, "edge.rules.yml"), Path(folder, "tests.json")
            file.write_text(rules("edge"))
            code, told = self.promtool("check", "rules", str(file))
            self.assertEqual(code, 0, told)
            for name, (series, when) in FIRING.items():
                given = [{"series": one, "values": values} for one, values in series.items()]
                # Nothing is said to be expected: what fires is told, with its labels and annotations.
                asked = [{"eval_time": when, "alertname": alert.name, "exp_alerts": []} for alert in ALERTS]
                test = {"interval": "1m", "input_series": given, "alert_rule_test": asked}
                cases.write_text(json.dumps({"rule_files": [str(file)], "tests": [test]}))
                told = self.promtool("test", "rules", str(cases))[1]
                fired = set(re.findall(r'alertname="(\w+)"', told))
                self.assertEqual(fired, {name}, told)
                self.assertNotIn("<no value>", told)
                self.assertNotIn("{{", told)
