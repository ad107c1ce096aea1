"""One process of a run: the turns of its loop, and what it reports each second.

A turn plans what is due within the next milliseconds and lets the wire send it when it is due; then it
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

TURN_NS = 1_000_000
SECOND_NS = 1_000_000_000


class Engine:
    """Runs the users of one process from the clock's start for *seconds*."""

    def __init__(self, parts: Parts, seconds: float) -> None:
        self._parts = parts
        self._seconds = seconds
        self._stopped = False
        self.kind = parts.wire.kind
        self.bytes_per_user = parts.bytes_per_user
        #: Nanoseconds of the wire's clock; to be set before it runs.
        self.start = 0

    def stop(self) -> None:
        """End now; what was done is reported."""
        self._stopped = True

    def run(self) -> Iterator[Report]:
        """A report for each second, the last one marked; blocks between them."""
        parts, wire, sender = self._parts, self._parts.wire, self._parts.sender
        parts.clock.start = self.start
        end = self.start + int(self._seconds * 1e9)
        books = Books(parts.names, end)
        parts.viewing.record = books.ended
        gc.collect()
        gc.freeze()  # a collection of what a million users have would be a pause of its own
        next_second = self.start + SECOND_NS
        patience = end + parts.timeout_ns + SECOND_NS
        while not self._stopped:
            now = parts.clock.now = time.monotonic_ns()
            if now < end:
                parts.crowd.plan(BEGIN + (min(now + TURN_NS, end) - self.start) // NS)
            elif not sender.waiting() or now > patience:
                break
            parts.viewing.keep_informed(now)
            sender.turn(now)
            for answer in wire.run(now + TURN_NS):
                books.attempt(answer, sender.was_planned(answer.token))
                sender.answered(answer)
            while now >= next_second:
                next_second += SECOND_NS
                sender.p95 = books.p95(sender.p95)
                yield self._report(books)
        if not self._stopped:
            sender.give_up()
        yield self._report(books, last=True)

    def close(self) -> None:
        """Close all connections."""
        self._parts.wire.close()

    def _report(self, books: Books, last: bool = False) -> Report:
        parts = self._parts
        report = books.close(parts.counts, parts.viewing.active, parts.wire.connections())
        report.last = last
        return report
