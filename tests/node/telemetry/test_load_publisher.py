"""From the meters to the load document and to the other nodes."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import NodeLoad
from edge.load.meters import Capacity, Sample
from edge.load.report import LoadReport
from edge.node.process.life import Life, NodeEvent
from edge.node.process.own_resources import LOAD, REVALIDATE
from edge.node.telemetry.load_publisher import LOAD_SECONDS, SITES_TURNS, LoadPublisher
from edge.sites import entry_name
from tests.node.telemetry.publishing import Table

OTHER = NodeLoad("n0", "http://n0", "alive", 0.5, 0.5, 1.0, 0.0, 2, 3, 0.1, 100)


class Samples:
    """A node that uses *used* of its one core."""

    def __init__(self) -> None:
        self.used = 0.0
        self.connections = 0
        self.fail = False
        self._at = self._cpu = 0.0

    def sample(self, at: float) -> Sample:
        """See :class:`edge.node.telemetry.load_publisher.Samples`."""
        if self.fail:
            raise OSError("no such process")
        self._cpu += self.used * (at - self._at)
        self._at = at
        return Sample(at, self._cpu, int(100 * at), 0, 0, self.connections, 0.0)


class Others:
    """One other node."""

    generation = 41

    def __init__(self) -> None:
        self.told: list[LoadReport] = []

    def tell(self, report: LoadReport) -> None:
        """See :class:`edge.node.telemetry.load_publisher.OtherNodes`."""
        self.told.append(report)

    def loads(self) -> list[NodeLoad]:
        """See :class:`edge.node.telemetry.load_publisher.OtherNodes`."""
        return [OTHER]


class LoadPublisherTests(SynchronousTestCase):
    """Every quarter of a second."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.life, self.samples, self.table = Life(), Samples(), Table()
        self.samples.sample(1000)

    def make(self, others: Others | None = None, sites: int = 0) -> LoadPublisher:
        """The publisher of a node that is ready, with so many sites."""
        self.life.happens(NodeEvent.PUBLISHED)
        return LoadPublisher(
            sites=[(f"{number}.example".encode(), str.upper) for number in range(sites)],
            name="n1",
            cluster="c",
            url="http://n1",
            life=self.life,
            samples=self.samples,
            capacity=Capacity(cores=1, nic_bps=1e9, connections=100),
            table=self.table,
            others=others,
            clock=self.clock,
        )

    def test_it_is_published_four_times_a_second_until_stopped(self) -> None:
        """The first one at once; each has the next number."""
        publisher = self.make()
        publisher.start()
        numbers = []
        for _ in range(5):
            numbers.append(self.table.document(LOAD)["seq"])
            self.clock.advance(LOAD_SECONDS)
        self.assertEqual(numbers, [1, 2, 3, 4, 5])
        publisher.stop()
        self.clock.advance(LOAD_SECONDS)
        self.assertEqual(self.table.document(LOAD)["seq"], 6)

    def test_a_node_alone_publishes_itself(self) -> None:
        """Where it is, when, and what clients draw it with; figures are rounded here."""
        publisher = self.make()
        publisher.publish()
        self.samples.used = 0.24684
        self.clock.advance(2)
        publisher.publish()
        document = self.table.document(LOAD)
        (node,) = document["nodes"]
        self.assertEqual((document["cluster"], document["at"]), ("c", 1_002_000))
        self.assertEqual(
            [node[name] for name in ("id", "url", "state", "utilization", "rps", "age_ms")],
            ["n1", "http://n1", "alive", 0.247, 100.0, 0],
        )
        self.assertEqual(node["weight"], round(publisher.weight, 3))
        self.assertTrue(0.9 < publisher.weight < 1.0, "the weight follows its utilization slowly")

    def test_both_entries_carry_the_load_in_the_orca_field(self) -> None:
        """The document, and the answers to batch revalidations."""
        self.make().publish()
        lines = self.table.resources[LOAD].representations[0].lines_200
        for found in (lines, self.table.templates[REVALIDATE]):
            self.assertIn(b"endpoint-load-metrics: TEXT application_utilization=0,", found)

    def test_the_others_are_told_the_same_and_stand_beside_it(self) -> None:
        """Unrounded, with the generation of this life and a number that grows."""
        others = Others()
        publisher = self.make(others)
        publisher.publish()
        self.samples.used = 1 / 3
        self.clock.advance(1)
        publisher.publish()
        self.assertEqual([node["id"] for node in self.table.document(LOAD)["nodes"]], ["n0", "n1"])
        self.assertEqual([(one.generation, one.sequence) for one in others.told], [(41, 1), (41, 2)])
        self.assertAlmostEqual(others.told[-1].utilization, 1 / 3, places=12)
        self.assertEqual(others.told[-1].weight, publisher.weight)

    def test_only_a_ready_node_has_a_weight(self) -> None:
        """Before and afterwards it takes no new clients, and says so."""
        others = Others()
        publisher = self.make(others)
        publisher.publish()
        self.life.happens(NodeEvent.TOLD_TO_END)
        publisher.publish()
        node = self.table.document(LOAD)["nodes"][1]
        self.assertEqual((node["state"], node["weight"]), ("draining", 0.0))
        self.assertEqual([one.draining for one in others.told], [False, True])

    def test_another_capacity_and_address_count_from_the_next_one_on(self) -> None:
        """They may change while the node runs."""
        self.samples.connections = 50
        publisher = self.make()
        publisher.publish()
        self.assertEqual(self.table.document(LOAD)["nodes"][0]["utilization"], 0.5)
        publisher.reconfigure("https://n1.example.org", Capacity(cores=1, nic_bps=1e9, connections=1000))
        publisher.publish()
        node = self.table.document(LOAD)["nodes"][0]
        self.assertEqual((node["url"], node["utilization"]), ("https://n1.example.org", 0.05))

    def told(self, publisher: LoadPublisher, sites: int) -> list[int]:
        """Numbers of the sites that the next version is told to."""
        self.table.resources.clear()
        publisher.publish()
        names = [entry_name(f"{number}.example".encode(), LOAD) for number in range(sites)]
        return [number for number, name in enumerate(names) if name in self.table.resources]

    def test_sites_take_turns_and_none_waits_longer_than_eight_versions(self) -> None:
        """Ten sites cost what two do; and one what one does."""
        for count in (1, 10, 100):
            with self.subTest(sites=count):
                self.life = Life()
                publisher = self.make(sites=count)
                first = [self.told(publisher, count) for _ in range(2)]  # all, 64 at once
                self.assertEqual(set().union(*first), set(range(count)))
                turns = [self.told(publisher, count) for _ in range(SITES_TURNS)]
                self.assertEqual(set().union(*turns), set(range(count)))
                self.assertEqual({len(turn) for turn in turns}, {-(-count // SITES_TURNS)})

    def test_all_sites_are_told_at_once_when_the_choice_is_another(self) -> None:
        """That a node drains is for every browser, whatever its site."""
        publisher = self.make(sites=10)
        self.assertEqual(self.told(publisher, 10), list(range(10)))
        self.assertEqual(len(self.told(publisher, 10)), 2)
        self.life.happens(NodeEvent.TOLD_TO_END)
        self.assertEqual(self.told(publisher, 10), list(range(10)))
        self.assertEqual(len(self.told(publisher, 10)), 2)

    def test_a_measurement_that_fails_is_logged_and_the_next_one_comes(self) -> None:
        """The series does not end."""
        publisher = self.make()
        publisher.start()
        self.samples.fail = True
        self.clock.advance(LOAD_SECONDS)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.samples.fail = False
        self.clock.advance(LOAD_SECONDS)
        self.assertEqual(self.table.document(LOAD)["seq"], 2)
