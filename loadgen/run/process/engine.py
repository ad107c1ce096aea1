"""The engine of a worker process: the turns of its loop, and its report of each second.

A turn plans what is due within the next milliseconds and lets the wire send it when it is due; then it
makes of the answers what is to be made of them.  Whatever the process is late by shows in the lag.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator

from loadgen.models.users import BEGIN
from loadgen.run.client.clock import NS
from loadgen.run.messages.report import Report
from loadgen.run.process.assembly import WorkerComponents
from loadgen.run.process.interval_stats import IntervalStats

TURN_NS = 1_000_000
SECOND_NS = 1_000_000_000


class Engine:
    """The loop that has the users of one process act from the clock's start for *seconds*."""

    def __init__(
        self,
        components: WorkerComponents,
        seconds: float,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """*monotonic_ns*: the wire's clock."""
        self._components = components
        self._monotonic_ns = monotonic_ns
        self._seconds = seconds
        self._stopped = False
        self.kind = components.wire.kind
        self.bytes_per_user = components.bytes_per_user
        #: Nanoseconds of the wire's clock; to be set before it runs.
        self.start = 0

    def stop(self) -> None:
        """End now; what was done is reported."""
        self._stopped = True

    def run(self) -> Iterator[Report]:
        """A report for each second, the last one marked; blocks between them."""
        components, wire, sender = self._components, self._components.wire, self._components.sender
        components.clock.start = self.start
        end = self.start + int(self._seconds * 1e9)
        stats = IntervalStats(components.names, end)
        components.virtual_users.record = stats.ended
        gc.collect()
        gc.freeze()  # a collection of what a million users have would be a pause of its own
        next_second = self.start + SECOND_NS
        patience = end + components.timeout_ns + SECOND_NS
        while not self._stopped:
            now = components.clock.now = self._monotonic_ns()
            if now < end:
                components.arrivals.plan(BEGIN + (min(now + TURN_NS, end) - self.start) // NS)
            elif not sender.waiting() or now > patience:
                break
            components.virtual_users.keep_informed(now)
            sender.turn(now)
            for answer in wire.run(now + TURN_NS):
                stats.attempt(answer, sender.was_planned(answer.token))
                sender.answered(answer)
            while now >= next_second:
                next_second += SECOND_NS
                sender.p95 = stats.p95(sender.p95)
                yield self._report(stats)
        if not self._stopped:
            sender.give_up()
        yield self._report(stats, last=True)

    def close(self) -> None:
        """Close all connections."""
        self._components.wire.close()

    def _report(self, stats: IntervalStats, last: bool = False) -> Report:
        components = self._components
        report = stats.close(
            components.counts, components.virtual_users.active, components.wire.connections()
        )
        report.last = last
        return report
