"""A run as its parent sees it: processes that tell, die, or never begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import LoadgenError
from loadgen.models.arrivals import Rate
from loadgen.results import Result
from loadgen.run.coordinator import dealing
from loadgen.run.coordinator.coordinator import Coordinator
from loadgen.run.messages.protocol import Expect, Failed, Go, JobMessage, Ready, ReportMessage
from loadgen.run.messages.scenario import Event
from loadgen.run.process.interval_stats import IntervalStats
from tests.loadgen.run.answers import START, answer, ask
from tests.loadgen.run.coordinator.scripted_workers import ScriptedPool, Watching, dealt, scenario
from tests.loadgen.run.samples import NODES


def reports(count: int = 2) -> Iterator[ReportMessage]:
    """What a process tells that has 10 requests a second answered."""
    stats = IntervalStats([node.id for node in NODES])
    for number in range(count):
        for _ in range(10):
            one = answer()
            stats.attempt(one, START + 10**12)
            stats.ended(ask(), one, "")
        report = stats.close(Counter(requests=10, bodies=10), 1, 1)
        report.cpu_seconds = 0.5 * (number + 1)
        report.last = number == count - 1
        yield ReportMessage(report)


READY = ((0, Ready("native", 161.0)), (1, Ready("native", 160.0)))


class CoordinatorTests(SynchronousTestCase):
    """Two processes."""

    def setUp(self) -> None:
        self.patch(dealing, "raise_descriptor_limit", lambda connections=0: 1_000_000)

    def run_(self, pool: ScriptedPool, **given: Any) -> Coordinator:
        jobs = dealt(scenario(**given), len(pool), Rate((0.0,), (1.0,)))
        self.view = Watching()
        self.pool = pool
        self.coordinator = Coordinator(pool, jobs, self.view, lambda: pool.now)  # type: ignore[arg-type]
        self.coordinator.run()
        return self.coordinator

    def result(self) -> Result:
        return self.coordinator.result("http://localhost:8001", "scenarios/x.toml")

    def test_all_begin_together_and_their_figures_are_added(self) -> None:
        told = [
            (process, report)
            for pair in zip(reports(), reports(), strict=True)
            for process, report in enumerate(pair)
        ]
        self.run_(ScriptedPool(*READY, *told))
        for worker in self.pool.all:
            self.assertEqual([type(message) for message in worker.told], [JobMessage, Go])
        result = self.result()
        self.assertEqual((result.verdict, result.reasons), ("ok", []))
        self.assertEqual(
            ([second.answered for second in result.series], result.counts["requests"]), ([20, 20], 40)
        )
        self.assertEqual((result.generator.bytes_per_user, result.generator.cpu_seconds), (161.0, 2.0))
        self.assertEqual((result.generator.offered, result.generator.per_core), (1.0, 20.0))
        self.assertEqual((result.users, result.processes, result.policy), (10, 2, "smart"))
        self.assertEqual(set(result.histograms), {"corrected", "raw", "lag"})
        self.assertEqual([second.answered for second in self.view.seconds], [20, 20])

    def test_nobody_begins_before_all_are_ready(self) -> None:
        with self.assertRaises(LoadgenError):
            self.run_(ScriptedPool(READY[0], (1, None)))
        self.assertEqual([type(message) for message in self.pool.all[0].told], [JobMessage])

    def test_one_that_cannot_says_why(self) -> None:
        with self.assertRaisesRegex(LoadgenError, "process 1: there is not enough memory"):
            self.run_(ScriptedPool(READY[0], (1, Failed("there is not enough memory"))))

    def test_one_that_ends_before_the_run_is_quoted(self) -> None:
        with self.assertRaisesRegex(LoadgenError, "process 0 ended before the run began: Killed"):
            self.run_(ScriptedPool((0, None), words="Killed"))

    def test_one_that_dies_makes_it_an_error_and_leaves_what_was_measured(self) -> None:
        told = list(reports())
        self.run_(ScriptedPool(*READY, (0, told[0]), (1, told[0]), (1, None), (0, told[1]), words="Killed"))
        result = self.result()
        self.assertEqual((result.verdict, result.reasons[0]), ("error", "process 1 ended early: Killed"))
        self.assertEqual([second.answered for second in result.series], [20, 10])

    def test_one_of_another_version_costs_the_others_nothing(self) -> None:
        """It speaks of nodes and histograms that nobody knows; what else it says is not listened to."""
        for spoil in (
            {"histograms": {"node:9": b""}}, {"histograms": {"p99": b""}},
            {"histograms": {"raw": b"\xff" * 8}}, {"histograms": {"raw": b"123"}},
            {"node_errors": {4: 1}}, {"node_bytes": {-1: (1, 1)}},
        ):  # fmt: skip
            told, other = list(reports()), list(reports())
            wrong = ReportMessage(msgspec.structs.replace(other[0].report, **spoil))  # type: ignore[arg-type]
            said = [(0, told[0]), (1, wrong), (1, other[1]), (0, told[1])]
            self.run_(ScriptedPool(*READY, *said))
            result = self.result()
            why = "process 1: it says what cannot be understood; is it of another version?: "
            self.assertEqual((result.verdict, result.reasons[0][: len(why)]), ("error", why), spoil)
            self.assertEqual([second.answered for second in result.series], [10, 10])

    def test_one_that_fails_in_the_middle_costs_the_others_nothing(self) -> None:
        told = list(reports())
        self.run_(ScriptedPool(*READY, (0, told[0]), (1, Failed("no")), (1, None), (0, told[1])))
        result = self.result()
        self.assertEqual((result.verdict, result.reasons[0]), ("error", "process 1: no"))
        self.assertEqual([second.answered for second in result.series], [10, 10])

    def test_ctrl_c_stops_all_and_keeps_what_they_still_tell(self) -> None:
        told = list(reports())
        said = [(0, told[0]), (1, told[0]), (0, KeyboardInterrupt), (0, told[1]), (1, told[1])]
        self.run_(ScriptedPool(*READY, *said))
        self.assertTrue(all(worker.dismissed for worker in self.pool.all))
        result = self.result()
        self.assertEqual((result.verdict, result.seconds), ("interrupted", 2.0))
        self.assertEqual([second.answered for second in result.series], [20, 20])

    def test_thresholds_are_judged(self) -> None:
        told = [(process, report) for report in reports() for process in (0, 1)]
        self.run_(ScriptedPool(*READY, *told), thresholds=("p99 < 1ms", "errors == 0"))
        result = self.result()
        self.assertEqual(
            (result.verdict, [one.held for one in result.thresholds]), ("threshold", [False, True])
        )
        self.assertTrue(result.reasons[0].startswith("p99 < 1ms: it is 1"))

    def test_what_is_said_stands_at_the_next_second(self) -> None:
        told = [(process, report) for report in reports(3) for process in (0, 1)]
        self.run_(ScriptedPool(*READY, *told), events=(Event(at_s=0.2, say="a deploy"),))
        self.assertEqual([second.notes for second in self.view.seconds], [[], ["a deploy"], []])

    def test_before_a_command_everybody_is_told_that_something_comes(self) -> None:
        told = [(process, report) for report in reports(3) for process in (0, 1)]
        self.run_(ScriptedPool(*READY, *told), events=(Event(at_s=0.2, command=("true",)),))
        for worker in self.pool.all:
            self.assertEqual([type(message) for message in worker.told], [JobMessage, Go, Expect])
            expect = worker.told[2]
            assert isinstance(expect, Expect)
            self.assertGreater(expect.unix_ns, 1_600_000_000 * 10**9)
        self.assertEqual([second.notes for second in self.view.seconds], [[], ["started: true"], []])

    def test_nobody_is_told_of_a_command_that_is_not_due(self) -> None:
        told = [(process, report) for report in reports(3) for process in (0, 1)]
        self.run_(ScriptedPool(*READY, *told), events=(Event(at_s=9.0, command=("true",)),))
        for worker in self.pool.all:
            self.assertEqual([type(message) for message in worker.told], [JobMessage, Go])
