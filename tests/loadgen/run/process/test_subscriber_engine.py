"""A process that holds sockets: what it reports each second, its clock the test's."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.histogram import Histogram
from loadgen.run.messages.job import Job
from loadgen.run.messages.report import Report
from loadgen.run.messages.scenario import Scenario, Sockets
from loadgen.run.process import subscriber_engine
from loadgen.run.process.subscriber_engine import SubscriberEngine
from loadgen.trust import Trust
from loadgen.wire.interface import Handshake
from tests.loadgen.run.coordinator.test_scenario_file import LEAST
from tests.loadgen.run.samples import NODES, Published

START = 5_000_000_000_000
MS = 1_000_000
#: Of the clock that all machines share.
UNIX = 1_700_000_000 * 10**9


class Pushed:
    """Stands where :class:`loadgen.subscribers.Subscribers` does; time passes in it."""

    def __init__(self, topics: Sequence[str], limits: Any, seed: int, wire: str, trust: Trust) -> None:
        self.topics, self.limits, self.seed, self.tls = topics, limits, seed, (wire, trust)
        self.now = START
        self.opened: list[Any] = []
        self.expected: list[int] = []
        self.errors: dict[str, int] = {}
        self.attempts = self.losses = self.pushes_due = self.pushes_missing = 0
        self.closed = self.ending = False
        #: Until when sockets are being made; milliseconds after the beginning.
        self.opening_until = 0
        self.handshakes: list[Handshake] = []
        #: Milliseconds after the beginning, and how late; None: nobody knows since when it could be there.
        self.pushes: list[tuple[int, int | None]] = []

    def open(self, count: int, targets: Sequence[Any], per_second: float) -> None:
        self.opened = [count, [target.address for target in targets], per_second]
        self.names = [target.name for target in targets]

    def begin_no_more(self) -> None:
        self.ending = True

    def opening(self) -> int:
        return int(self.now < START + self.opening_until * MS)

    def take_handshakes(self) -> list[Handshake]:
        taken, self.handshakes = self.handshakes, []
        return taken

    def run(self, until: int) -> Any:
        came = [one for one in self.pushes if START + one[0] * MS < until]
        self.pushes = self.pushes[len(came) :]
        received = np.array([START + at * MS for at, _ in came], dtype=np.int64)
        since = [0 if late is None else START + (at - late) * MS for at, late in came]
        self.now = max(self.now, until)
        return SimpleNamespace(
            kind=[1] * len(came), received=received, since=np.array(since, dtype=np.int64),
            late=np.full(len(came), 3 * MS),
        )  # fmt: skip

    def expect(self, ns: int) -> None:
        self.expected.append(ns)

    def count(self) -> int:
        return 100

    def close(self) -> None:
        self.closed = True


class SubscriberEngineTests(SynchronousTestCase):
    """Three seconds."""

    def setUp(self) -> None:
        self.patch(subscriber_engine, "Subscribers", self.subscribers)
        sockets = Sockets(share=0.5, topics=("load",), per_second=500.0)
        scenario = msgspec.structs.replace(msgspec.convert(LEAST, Scenario), duration_s=3.0, sockets=sockets)
        nodes = [NODES[0], msgspec.structs.replace(NODES[1], url="https://two.example:8"), *NODES[2:]]
        job = Job(
            scenario=scenario, site=Published().site(), nodes=nodes, subscribers=100, share=0.25, seed=9,
            wire="python", trust=Trust("PEM"),
        )  # fmt: skip
        self.process = SubscriberEngine(
            job, lambda: self.sockets.now, lambda: UNIX + self.sockets.now - START
        )

    def subscribers(self, *given: Any) -> Pushed:
        """The only ones."""
        self.sockets = Pushed(*given)
        return self.sockets

    def latencies(self, report: Report) -> list[int]:
        """Least and greatest, milliseconds."""
        histogram = Histogram()
        histogram.add_counted(report.histograms["push"])
        return [histogram.percentile(percent) // 1000 for percent in (0, 100)]

    def test_its_share_of_the_sockets_is_opened_to_all_nodes_at_its_share_of_the_rate(self) -> None:
        self.assertEqual(self.sockets.opened, [100, [(node.host, node.port) for node in NODES], 125.0])
        self.assertEqual((self.sockets.topics, self.sockets.seed), (("load",), 9))

    def test_those_of_https_are_over_tls_and_wait_as_long_as_any_request(self) -> None:
        self.assertEqual(self.sockets.names, ["", "two.example", "", ""])
        self.assertEqual(self.sockets.tls, ("python", Trust("PEM")))
        self.assertEqual(self.sockets.limits.handshake_ns, 10_000 * MS)
        self.sockets.handshakes = [Handshake(1, 0, 5 * MS), Handshake(1, 1, 2 * MS)]
        first = next(iter(self.process.run(START)))
        self.assertEqual((first.counts["handshakes_full"], first.counts["handshakes_resumed"]), (1, 1))

    def test_what_is_being_opened_at_the_end_is_waited_for(self) -> None:
        self.sockets.opening_until = 5500
        reports = list(self.process.run(START))
        self.assertTrue(self.sockets.ending)
        self.assertEqual((len(reports), reports[-1].last), (6, True))
        self.sockets.opening_until = 1 << 40
        self.sockets.now = START
        self.assertEqual(len(list(self.process.run(START))), 15)  # to its patience, and no longer

    def test_how_long_pushes_lay_unread_is_told(self) -> None:
        self.sockets.pushes = [(100, 5), (200, None)]
        first = next(iter(self.process.run(START)))
        lag = Histogram()
        lag.add_counted(first.histograms["push_lag"])
        self.assertEqual((lag.count, lag.highest // 1000), (1, 3))

    def test_attempts_are_counted_and_those_that_failed(self) -> None:
        running = self.process.run(START)
        self.sockets.attempts, self.sockets.errors = 10, {"refused": 3}
        told = [next(running).counts]
        self.sockets.attempts, self.sockets.errors = 14, {"refused": 4, "closed early": 2}
        self.sockets.losses = 2
        told += [report.counts for report in running]
        self.assertEqual([one.get("socket_attempts", 0) for one in told], [10, 4, 0, 0])
        self.assertEqual([one.get("socket_errors", 0) for one in told], [3, 1, 0, 0])
        self.assertEqual([one.get("socket_losses", 0) for one in told], [0, 2, 0, 0])

    def test_pushes_that_were_owed_are_counted(self) -> None:
        running = self.process.run(START)
        next(running)
        self.sockets.pushes_due, self.sockets.pushes_missing = 50, 20
        told = [report.counts for report in running]
        self.assertEqual([one.get("pushes_due", 0) for one in told], [50, 0, 0])
        self.assertEqual([one.get("pushes_missing", 0) for one in told], [20, 0, 0])

    def test_each_second_has_its_pushes_and_how_late_they_were(self) -> None:
        self.sockets.pushes = [(100, 5), (900, 30), (1500, 7)]
        reports = list(self.process.run(START))
        self.assertEqual([report.last for report in reports], [False, False, False, True])
        self.assertEqual([report.second.pushes for report in reports], [2, 1, 0, 0])
        self.assertEqual([self.latencies(report) for report in reports[:2]], [[5, 30], [7, 7]])
        self.assertEqual([report.counts.get("pushes", 0) for report in reports], [2, 1, 0, 0])
        self.assertEqual({report.second.connections for report in reports}, {100})

    def test_a_push_that_nobody_expected_counts_but_was_not_late(self) -> None:
        self.sockets.pushes = [(100, None), (200, 4)]
        first = next(iter(self.process.run(START)))
        self.assertEqual((first.counts["pushes"], first.second.pushes), (2, 1))

    def test_errors_of_sockets_are_told_as_they_become_more(self) -> None:
        running = self.process.run(START)
        self.sockets.errors = {"refused": 3}
        told = [next(running).counts]
        self.sockets.errors = {"refused": 5, "closed": 1}
        told += [report.counts for report in running]
        self.assertEqual([one.get("socket refused", 0) for one in told], [3, 2, 0, 0])
        self.assertEqual([one.get("socket closed", 0) for one in told], [0, 1, 0, 0])

    def test_what_is_expected_comes_in_the_clock_that_all_share(self) -> None:
        self.process.expect(UNIX + 250 * MS)
        self.assertEqual(self.sockets.expected, [START + 250 * MS])

    def test_stopping_reports_what_was_done_and_says_goodbye(self) -> None:
        self.sockets.pushes = [(100, 5)]
        running = self.process.run(START)
        next(running)
        self.process.stop()
        (last,) = running
        self.assertTrue(last.last)
        self.process.close()
        self.assertTrue(self.sockets.closed)
