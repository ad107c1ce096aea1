"""From rings to batches, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from edge.node.exporter.batches import BATCH, TAKEN, Batches, Outcome
from edge.traces.ring import SpanRing
from edge.traces.span import Span
from tests.traces.test_span import ring, span


class Scripted:
    """A collector that does as it is told."""

    def __init__(self) -> None:
        self.sent: list[list[tuple[int, str]]] = []
        self.outcome = TAKEN

    def send(self, spans: Sequence[tuple[int, Span]], seconds: float) -> Outcome:
        self.sent.append([(worker, one.name) for worker, one in spans])
        return (
            self.outcome
            if self.outcome is TAKEN
            else Outcome(self.outcome.lost or len(spans), self.outcome.why)
        )


def fill(one: SpanRing, count: int) -> None:
    for number in range(count):
        one.write_span(span(f"GET {number}"))


class BatchTests(SynchronousTestCase):
    """:class:`edge.node.exporter.batches.Batches`."""

    def setUp(self) -> None:
        self.rings = [ring(1 << 20), ring(1 << 20)]
        self.collector, self.said = Scripted(), list[str]()
        self.batches = Batches(self.rings, self.collector, self.said.append)

    def figures(self) -> list[tuple[int, int]]:
        return [(one.exported, one.lost) for one in self.rings]

    def test_nothing_is_sent_where_there_is_nothing(self) -> None:
        self.assertFalse(self.batches.send(1))
        self.assertEqual(self.collector.sent, [])

    def test_all_rings_have_their_turn_and_a_batch_has_a_bound(self) -> None:
        fill(self.rings[0], 2 * BATCH)
        fill(self.rings[1], 3)
        self.assertTrue(self.batches.send(1))
        (first,) = self.collector.sent
        self.assertEqual(len(first), BATCH)
        self.assertEqual(first[:4], [(0, "GET 0"), (1, "GET 0"), (0, "GET 1"), (1, "GET 1")])
        while self.batches.send(1):
            continue
        self.assertEqual(self.figures(), [(2 * BATCH, 0), (3, 0)])
        self.assertEqual(sum(map(len, self.collector.sent)), 2 * BATCH + 3)

    def test_what_is_not_taken_is_counted_and_said_once(self) -> None:
        self.collector.outcome = Outcome(0, "it is away")
        for _ in range(3):
            fill(self.rings[0], 2)
            fill(self.rings[1], 1)
            self.batches.send(1)
        self.assertEqual(self.figures(), [(0, 6), (0, 3)])
        self.assertTrue(self.rings[0].is_failing)
        self.collector.outcome = TAKEN
        fill(self.rings[1], 1)
        self.batches.send(1)
        self.assertEqual(self.figures(), [(0, 6), (1, 3)])
        self.assertFalse(self.rings[0].is_failing)
        self.assertEqual(
            self.said,
            [
                "the collector does not take spans: it is away; they are dropped until it does",
                "the collector takes spans again; 9 were lost meanwhile",
            ],
        )

    def test_of_a_batch_that_is_taken_in_part_the_rest_is_counted(self) -> None:
        self.collector.outcome = Outcome(3, "it has refused 3")
        fill(self.rings[0], 2)
        fill(self.rings[1], 4)
        self.batches.send(1)
        self.assertEqual(self.figures(), [(0, 2), (3, 1)])

    def test_a_successor_says_nothing_again_and_counts_what_was_in_hand(self) -> None:
        self.collector.outcome = Outcome(0, "it is away")
        fill(self.rings[0], 3)
        self.batches.send(1)
        fill(self.rings[0], 1)
        self.rings[0].read_span()  # and then it was killed
        Batches(self.rings, self.collector, self.said.append).send(1)
        self.assertEqual((self.figures()[0], len(self.said)), ((0, 4), 1))
