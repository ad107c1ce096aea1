"""A collector that is there, and those that nobody wants."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.node.exporter.batches import TAKEN, Outcome
from edge.node.exporter.collector import OtlpCollector
from tests.end_to_end.collector import Collector
from tests.traces.test_span import span

#: What becomes of two spans.
BECOMES = {
    "takes": TAKEN,
    "refuses": Outcome(2, "it answers 400 Bad Request"),
    "leads": Outcome(2, "it answers 307 Temporary Redirect"),
    "garbage": Outcome(2, "what it answers is no HTTP"),
    "endless": TAKEN,
    "silent": Outcome(2, "no whole answer within 0.5 s"),
    "partly": Outcome(1, "it has refused 1 of 2: too many"),
}


class CollectorTests(SynchronousTestCase):
    """:class:`edge.node.exporter.collector.OtlpCollector`."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_a_span_arrives_as_it_was(self) -> None:
        collector = Collector(self.folder / "spans")
        self.addCleanup(collector.stop)
        one = span(
            "GET /a", parent_id=b"p" * 8, parent_is_remote=True, state="a=b", kind=1, is_error=True,
            start=1_700_000_000_000_000_000, end=1_700_000_000_000_001_000, attributes={"a": "b", "n": 7},
        )  # fmt: skip
        client = OtlpCollector(f"{collector.url}/any/where", {"service.name": "a service"})
        self.assertEqual(client.send([(3, one)], 20), TAKEN)
        (found,) = collector.spans()
        self.assertEqual(found["attributes"], {"a": "b", "n": 7, "edge.worker": 3})
        self.assertEqual(found["resource"]["service.name"], "a service")
        self.assertEqual(
            [
                found[name]
                for name in ["trace", "span", "parent", "state", "name", "kind", "nanoseconds", "error"]
            ],
            ["74" * 16, "73" * 8, "70" * 8, "a=b", "GET /a", "client", 1000, True],
        )
        self.assertEqual(found["path"], "/any/where")

    def test_whatever_a_collector_does_an_export_ends_and_says_why(self) -> None:
        for manner, becomes in BECOMES.items():
            collector = Collector(self.folder / manner, manner=manner)
            self.addCleanup(collector.stop)
            client = OtlpCollector(f"{collector.url}/v1/traces", {})
            seconds = 0.5 if manner == "silent" else 20
            self.assertEqual(client.send([(0, span()), (1, span())], seconds), becomes, manner)
            collector.stop()

    def test_where_nobody_listens(self) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            client = OtlpCollector(f"http://127.0.0.1:{bound.getsockname()[1]}/v1/traces", {})
            self.assertEqual(client.send([(0, span())], 3), Outcome(1, "no connection (Connection refused)"))
