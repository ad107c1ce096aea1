"""The engine of a process that holds WebSockets: those of the users who have one, in whichever process.

Kept apart because a push wakes all of them at once, and page views are not to be late for that.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

from loadgen.run.messages.job import Job
from loadgen.run.messages.report import Report
from loadgen.run.process.interval_stats import IntervalStats
from loadgen.subscribers import Subscribers, Timeouts
from loadgen.targets import Target, family_of

_TURN_NS = 50_000_000
_SECOND_NS = 1_000_000_000


class SubscriberEngine:
    """The loop that holds the sockets of *job*, in the form of :class:`loadgen.run.process.engine.Engine`."""

    def __init__(
        self,
        job: Job,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """*monotonic_ns*: the sockets' clock; *time_ns*: the clock that all machines share."""
        self._monotonic_ns, self._time_ns = monotonic_ns, time_ns
        scenario = job.scenario
        targets = [
            Target((node.host, node.port), family_of(node.host), node.url.partition("://")[2], "/")
            for node in job.nodes
        ]
        self._seconds = scenario.duration_s
        self._node_ids = [node.id for node in job.nodes]
        self._sockets = Subscribers(scenario.sockets.topics, Timeouts(), job.seed)
        self._sockets.open(job.subscribers, targets, scenario.sockets.per_second * job.share)
        self._stopped = False

    def stop(self) -> None:
        """End now; what was done is reported."""
        self._stopped = True

    def expect(self, unix_ns: int) -> None:
        """Something is published at that time: pushes of it count from then."""
        self._sockets.expect(unix_ns + self._monotonic_ns() - self._time_ns())

    def run(self, start: int) -> Iterator[Report]:
        """A report for each second from *start* on (the sockets' clock, ns), the last one marked."""
        end = start + int(self._seconds * 1e9)
        stats = IntervalStats(self._node_ids)
        counts: Counter[str] = Counter()
        told: Counter[str] = Counter()
        next_second = start + _SECOND_NS
        while not self._stopped:
            now = self._monotonic_ns()
            if now >= end:
                break
            pushes = self._sockets.run(min(now + _TURN_NS, next_second, end))
            known = pushes.since > 0
            stats.pushed((pushes.received - pushes.since)[known].tolist())
            counts["pushes"] += len(pushes.kind)
            if self._monotonic_ns() >= next_second:
                next_second += _SECOND_NS
                yield self._report(stats, counts, told)
        last = self._report(stats, counts, told)
        last.last = True
        yield last

    def _report(self, stats: IntervalStats, counts: Counter[str], told: Counter[str]) -> Report:
        for reason, number in self._sockets.errors.items():
            counts[f"socket {reason}"] += number - told[reason]
            told[reason] = number
        return stats.close(counts, 0, self._sockets.count())

    def close(self) -> None:
        """Close all sockets with a goodbye."""
        self._sockets.close()
