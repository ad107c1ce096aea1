"""What a node says of itself alone."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.load.meters import Measurement, Shares
from edge.node.process.life import Life, NodeEvent
from edge.node.process.own_resources import STATUS, status_path
from edge.node.telemetry.status_publisher import STATUS_SECONDS, StatusPublisher
from edge.table.counters import COUNTERS
from tests.node.telemetry.publishing import Table


class Load:
    """A node that has been measured, unless it has not."""

    def __init__(self) -> None:
        self.measured: Measurement | None = Measurement(Shares(0.1, 0, 0, 0), 5, 0, 6, 7, 8)


class Counted:
    """Counters of all workers."""

    def __init__(self) -> None:
        self.values = dict.fromkeys(COUNTERS, 0)

    def totals(self) -> dict[str, int]:
        """See :class:`edge.node.telemetry.status_publisher.Counters`."""
        return self.values


class StatusTests(SynchronousTestCase):
    """The document of a node alone."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100.0)
        self.life, self.load, self.counted, self.table = Life(), Load(), Counted(), Table()
        self.publisher = self.make(None)

    def make(self, gossip: Any, **more: Any) -> StatusPublisher:
        """A publisher of a node in a cluster, if there is *gossip*."""
        return StatusPublisher(
            name="n1",
            workers=2,
            life=self.life,
            fast_path=lambda: "native",
            counters=self.counted,
            table=self.table,
            load=self.load,
            gossip=gossip,
            clock=self.clock,
            **more,
        )

    def publish(self, **counted: int) -> Any:
        """The document after so much more was counted."""
        for name, count in counted.items():
            self.counted.values[name] += count
        self.publisher.publish()
        return self.table.document(STATUS)

    def test_readers_of_one_site_are_not_told_of_the_applications_of_others(self) -> None:
        process = {"state": "ready", "restarts": 1}
        running = [{"name": name, "processes": [process] * 2} for name in ("shop", "blog")]
        for several, audience, names in (
            (False, "public", ["shop", "blog"]),
            (True, "local", ["shop", "blog"]),
            (True, "public", ["all"]),
        ):
            self.publisher = self.make(
                None, several_sites=several, audience=audience, applications=lambda: running
            )
            self.publisher.publish()
            told = self.table.document(status_path(audience))["applications"]
            self.assertEqual([one["name"] for one in told], names)
            self.assertEqual(sum(one["ready"] for one in told), 4)

    def test_rates_are_of_the_last_seconds(self) -> None:
        """Both ways of a request count; what is long ago does not."""
        self.publish()
        self.clock.advance(1)
        document = self.publish(
            requests=90, twisted_requests=10, not_modified=80, ok=8, validators=500, twisted_5xx=1
        )
        self.assertEqual(
            document["rates"],
            {"requests": 100.0, "not_modified": 80.0, "bodies": 8.0, "validators": 500.0, "errors": 1.0},
        )
        for _ in range(8):
            self.clock.advance(1)
            document = self.publish()
        self.assertEqual(set(document["rates"].values()), {0.0})

    def test_what_the_shared_cache_makes_of_requests_is_told(self) -> None:
        self.publish()
        self.clock.advance(1)
        document = self.publish(
            answers_hit=90, answers_stale=1, answers_filled=2, answers_coalesced=5, answers_passed=4
        )
        self.assertEqual(
            document["shared"], {"hit": 90.0, "stale": 1.0, "filled": 2.0, "coalesced": 5.0, "passed": 4.0}
        )

    def test_it_names_the_node_its_table_and_its_sockets_but_no_address(self) -> None:
        """And says how old it is."""
        self.clock.advance(5)
        document = self.publish(sockets=3)
        known = {"id": "n1", "uptime_s": 5, "workers": 2, "fast_path": "native"}
        self.assertEqual({name: document[name] for name in known}, known)
        self.assertEqual((document["v"], document["at"], document["sockets"]), (1, 105_000, 3))
        self.assertEqual(
            document["table"],
            {"entries": 7, "slots": 64, "arena_bytes": 1000, "arena_used_bytes": 100, "complete": True},
        )
        self.assertIsNone(document["gossip"])

    def test_it_is_alive_only_when_it_is_ready(self) -> None:
        """Before and afterwards it takes no new clients."""
        said = [self.publish()["state"]]
        for event in (NodeEvent.PUBLISHED, NodeEvent.TOLD_TO_END):
            self.life.happens(event)
            said.append(self.publish()["state"])
        self.assertEqual(said, ["draining", "alive", "draining"])

    def test_nothing_is_said_before_the_load_is_measured(self) -> None:
        """Its ORCA field would be missing."""
        self.load.measured = None
        self.publisher.publish()
        self.assertEqual(self.table.resources, {})

    def test_it_is_published_once_a_second_until_stopped(self) -> None:
        """The first one at once; one that fails does not end the series."""
        told: list[dict[str, Any]] = []

        def gossip() -> dict[str, Any]:
            told.append({})
            if len(told) == 2:
                raise RuntimeError("not now")
            return {"members": []}

        publisher = self.make(gossip)
        publisher.start()
        self.assertEqual(self.table.document(STATUS)["gossip"], {"members": []})
        self.clock.pump([STATUS_SECONDS] * 3)
        self.assertEqual(len(told), 4)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        publisher.stop()
        self.clock.advance(STATUS_SECONDS)
        self.assertEqual(len(told), 4)
