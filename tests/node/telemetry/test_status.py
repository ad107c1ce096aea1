"""What a node says of itself alone."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.node.telemetry.status import StatusReport
from edge.table.counters import COUNTERS

TABLE = {"entries": 7, "slots": 64, "arena_bytes": 1000, "arena_free_bytes": 900, "complete": True}
KNOWN = {"id": "n1", "state": "alive", "uptime_s": 5, "workers": 2, "fast_path": "native"}


class StatusTests(SynchronousTestCase):
    """The document of a node alone."""

    def setUp(self) -> None:
        self.report = StatusReport()
        self.totals = dict.fromkeys(COUNTERS, 0)

    def make(self, now: float, **counted: int) -> dict[str, Any]:
        for name, count in counted.items():
            self.totals[name] += count
        document: dict[str, Any] = json.loads(self.report.make(now, KNOWN, self.totals, TABLE, None))
        return document

    def test_rates_are_of_the_last_seconds(self) -> None:
        self.make(100.0)
        document = self.make(
            101.0, requests=90, twisted_requests=10, not_modified=80, ok=8, validators=500, twisted_5xx=1
        )
        self.assertEqual(
            document["rates"],
            {"requests": 100.0, "not_modified": 80.0, "bodies": 8.0, "validators": 500.0, "errors": 1.0},
        )
        for second in range(102, 110):
            document = self.make(float(second))
        self.assertEqual(set(document["rates"].values()), {0.0})

    def test_it_names_the_node_its_table_and_its_sockets_but_no_address(self) -> None:
        document = self.make(100.0, sockets=3)
        self.assertEqual({name: document[name] for name in KNOWN}, KNOWN)
        self.assertEqual((document["v"], document["at"], document["sockets"]), (1, 100_000, 3))
        self.assertEqual(
            document["table"],
            {"entries": 7, "slots": 64, "arena_bytes": 1000, "arena_used_bytes": 100, "complete": True},
        )
        self.assertIsNone(document["gossip"])
