"""The engine of a process that replays a log: its requests at the log's own times, whatever is answered.

The loop is open: a request is due when the log has it, not when the one before was answered, and latency
counts from then (no coordinated omission).  Each client of the log has connections of its own, like a
browser.  A request has **failed** when there is no answer, or a worse one than the log has: 4xx or 5xx for
what it has as given, a redirection for what it has as given there.  An answer is **wrong** whose body is not
what its Content-Encoding says, and a 304: no request has a condition.
"""

from __future__ import annotations

import gc
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from edge.descriptors import raise_descriptor_limit
from loadgen.results import WRONG
from loadgen.run.client.content_checking import DAMAGED, UNASKED, ContentChecker
from loadgen.run.client.sender import LogicalRequest
from loadgen.run.messages.job import Job, Schedule
from loadgen.run.messages.report import Report
from loadgen.run.messages.schedule import ScheduledRequest, unpack
from loadgen.run.process.interval_stats import IntervalStats
from loadgen.targets import tls_name
from loadgen.wire import select
from loadgen.wire.interface import ERRORS, Answer, Limits

TURN_NS, SECOND_NS = 1_000_000, 1_000_000_000
#: The wire is told of requests so long before they are due.
_AHEAD_NS = 5 * TURN_NS
#: A user is within a session for so long after a request.
_ACTIVE_NS = 30 * SECOND_NS
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) loadgen-replay"


class ReplayEngine:
    """The loop that replays *job*'s part, in the form of :class:`loadgen.run.process.engine.Engine`."""

    def __init__(
        self, job: Job, schedule: Schedule, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """*monotonic_ns*: the wire's clock."""
        scenario = job.scenario
        self._monotonic_ns = monotonic_ns
        self._timeout_ns = int(scenario.timeout_s * 1e9)
        self._seconds = scenario.duration_s
        raise_descriptor_limit(min(3 * job.users, 1_000_000))
        limits = Limits(idle_ns=int(scenario.keep_alive_s * 1e9), timeout_ns=self._timeout_ns)
        names = [tls_name(node.url) for node in job.nodes]
        self._wire = select(job.wire, job.users, limits, job.trust, any(names))
        self._nodes = [
            self._wire.node(node.host, node.port, name) for node, name in zip(job.nodes, names, strict=True)
        ]
        self._heads = [_head(urlsplit(node.url).netloc) for node in job.nodes]
        self._names = [node.id for node in job.nodes]
        self._file = Path(schedule.path).open("rb")  # noqa: SIM115  closed in close()
        self._requests = unpack(self._file, schedule.part, schedule.parts)
        self._next = next(self._requests, None)
        self._waiting: dict[int, tuple[LogicalRequest, int]] = {}
        self._token = 0
        self._counts: Counter[str] = Counter()
        self._active: dict[int, int] = {}
        self._contents = ContentChecker()
        self._stopped = False
        self.kind = self._wire.kind
        self.bytes_per_user = 0.0

    def stop(self) -> None:
        """End now; what was done is reported."""
        self._stopped = True

    def run(self, start: int) -> Iterator[Report]:
        """A report for each second from *start* on (the wire's clock, ns), the last one marked."""
        stats = IntervalStats(self._names)
        end = start + int(self._seconds * 1e9)
        patience = end + self._timeout_ns + SECOND_NS
        next_second = start + SECOND_NS
        gc.collect()
        gc.freeze()
        woke = self._monotonic_ns()
        while not self._stopped:
            now = self._monotonic_ns()
            self._send(start, now)
            if now >= end and not self._next and (not self._waiting or now > patience):
                break
            answers = self._wire.run(now + TURN_NS)
            woke, slept = self._monotonic_ns(), woke
            for answer in answers:
                stats.attempt(answer, end, late=max(0, woke - slept - TURN_NS))
                self._answered(answer, stats)
            stats.shaken(self._wire.handshakes())
            while now >= next_second:
                next_second += SECOND_NS
                yield self._report(stats, now)
        if not self._stopped:
            self._give_up(stats)
        last = self._report(stats, self._monotonic_ns())
        last.last = True
        yield last

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()
        self._file.close()

    def _send(self, start: int, now: int) -> None:
        """Give the wire what is due soon."""
        while self._next is not None and (due := start + self._next.due_us * 1000) <= now + _AHEAD_NS:
            one, self._next = self._next, next(self._requests, None)
            node = one.user % len(self._nodes)
            self._token += 1
            request = LogicalRequest(one.user, 0, due, one.target, "fetch", _nobody)
            self._waiting[self._token] = request, one.status
            self._counts["requests"] += 1
            self._active[one.user] = due
            self._wire.send(self._token, one.user, self._nodes[node], due, self._message(one, node))

    def _message(self, one: ScheduledRequest, node: int) -> bytes:
        return b"%b %b HTTP/1.1\r\n%b" % (b"HEAD" if one.is_head else b"GET", one.target, self._heads[node])

    def _answered(self, answer: Answer, stats: IntervalStats) -> None:
        request, logged = self._waiting.pop(answer.token)
        reason = ERRORS[answer.error] if answer.error else _difference(answer.status, logged)
        if not reason and (what := self._problem(answer)):
            self._counts["wrong_answers"] += 1
            self._counts[f"{WRONG}{what}"] += 1
        self._counts["failed"] += bool(reason)
        self._counts["bodies"] += not reason
        stats.ended(request, answer, reason)

    def _problem(self, answer: Answer) -> str:
        """What is wrong with an answer, whatever the log has; "": nothing."""
        if answer.status == 304:
            return UNASKED
        body = self._wire.bodies[answer.body_at : answer.body_at + answer.body_length]
        key = answer.body_length, zlib.crc32(body)
        return DAMAGED if self._contents.form(key, answer.coding, body) is None else ""

    def _give_up(self, stats: IntervalStats) -> None:
        """End what has no answer: the run is over."""
        for request, _ in self._waiting.values():
            self._counts["failed"] += 1
            stats.ended(request, None, "no answer when the run ended", self._monotonic_ns())
        self._waiting.clear()

    def _report(self, stats: IntervalStats, now: int) -> Report:
        self._active = {user: at for user, at in self._active.items() if at > now - _ACTIVE_NS}
        return stats.close(self._counts, len(self._active), self._wire.connections())


def _nobody(request: LogicalRequest, answer: Answer | None) -> None:
    """The engine takes answers by their tokens."""


def _difference(status: int, logged: int) -> str:
    """Why an answer is worse than that of the log; "": it is not."""
    was_given = logged < 300 or logged == 304
    is_worse = was_given if status < 400 else logged < 400 or (status >= 500 and logged < 500)
    if status < 300 or status == 304 or not is_worse:
        return ""
    return f"{status}, the log has {'304' if logged == 304 else f'{logged // 100}xx'}"


def _head(host: str) -> bytes:
    lines = (
        f"Host: {host}",
        f"User-Agent: {_AGENT}",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate, br, zstd",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "Connection: keep-alive", "")).encode("ascii")
