"""Forty faulty targets, each judged by several sets of thresholds: no verdict is wrong.

Each is a whole process of users against a cluster in memory, in simulated time.  What is right follows from
what the cluster really gave to its users, one by one, and not from histograms: an exact list of latencies, in
which a failure is infinite, and the number of lies that were told.
"""

from __future__ import annotations

import gc
import math
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.results import WRONG
from loadgen.run.client.sender import LogicalRequest
from loadgen.run.coordinator.merging import ReportMerger
from loadgen.run.messages.job import Job
from loadgen.run.messages.scenario import Scenario
from loadgen.run.process import assembly, interval_stats
from loadgen.run.process.assembly import assemble
from loadgen.run.process.engine import Engine
from loadgen.verdict.deciding import Decision, Evidence, decide
from loadgen.wire.interface import Answer
from tests.loadgen.run.process.cluster import START
from tests.loadgen.run.samples import NODES, Published
from tests.loadgen.verdict.faulty import LIES, THRESHOLDS, FaultyCluster, missed, targets

SECONDS = 3.0


class FaultyTargetTests(SynchronousTestCase):
    """150 users, for three seconds."""

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.patch(assembly, "raise_descriptor_limit", lambda wanted: None)
        self.latencies: list[float] = []
        ended = interval_stats.IntervalStats.ended

        def record(
            stats: Any, request: LogicalRequest, answer: Answer | None, reason: str, now: int = 0
        ) -> None:
            failed = bool(reason) or answer is None
            self.latencies.append(
                math.inf if failed or answer is None else (answer.done - request.planned) / 1e6
            )
            ended(stats, request, answer, reason, now)

        self.patch(interval_stats.IntervalStats, "ended", record)

    def run_on(self, cluster: FaultyCluster) -> ReportMerger:
        """What the coordinator knows of a run against *cluster*."""
        self.latencies.clear()
        tables: dict[str, Any] = {
            "v": 1, "title": "x", "users": 150, "duration_s": SECONDS, "timeout_s": 2.0, "stale_ms": 300,
            "arrivals": {"rate_per_s": 30.0, "present": 0.2}, "session": {"think": {"mean_s": 0.5}},
            "cache": {"warm": 0.5, "pages": 2},
        }  # fmt: skip
        scenario = msgspec.convert(tables, Scenario)
        job = Job(
            scenario=scenario, site=Published().site(), nodes=NODES, users=scenario.users, seed=1,
            rate_seconds=[0.0], rates=[scenario.arrivals.rate_per_s],
        )  # fmt: skip
        self.patch(assembly, "select", lambda *arguments: cluster)
        engine = Engine(assemble(job), SECONDS, lambda: cluster.now)
        merged = ReportMerger(1, NODES)
        for report in engine.run(START):
            merged.report(0, report)
        engine.close()
        return merged

    def decide(self, merged: ReportMerger, thresholds: tuple[str, ...]) -> Decision:
        planned = sum(second.planned for second in merged.series)
        return decide(
            Evidence(
                measures=merged.measures(), bounds=merged.bounds(), thresholds=thresholds,
                offered=min(1.0, merged.offered / planned), asked=merged.counts["requests"],
                lag=merged.histograms["lag"], timeout_ms=2000.0,
                wrong={
                    name.removeprefix(WRONG): count
                    for name, count in merged.counts.items()
                    if name.startswith(WRONG)
                },
            )
        )  # fmt: skip

    def check(self, name: str, cluster: FaultyCluster) -> list[str]:
        """The verdicts on a target by all sets of thresholds, each of them right."""
        merged = self.run_on(cluster)
        self.assertGreater(len(self.latencies), 200, name)
        self.assertEqual(cluster.lies > 0, cluster.fault in LIES, name)
        verdicts = []
        for thresholds in THRESHOLDS:
            is_bad = cluster.lies > 0 or cluster.fault == "stale" or missed(thresholds, self.latencies)
            found = self.decide(merged, thresholds)
            self.assertEqual(
                found.verdict, "threshold" if is_bad else "ok", (name, thresholds, found.reasons)
            )
            self.assertEqual(bool(found.reasons), is_bad)
            verdicts.append(found.verdict)
        return verdicts

    def test_no_verdict_is_wrong(self) -> None:
        passed = [
            name for name, target in targets().items() if self.check(name, FaultyCluster(*target))[0] == "ok"
        ]
        # Smart clients go elsewhere: half of the nodes may be away.
        for name in passed:
            self.assertTrue("half" in name or "one node" in name or "slow" in name, name)

    def test_what_answers_well_and_is_not_what_was_asked_for_is_not_passed(self) -> None:
        """A 304 for who has nothing, and a node with the site of somebody else, all ETags right."""
        for fault, nodes, what in (
            ("unasked 304", (0, 1, 2, 3), "a 304 that nobody asked for"),
            ("another site", (3,), "confirmations of versions that were superseded"),
        ):
            merged = self.run_on(FaultyCluster(fault, nodes, 0.5))
            for thresholds in THRESHOLDS:
                found = self.decide(merged, thresholds)
                self.assertEqual(found.verdict, "threshold", (fault, thresholds, found.reasons))
            self.assertIn(what, " ".join(found.reasons))

    def test_a_target_without_fault_passes_all(self) -> None:
        verdicts = self.check("none", FaultyCluster("none", (), 0.0))
        self.assertEqual(verdicts, ["ok"] * len(THRESHOLDS))
