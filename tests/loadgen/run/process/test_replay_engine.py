"""A replay in memory: the log's own times, whatever is answered, and when."""

from __future__ import annotations

import gc
import gzip
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.messages.job import Job, NodeAddress, Schedule
from loadgen.run.messages.report import Report
from loadgen.run.messages.scenario import Scenario
from loadgen.run.messages.schedule import ScheduledRequest, pack, unpack
from loadgen.run.messages.sitemap import SiteMap
from loadgen.run.process import replay_engine
from loadgen.run.process.replay_engine import ReplayEngine
from loadgen.wire.interface import CLOSED, CODINGS, Answer, Handshake

MS = 1_000_000
START = 1_000 * MS


class SlowWire:
    """A server that answers *latency* after a request was sent, with the statuses of a test."""

    kind = "memory"

    def __init__(
        self, latency: int, statuses: dict[bytes, int], errors: dict[bytes, int], bodies: dict[bytes, bytes]
    ) -> None:
        """*bodies*: gzip; the others are empty."""
        self.now = START - 5 * MS
        self._bodies = bodies
        self.bodies = memoryview(b"".join(bodies.values()))
        self.latency, self.statuses, self.errors = latency, statuses, errors
        self.sent: list[tuple[int, int, int, bytes]] = []
        self._open: list[Answer] = []
        self._free = 0

    def node(self, host: str, port: int, name: str) -> int:
        return 0

    def send(self, token: int, user: int, node: int, due: int, request: bytes) -> None:
        """Answers come one after the other: a server that is busy makes all others wait."""
        line = request.partition(b"\r\n")[0]
        target = line.split(b" ")[1]
        self.sent.append((due, user, node, line))
        self._free = max(self._free, due) + self.latency
        error = self.errors.get(target, 0)
        self._open.append(Answer(
            token, node, 0 if error else self.statuses.get(target, 200), error, due, due, due, self._free,
            self._free, len(request), 100, b"", -1, *self._body(target),
        ))  # fmt: skip

    def _body(self, target: bytes) -> tuple[int, int, int, int, int]:
        """Of an answer: where its body is, how long, age, whether its tag is weak, coding."""
        at = 0
        for name, body in self._bodies.items():
            if name == target:
                return at, len(body), 0, 0, CODINGS.index("gzip")
            at += len(body)
        return 0, 0, 0, 0, 0

    def run(self, until: int) -> list[Answer]:
        self.now = until
        ready = [one for one in self._open if one.done <= until]
        self._open = [one for one in self._open if one.done > until]
        return ready

    def connections(self) -> int:
        return 1

    def handshakes(self) -> list[Handshake]:
        return []

    def close(self) -> None:
        pass


class ReplayTests(SynchronousTestCase):
    """One process."""

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.patch(replay_engine, "raise_descriptor_limit", lambda wanted: None)

    def replay(
        self, requests: list[ScheduledRequest], latency: int = MS, statuses: Any = None, errors: Any = None,
        seconds: float = 3.0, bodies: dict[bytes, bytes] | None = None,
    ) -> list[Report]:  # fmt: skip
        path = Path(self.mktemp())
        path.write_bytes(b"".join(map(pack, requests)))
        self.wire = wire = SlowWire(latency, statuses or {}, errors or {}, bodies or {})
        self.patch(replay_engine, "select", lambda *arguments: wire)
        nodes = [NodeAddress("n", "http://h.example", "127.0.0.1", 80)]
        scenario = Scenario(v=1, title="t", users=4, duration_s=seconds, timeout_s=1)
        schedule = Schedule(str(path), 0, 1)
        job = Job(scenario=scenario, site=SiteMap([], []), nodes=nodes, users=4, seed=1, schedule=schedule)
        engine = ReplayEngine(job, schedule, lambda: wire.now)
        reports = list(engine.run(START))
        engine.close()
        self.assertTrue(reports[-1].last)
        return reports

    def test_a_server_that_is_slow_is_asked_at_the_same_times(self) -> None:
        requests = [ScheduledRequest(at * 10_000, at % 4, 200, False, b"/%d" % at) for at in range(200)]
        plans = []
        for latency in (MS, 15 * MS):
            self.replay(requests, latency)
            plans.append(self.wire.sent)
        self.assertEqual(plans[0], plans[1])
        self.assertEqual([due for due, *_ in plans[0]], [START + at * 10 * MS for at in range(200)])

    def test_latency_counts_from_the_logs_time_of_all_that_waited(self) -> None:
        requests = [ScheduledRequest(at * 10_000, 0, 200, False, b"/") for at in range(100)]
        reports = self.replay(requests, 20 * MS)
        answered = sum(report.second.answered for report in reports)
        self.assertEqual(answered, 100)
        # Each takes twice as long as there is: the last one, planned at 990 ms, has its answer at 2 s.
        self.assertTrue(any("corrected" in report.histograms for report in reports))
        self.assertGreater(self.wire.now, START + 2_000 * MS)

    def test_an_answer_that_is_worse_than_the_logs_has_failed(self) -> None:
        statuses = {
            b"/gone": 404, b"/was-gone": 404, b"/broken": 500, b"/was-broken": 500, b"/moved": 301,
            b"/login": 302, b"/had-moved": 301, b"/had-gone": 301,
        }  # fmt: skip
        logged = {
            b"/gone": 200, b"/was-gone": 404, b"/broken": 404, b"/was-broken": 503, b"/moved": 200,
            b"/login": 304, b"/had-moved": 308, b"/had-gone": 410, b"/came": 302,
        }  # fmt: skip
        requests = [
            ScheduledRequest(at * 1000, 0, then, at == 0, target)
            for at, (target, then) in enumerate([*logged.items(), (b"/reset", 200), (b"/well", 200)])
        ]
        reports = self.replay(requests, statuses=statuses, errors={b"/reset": CLOSED})
        errors = {name: count for report in reports for name, count in report.second.errors.items()}
        self.assertEqual(
            errors,
            {
                "404, the log has 2xx": 1, "500, the log has 4xx": 1, "closed early": 1,
                "301, the log has 2xx": 1, "302, the log has 304": 1,
            },
        )  # fmt: skip
        self.assertEqual(sum(report.counts.get("failed", 0) for report in reports), 5)
        self.assertTrue(self.wire.sent[0][3].startswith(b"HEAD /gone HTTP/1.1"))

    def test_what_no_server_may_give_is_wrong_whatever_the_log_has(self) -> None:
        bodies = {b"/cut": gzip.compress(b"text")[:-4], b"/whole": gzip.compress(b"text")}
        requests = [
            ScheduledRequest(at * 1000, 0, then, False, target)
            for at, (target, then) in enumerate([(b"/kept", 304), (b"/cut", 200), (b"/whole", 200)])
        ]
        reports = self.replay(requests, statuses={b"/kept": 304}, bodies=bodies)
        counts: Counter[str] = Counter()
        for report in reports:
            counts.update(report.counts)
        self.assertEqual(
            {name: count for name, count in counts.items() if "wrong" in name},
            {
                "wrong_answers": 2, "wrong: a 304 that nobody asked for": 1,
                "wrong: a body that is not what its Content-Encoding says": 1,
            },
        )  # fmt: skip

    def test_what_has_no_answer_at_the_end_has_failed(self) -> None:
        reports = self.replay([ScheduledRequest(0, 0, 200, False, b"/")], 60_000 * MS, seconds=1.0)
        self.assertEqual(reports[-1].second.errors, {"no answer when the run ended": 1})


class ScheduleTests(SynchronousTestCase):
    """The file."""

    @given(
        st.lists(
            st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 20), st.booleans(), st.binary(max_size=50))
        )
    )
    @settings(max_examples=50, deadline=None)
    def test_parts_have_every_request_once_in_order(self, some: list[tuple[int, int, bool, bytes]]) -> None:
        requests = [ScheduledRequest(at, user, 200, head, b"/" + text) for at, user, head, text in some]
        path = Path(self.mktemp())
        path.write_bytes(b"".join(map(pack, requests)))
        found = []
        for part in range(3):
            with path.open("rb") as file:
                found.append([one._replace(user=one.user * 3 + part) for one in unpack(file, part, 3)])
        for part, own in enumerate(found):
            self.assertEqual(own, [one for one in requests if one.user % 3 == part])
