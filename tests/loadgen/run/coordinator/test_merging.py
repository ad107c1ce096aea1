"""The reports of all processes as one run."""

from __future__ import annotations

import math
from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.results import Second
from loadgen.run.coordinator.merging import ReportMerger
from loadgen.run.messages.report import Report
from loadgen.run.process.interval_stats import IntervalStats
from loadgen.verdict.thresholds import MEASURES
from loadgen.wire.interface import Handshake
from tests.loadgen.run.answers import MS, START, Ended, answer, ask, outcomes
from tests.loadgen.run.samples import NODES

END = START + 60_000 * MS
NAMES = [node.id for node in NODES]


def reports(seconds: list[list[Ended]]) -> list[Report]:
    """What a process tells, to which this happened in each second; the last one is marked."""
    stats, found = IntervalStats(NAMES), []
    for outcomes_of in seconds:
        counts: Counter[str] = Counter()
        for one, planned, reason in outcomes_of:
            stats.attempt(one, END)
            counts["requests"] += 1
            if planned is not None:
                stats.ended(ask(planned), one, reason)
                counts["failed"] += bool(reason)
                counts["bodies" if one.status == 200 else "not_modified"] += 1
        found.append(stats.close(counts, len(outcomes_of), 2 * len(outcomes_of)))
    found[-1].last = True
    return found


def without_memory(second: Second) -> Second:
    """What does not depend on which process it was."""
    return msgspec.structs.replace(second, memory_bytes=0)


SECONDS = st.lists(st.lists(outcomes(), max_size=8), min_size=3, max_size=3)


class AddingTests(SynchronousTestCase):
    """What adds up, adds up."""

    @settings(max_examples=40)
    @given(SECONDS, SECONDS, st.integers(0, 2))
    def test_two_processes_come_to_what_one_would_have_counted(
        self, one: list[list[Ended]], other: list[list[Ended]], ahead: int
    ) -> None:
        """Whichever of them tells first."""
        both, alone = ReportMerger(2, NODES), ReportMerger(1, NODES)
        mine, theirs = reports(one), reports(other)
        for report in mine[:ahead]:
            both.report(0, report)
        for report in theirs:
            both.report(1, report)
        for report in mine[ahead:]:
            both.report(0, report)
        for report in reports([[*a, *b] for a, b in zip(one, other, strict=True)]):
            alone.report(0, report)
        self.assertEqual(
            [without_memory(second) for second in both.series],
            [without_memory(second) for second in alone.series],
        )
        self.assertEqual((both.counts, both.offered), (alone.counts, alone.offered))
        self.assertEqual(both.measures(), alone.measures())
        self.assertEqual(both.nodes(), alone.nodes())
        self.assertEqual(
            {name: one.encode() for name, one in both.histograms.items()},
            {name: one.encode() for name, one in alone.histograms.items()},
        )
        self.assertEqual(both.totals.statuses, alone.totals.statuses)

    def test_series_histograms_and_totals_say_the_same(self) -> None:
        merged = ReportMerger(1, NODES)
        happened = [[(answer(node, took=took * MS), START, "")] for node, took in ((0, 10), (1, 20), (1, 40))]
        for report in reports(happened):
            merged.report(0, report)
        self.assertEqual(sum(second.answered for second in merged.series), 3)
        self.assertEqual((merged.totals.answered, merged.totals.statuses), (3, {"200": 3}))
        self.assertEqual([node.requests for node in merged.nodes()], [1, 2, 0, 0])
        self.assertLess(abs(merged.measures()["p100"] - 40), 0.1)
        self.assertEqual([round(second.latency_ms[0]) for second in merged.series], [10, 20, 40])
        self.assertEqual([round(node.p50_ms) for node in merged.nodes()], [10, 20, 0, 0])

    def test_shares_are_of_all_requests(self) -> None:
        merged = ReportMerger(1, NODES)
        counts = Counter(requests=200, failed=2, retries=20, hedges=10, not_modified=90, bodies=10)
        counts += Counter(stale_confirmations=1, wrong_answers=3, page_views=50)
        report = IntervalStats(NAMES).close(counts, 0, 0)
        report.last = True
        merged.report(0, report)
        measures = merged.measures()
        self.assertEqual(
            {
                name: measures[name]
                for name in ("errors", "error_share", "retry_share", "hedge_share", "share_304")
            },
            {"errors": 2, "error_share": 0.01, "retry_share": 0.1, "hedge_share": 0.05, "share_304": 0.9},
        )
        self.assertEqual((measures["stale"], measures["wrong"], measures["page_views"]), (1, 3, 50))

    def test_a_run_in_which_nothing_happened_has_counts_alone(self) -> None:
        measures = ReportMerger(2, NODES).measures()
        self.assertEqual(set(measures.values()), {0})
        for name in ("p50", "p99.9", "raw_p99", "push_p99", "herd", "share_304"):
            self.assertNotIn(name, measures)

    def test_failures_stand_above_all_answers(self) -> None:
        """98 answers of 5 ms, 2 requests that failed after 1 ms: nobody knows what they would have taken."""
        merged = ReportMerger(1, NODES)
        failed = (answer(took=MS, status=404), START, "status 404")
        happened = [*([(answer(took=5 * MS), START, "")] * 98), failed, failed]
        for report in reports([happened]):
            merged.report(0, report)
        measures, bounds = merged.measures(), merged.bounds()
        self.assertLess(abs(measures["p95"] - 5), 0.1)
        self.assertEqual((measures["p99"], measures["p100"]), (math.inf, math.inf))
        self.assertLess(abs(bounds["p100"] - 5), 0.1)
        self.assertEqual(merged.series[0].latency_ms[2], bounds["p99"])

    def test_a_node_whose_attempts_fail_is_left_out_until_it_answers_again(self) -> None:
        """The others share what was its: they are even."""
        merged = ReportMerger(1, NODES)
        for second in range(6):
            report = reports([[(answer(2), START, "")] if second == 5 else []])[0]
            report.second.at, report.last = second, second == 5
            report.asked = [400, 400, 0 if 1 < second < 5 else 400, 400]
            if second in (1, 2):
                report.second.node_errors = {"n3": 7}
            merged.report(0, report)
        measures = merged.measures()
        self.assertEqual((measures["herd"], measures["herd_1s_max"]), (1.0, 1.0))

    def test_all_that_may_be_named_is_measured(self) -> None:
        merged = ReportMerger(1, NODES)
        stats = IntervalStats(NAMES)
        stats.attempt(answer(), END)
        stats.ended(ask(), answer(), "")
        stats.pushed([MS], [MS])
        stats.shaken([Handshake(0, 0, MS), Handshake(0, 1, MS)])
        counts = Counter(requests=1, bodies=1, socket_attempts=1, pushes_due=1)
        merged.report(0, stats.close(counts, 0, 0, [100] * len(NODES)))
        of_nodes = {"table_share"}  # with --state: what the nodes have counted
        self.assertEqual(set(merged.measures()) | of_nodes, set(MEASURES))

    def test_what_processes_cost_is_what_each_said_last(self) -> None:
        merged = ReportMerger(2, NODES)
        for process, cpu, memory in ((0, 1.0, 100), (1, 2.0, 300), (0, 1.5, 110)):
            report = IntervalStats(NAMES).close(Counter(), 0, 0)
            report.cpu_seconds, report.memory_bytes = cpu, memory
            merged.report(process, report)
        self.assertEqual((merged.cpu_seconds, merged.memory_bytes), (3.5, 410))


class WholeSecondTests(SynchronousTestCase):
    """A second is whole when all who still run have told of it."""

    def setUp(self) -> None:
        self.merged = ReportMerger(2, NODES)
        happened: list[list[Ended]] = [[(answer(), START, "")], [(answer(), START, "")], []]
        self.told = [reports(happened), reports(happened)]

    def tell(self, process: int, second: int) -> list[int]:
        """The seconds that are whole then."""
        return [second.at for second, _ in self.merged.report(process, self.told[process][second])]

    def test_not_before_the_last_has_told(self) -> None:
        self.assertEqual(self.tell(0, 0), [])
        self.assertEqual(self.tell(0, 1), [])
        self.assertEqual(self.tell(1, 0), [0])
        self.assertEqual(self.tell(1, 1), [1])
        self.assertEqual([second.answered for second in self.merged.series], [2, 2])

    def test_one_that_has_ended_is_not_waited_for(self) -> None:
        for second in range(3):
            self.assertEqual(self.tell(0, second), [])
        self.assertTrue(self.merged.finished(0))
        self.assertEqual([self.tell(1, second) for second in range(3)], [[0], [1], [2]])

    def test_one_that_dies_leaves_what_it_told_and_holds_nobody_up(self) -> None:
        self.tell(0, 0)
        self.tell(1, 0)
        self.tell(1, 1)
        self.assertFalse(self.merged.finished(0))
        self.assertEqual([second.at for second, _ in self.merged.gone(0)], [1])
        self.assertEqual([second.answered for second in self.merged.series], [2, 1])
        self.assertEqual(self.tell(1, 2), [2])

    def test_one_that_dies_before_its_first_word(self) -> None:
        self.assertEqual(self.tell(1, 0), [])
        self.assertEqual([second.at for second, _ in self.merged.gone(0)], [0])

    def test_when_all_have_gone_all_that_was_told_is_whole(self) -> None:
        for second in range(3):
            self.tell(0, second)
        self.assertEqual([second.at for second, _ in self.merged.gone(1)], [0, 1, 2])
        self.assertEqual(self.merged.gone(0), [])

    def test_totals_come_with_each_second(self) -> None:
        answered = []
        for second in range(3):
            self.tell(0, second)
            whole = self.merged.report(1, self.told[1][second])
            answered += [totals.answered for _, totals in whole]
        self.assertEqual(answered, [2, 4, 4])
