"""What happens within a second, in figures that add up."""

from __future__ import annotations

from collections import Counter

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.histogram import Histogram
from loadgen.run.messages.report import Report
from loadgen.run.process import interval_stats
from loadgen.run.process.interval_stats import IntervalStats
from loadgen.wire.interface import CANCELLED, CLOSED
from tests.loadgen.run.answers import MS, START, answer, ask

NAMES = ["n1", "n2", "n3", "n4"]
END = START + 60_000 * MS


def percentile(report: Report, name: str, percent: float = 50) -> float:
    """Milliseconds."""
    histogram = Histogram()
    histogram.add_counted(report.histograms[name])
    return histogram.percentile(percent) / 1000


class IntervalStatsTests(SynchronousTestCase):
    """One process."""

    def setUp(self) -> None:
        self.stats = IntervalStats(NAMES)
        self.counts: Counter[str] = Counter()

    def close(self, active: int = 0, connections: int = 0) -> Report:
        return self.stats.close(self.counts, active, connections)

    def test_an_answer_counts_by_its_status_its_node_and_its_bytes(self) -> None:
        for one in (answer(0, size=300), answer(2, status=304, size=100), answer(2, status=304, size=100)):
            self.stats.attempt(one, END)
        second = self.close().second
        self.assertEqual((second.sent, second.answered, second.bytes_in, second.bytes_out), (3, 3, 500, 150))
        self.assertEqual(second.statuses, {"200": 1, "304": 2})
        self.assertEqual(second.nodes, {"n1": 1, "n3": 2})

    def test_latency_is_from_the_plan_raw_from_the_send_and_lag_is_the_generators(self) -> None:
        one = answer(1, lag=2 * MS, took=8 * MS)
        self.stats.attempt(one, END)
        self.stats.ended(ask(START - 30 * MS), one, "")
        report = self.close()
        for name, expected in (("corrected", 40), ("raw", 8), ("lag", 2), ("node:1", 40)):
            self.assertLess(abs(percentile(report, name) / expected - 1), 0.002, name)
        self.assertEqual(set(report.histograms), {"corrected", "raw", "lag", "node:1"})

    def test_an_attempt_that_failed_is_no_answer_and_counts_for_its_node(self) -> None:
        self.stats.attempt(answer(3, status=0, error=CLOSED), END)
        report = self.close()
        self.assertEqual((report.second.sent, report.second.answered, report.second.statuses), (1, 0, {}))
        self.assertEqual((report.node_errors, report.node_bytes), ({3: 1}, {3: (100, 50)}))

    def test_a_loser_that_was_cancelled_is_nobodys_fault(self) -> None:
        self.stats.attempt(answer(3, status=0, error=CANCELLED), END)
        self.assertEqual(self.close().node_errors, {})

    def test_what_was_never_begun_was_not_offered_and_has_no_lag(self) -> None:
        self.stats.attempt(answer()._replace(begun=0, sent=0, head=0, status=0, error=CANCELLED), END)
        report = self.close()
        self.assertEqual((report.offered, report.second.sent, report.histograms), (0, 0, {}))

    def test_what_was_begun_after_the_end_was_not_offered(self) -> None:
        for late in (0, 1):
            self.stats.attempt(answer(due=END, lag=late), END)
        self.assertEqual(self.close().offered, 1)

    def test_what_followed_from_a_slow_answer_was_due_after_the_end(self) -> None:
        self.stats.attempt(answer(due=END + 1, lag=5 * MS), END)
        self.assertEqual(self.close().offered, 1)

    def test_a_second_request_does_not_stand_for_a_first_one(self) -> None:
        """Requests that were not offered are not made up for by retries and hedges, which are never late."""
        for number in range(10):
            self.stats.attempt(answer(), END, planned=number < 6)
        self.counts.update(requests=8, retries=3, hedges=1)
        report = self.close()
        self.assertEqual((report.offered, report.second.planned), (6, 8))
        counted = Histogram()
        counted.add_counted(report.histograms["lag"])
        self.assertEqual(counted.count, 6)

    def test_an_ask_that_failed_has_a_reason_and_how_long_it_was_waited_for(self) -> None:
        self.stats.ended(ask(), answer(error=CLOSED, status=0, took=3 * MS), "closed early")
        self.stats.ended(ask(), None, "no answer by the end", START + 700 * MS)
        self.stats.ended(ask(), answer(status=404, took=2 * MS), "status 404")
        report = self.close()
        self.assertEqual(
            report.second.errors, {"closed early": 1, "no answer by the end": 1, "status 404": 1}
        )
        self.assertEqual(set(report.histograms), {"failed"})
        waited = [round(percentile(report, "failed", percent)) for percent in (1, 50, 100)]
        self.assertEqual(waited, [2, 3, 700])

    def test_an_answer_that_came_while_the_process_slept_was_late_by_as_much(self) -> None:
        self.stats.attempt(answer(lag=MS), END, late=150 * MS)
        self.stats.attempt(answer(lag=MS), END)
        report = self.close()
        self.assertEqual([round(percentile(report, "lag", percent)) for percent in (50, 100)], [1, 150])

    def test_requests_that_were_sent_are_told_by_node(self) -> None:
        self.stats.attempt(answer(1), END)
        self.assertEqual(self.stats.close(self.counts, 0, 0, [3, 0, 0, 1]).asked, [3, 0, 0, 1])
        self.stats.attempt(answer(1), END)
        self.assertEqual(self.close().asked, [0, 1, 0, 0])

    def test_pushes(self) -> None:
        self.stats.pushed([5 * MS, 7 * MS])
        report = self.close()
        self.assertEqual((report.second.pushes, percentile(report, "push", 100) // 1), (2, 7))

    def test_planned_are_requests_and_those_that_could_not_be_offered(self) -> None:
        self.counts.update(requests=10, not_offered=5, not_modified=7, bodies=2)
        report = self.close(active=3, connections=4)
        second = report.second
        self.assertEqual((second.planned, second.confirmed, second.bodies), (15, 7, 2))
        self.assertEqual((second.active, second.connections), (3, 4))
        self.assertEqual(report.counts, {"requests": 10, "not_modified": 7, "bodies": 2})

    def test_each_second_begins_anew(self) -> None:
        one = answer()
        self.stats.attempt(one, END)
        self.stats.ended(ask(), one, "")
        self.stats.pushed([MS])
        self.counts["requests"] = 1
        first, second = self.close(), self.close()
        self.assertEqual((first.second.at, second.second.at), (0, 1))
        self.assertEqual(
            (second.counts, second.histograms, second.offered, second.node_bytes), ({}, {}, 0, {})
        )
        self.assertEqual(
            msgspec.structs.replace(second.second, at=0),
            msgspec.structs.replace(IntervalStats(NAMES).close(Counter(), 0, 0).second),
        )

    def test_a_process_tells_what_it_costs(self) -> None:
        report = self.close()
        self.assertGreaterEqual(report.cpu_seconds, 0.0)
        self.assertGreater(report.memory_bytes, 1 << 20)

    def test_without_a_descriptor_to_look_with_the_memory_is_what_it_was(self) -> None:
        before = self.close().memory_bytes

        def no_descriptor() -> None:
            raise OSError(24, "Too many open files")

        self.patch(interval_stats.psutil, "Process", no_descriptor)
        self.assertEqual(self.close().memory_bytes, before)

    def test_the_p95_is_of_late_and_unknown_at_first(self) -> None:
        for number in range(63):
            self.stats.ended(ask(), answer(number % 4, took=number * MS), "")
        self.assertEqual(self.stats.p95([1, 2, 3, 4]), [1, 2, 3, 4])
        self.stats.ended(ask(), answer(took=63 * MS), "")
        self.assertEqual(self.stats.p95([0] * 4), [60 * MS] * 4)  # the nearest rank, as in latency.js
        for _ in range(5000):
            self.stats.ended(ask(), answer(took=7 * MS), "")
        self.assertEqual(self.stats.p95([0] * 4)[0], 7 * MS)

    def test_each_node_has_its_own_as_soon_as_it_is_known(self) -> None:
        for node, took, count in ((0, 5, 500), (1, 100, 64), (2, 900, 63)):
            for _ in range(count):
                self.stats.ended(ask(), answer(node, took=took * MS), "")
        of_all = self.stats.p95([0] * 4)[3]
        self.assertEqual(self.stats.p95([0] * 4), [5 * MS, 100 * MS, of_all, of_all])

    def test_a_report_goes_over_a_wire_as_it_is(self) -> None:
        one = answer(2)
        self.stats.attempt(one, END)
        self.stats.ended(ask(), one, "")
        report = self.close()
        self.assertEqual(msgspec.msgpack.decode(msgspec.msgpack.encode(report), type=Report), report)
