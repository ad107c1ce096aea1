"""One process of a run: the turns of its loop, and what it reports each second.

A turn plans what is due within the next two milliseconds and lets the wire send it when it is due; then it
makes of the answers what is to be made of them.  Whatever the process is late by shows in the lag.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loadgen.models.users import BEGIN
from loadgen.run.books import Books, Report
from loadgen.run.clock import NS

if TYPE_CHECKING:
    from loadgen.run.assembly import Parts

TURN_NS = 2_000_000
SECOND_NS = 1_000_000_000


class Engine:
    """Runs the users of one process from the clock's start for *seconds*."""

    def __init__(self, parts: Parts, seconds: float) -> None:
        self._parts = parts
        self._end = parts.clock.start + int(seconds * 1e9)
        self._books = Books(parts.names, self._end)
        parts.viewing.record = self._books.ended
        self._stopped = False

    def stop(self) -> None:
        """End now; what was done is reported."""
        self._stopped = True

    def run(self) -> Iterator[Report]:
        """A report for each second, the last one marked; blocks between them."""
        parts, wire, sender, books = self._parts, self._parts.wire, self._parts.sender, self._books
        gc.collect()
        gc.freeze()  # a collection of what a million users have would be a pause of its own
        next_second = parts.clock.start + SECOND_NS
        patience = self._end + parts.timeout_ns + SECOND_NS
        while not self._stopped:
            now = parts.clock.now = time.monotonic_ns()
            if now < self._end:
                parts.crowd.plan(BEGIN + (min(now + TURN_NS, self._end) - parts.clock.start) // NS)
            elif not sender.waiting() or now > patience:
                break
            sender.turn(now)
            for answer in wire.run(now + TURN_NS):
                books.attempt(answer)
                sender.answered(answer)
            while now >= next_second:
                next_second += SECOND_NS
                sender.p95 = books.p95(sender.p95)
                yield self._report()
        yield self._report(last=True)

    def _report(self, last: bool = False) -> Report:
        parts = self._parts
        report = self._books.close(parts.counts, parts.viewing.active, parts.wire.connections())
        report.last = last
        return report
