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
from loadgen.targets import Target, family_of, tls_name

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
            Target(
                (node.host, node.port), family_of(node.host), node.url.partition("://")[2], "/",
                tls_name(node.url),
            )
            for node in job.nodes
        ]  # fmt: skip
        self._seconds = scenario.duration_s
        self._node_ids = [node.id for node in job.nodes]
        self._timeout_ns = int(scenario.timeout_s * 1e9)
        timeouts = Timeouts(handshake_ns=self._timeout_ns)
        self._sockets = Subscribers(scenario.sockets.topics, timeouts, job.seed, job.wire, job.trust)
        self._sockets.open(job.subscribers, targets, scenario.sockets.per_second * job.share)
        self._stopped = False

    def stop(self) -> None:
        """End now; what was done is reported."""
        self._stopped = True

    def expect(self, unix_ns: int) -> None:
        """Something is published at that time: pushes of it count from then."""
        self._sockets.expect(unix_ns + self._monotonic_ns() - self._time_ns())

    def run(self, start: int) -> Iterator[Report]:
        """A report for each second from *start* on (the sockets' clock, ns), the last one marked.

        A socket that is being opened at the end is waited for, as long as for any answer.
        """
        end = start + int(self._seconds * 1e9)
        patience = end + self._timeout_ns + _SECOND_NS
        stats = IntervalStats(self._node_ids)
        counts: Counter[str] = Counter()
        told: Counter[str] = Counter()
        next_second = start + _SECOND_NS
        while not self._stopped:
            now = self._monotonic_ns()
            if now >= end:
                self._sockets.begin_no_more()
                if not self._sockets.opening() or now >= patience:
                    break
            pushes = self._sockets.run(min(now + _TURN_NS, next_second, end if now < end else patience))
            known = pushes.since > 0
            stats.pushed((pushes.received - pushes.since)[known].tolist(), pushes.late[known].tolist())
            stats.shaken(self._sockets.take_handshakes())
            counts["pushes"] += len(pushes.kind)
            if self._monotonic_ns() >= next_second:
                next_second += _SECOND_NS
                yield self._report(stats, counts, told)
        last = self._report(stats, counts, told)
        last.last = True
        yield last

    def _report(self, stats: IntervalStats, counts: Counter[str], told: Counter[str]) -> Report:
        totals = {f"socket {reason}": number for reason, number in self._sockets.errors.items()}
        totals |= {"socket_losses": self._sockets.losses, "socket_attempts": self._sockets.attempts}
        totals |= {"pushes_due": self._sockets.pushes_due, "pushes_missing": self._sockets.pushes_missing}
        totals["socket_errors"] = sum(self._sockets.errors.values()) - self._sockets.losses
        for name, number in totals.items():
            counts[name] += number - told[name]
            told[name] = number
        return stats.close(counts, 0, self._sockets.count())

    def close(self) -> None:
        """Close all sockets with a goodbye."""
        self._sockets.close()
