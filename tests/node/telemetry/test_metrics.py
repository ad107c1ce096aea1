"""The metrics as Prometheus reads them."""

from __future__ import annotations

import inspect
import re

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip import replica
from edge.gossip.members import Counters
from edge.gossip.sealing import Sessions
from edge.load.meters import Measurement, Shares
from edge.node.cluster.clusterview import ClusterView
from edge.node.telemetry.application_figures import in_short
from edge.node.telemetry.metrics import CLUSTER, Snapshot, render
from edge.table.counters import COUNTERS
from edge.table.site_counts import SiteAnswers

COUNTED = {name: index for index, name in enumerate(COUNTERS, 1)}
MEASURED = Measurement(Shares(0.1, 0.2, 0.3, 0.4), 5, 0, 6, 7, 8)


def snapshot(measured: Measurement | None = MEASURED) -> Snapshot:
    """Two workers whose counters all differ."""
    table = {"entries": 3, "slots": 16, "complete": True}
    return Snapshot("1.0", "n1", "c", {0: COUNTED, 1: COUNTED}, {0: 0, 1: 2}, table, measured, 0.6)


class MetricsTests(SynchronousTestCase):
    """Names, labels and values."""

    def values(self, now: Snapshot) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every sample of the text."""
        content_type, text = render(now)
        self.assertTrue(content_type.startswith("text/plain"))
        families = list(text_string_to_metric_families(text.decode()))
        self.assertEqual([family.name for family in families if not family.documentation], [])
        return {
            (one.name, tuple(sorted(one.labels.items()))): one.value
            for family in families
            for one in family.samples
        }

    def test_every_counter_is_there(self) -> None:
        """Each with the value of its worker, so that no name is misspelt or forgotten."""
        values = self.values(snapshot())
        worker_0 = {value for (_, labels), value in values.items() if ("worker", "0") in labels}
        in_microseconds = {name for name in COUNTED if name.endswith("_us")}
        expected = {0.0, *(COUNTED[name] / 1e6 for name in in_microseconds)}
        expected |= {float(number) for name, number in COUNTED.items() if name not in in_microseconds}
        self.assertEqual(worker_0, expected)

    def test_names_follow_the_conventions(self) -> None:
        """Counters end in _total."""
        values = self.values(snapshot())
        self.assertEqual(
            values["edge_requests_total", (("path", "fast"), ("worker", "1"))], COUNTED["requests"]
        )
        self.assertEqual(values["edge_worker_restarts_total", (("worker", "1"),)], 2)
        self.assertEqual(values["edge_table_complete", ()], 1)
        self.assertEqual(values["edge_share", (("of", "lag"),)], 0.4)
        self.assertEqual(values["edge_weight", ()], 0.6)
        self.assertEqual(values["edge_info", (("cluster", "c"), ("node", "n1"), ("version", "1.0"))], 1)

    def test_a_starting_node_has_measured_nothing_yet(self) -> None:
        """Rather than zeros that would look like an idle node."""
        names = {name for name, _ in self.values(snapshot(None))}
        self.assertNotIn("edge_utilization", names)
        self.assertIn("edge_connections", names)

    def test_sites_are_told_apart_where_there_are_some(self) -> None:
        values = self.values(snapshot()._replace(sites={"blog": SiteAnswers((1, 2, 3, 4, 5), 6)}))
        site = ("site", "blog")
        for digit in range(1, 6):
            key = ("edge_site_requests_total", (site, ("status", f"{digit}xx")))
            self.assertEqual(values[key], digit)
        self.assertEqual(values["edge_site_sent_bytes_total", (site,)], 6)
        self.assertEqual([name for name, _ in self.values(snapshot()) if name.startswith("edge_site")], [])

    def test_every_figure_of_the_cluster_has_a_meaning(self) -> None:
        """All that ``ClusterView.metrics`` counts, by the places where it is counted."""
        counted = {f"{name}_total" for name in vars(Counters())}
        counted |= {f"refused_{name}_total" for name in vars(Sessions().refused)}
        table = re.findall(r'self\.counters\["(\w+)"\]', inspect.getsource(replica))
        counted |= {f"table_{name}_total" for name in table}
        figures = inspect.getsource(ClusterView.metrics)
        counted |= set(re.findall(r'"(\w+)": float\(', figures))
        self.assertGreater(len(counted), 30)
        self.assertEqual(counted - set(CLUSTER), set())

    def test_figures_of_the_cluster_are_counters_or_gauges(self) -> None:
        now = snapshot()._replace(gossip={"probes_total": 3.0, "members_alive": 2.0})
        kinds = {one.name: one.type for one in text_string_to_metric_families(render(now)[1].decode())}
        self.assertEqual(
            (kinds["edge_gossip_probes"], kinds["edge_gossip_members_alive"]), ("counter", "gauge")
        )

    def test_processes_of_applications_are_added_up(self) -> None:
        process = {"state": "ready", "restarts": 2, "running": 3, "memory_bytes": 5, "cpu_seconds": 1.5}
        shop = {"name": "shop", "processes": [process, {**process, "state": "starting"}]}
        values = self.values(snapshot()._replace(applications=[shop, {"name": "api", "processes": []}]))
        labels = (("application", "shop"),)
        for name, value in (
            ("processes", 2), ("processes_ready", 1), ("restarts_total", 4), ("running", 6),
            ("memory_bytes", 10), ("cpu_seconds", 3),
        ):  # fmt: skip
            self.assertEqual(values[f"edge_application_{name}", labels], value)
        short = [{"name": "shop", "processes": 2, "ready": 1, "restarts": 4}]
        self.assertEqual(in_short([shop]), short)
