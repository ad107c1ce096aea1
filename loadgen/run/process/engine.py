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

TURN_NS = 1_000_000
SECOND_NS = 1_000_000_000


class Engine:
    """The loop that has the users of one process act for *seconds*."""

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

    def stop(self) -> None:
        """End now; what was done is reported."""
        self._stopped = True

    def run(self, start: int) -> Iterator[Report]:
        """A report for each second from *start* (nanoseconds of the wire's clock) on, the last one marked.

        Blocks between them.
        """
        components, wire, sender = self._components, self._components.wire, self._components.sender
        stats = components.stats
        components.clock.begin(start)
        end = start + int(self._seconds * 1e9)
        gc.collect()
        gc.freeze()  # a collection of what a million users have would be a pause of its own
        next_second = start + SECOND_NS
        patience = end + components.timeout_ns + SECOND_NS
        woke = self._monotonic_ns()
        while not self._stopped:
            now = components.clock.now = self._monotonic_ns()
            if now < end:
                components.arrivals.plan(BEGIN + (min(now + TURN_NS, end) - start) // NS)
            elif not sender.waiting() or now > patience:
                break
            components.virtual_users.keep_informed(now)
            sender.turn(now)
            answers = wire.run(now + TURN_NS)
            # An answer that came while this process was not awake looks as if it had come when it woke.
            woke, slept = self._monotonic_ns(), woke
            late = max(0, woke - slept - TURN_NS)
            for answer in answers:
                stats.attempt(answer, end, sender.was_planned(answer.token), late)
                sender.answered(answer)
            stats.shaken(wire.handshakes())
            while now >= next_second:
                next_second += SECOND_NS
                sender.hedge_after(stats.p95(sender.p95))
                yield self._report()
        if not self._stopped:
            sender.give_up()
        yield self._report(last=True)

    def close(self) -> None:
        """Close all connections."""
        self._components.wire.close()

    def _report(self, last: bool = False) -> Report:
        components = self._components
        report = components.stats.close(
            components.counts, components.virtual_users.active, components.wire.connections(),
            components.sender.take_asked(),
        )  # fmt: skip
        report.last = last
        return report
