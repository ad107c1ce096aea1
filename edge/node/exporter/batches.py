"""Batches of spans: out of the rings of all workers in turn, to a collector, one after the other.

What a collector does not take is lost and counted, and the next batch is tried.  That it does not is said
once, and that it does again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.traces.ring import SpanRing
    from edge.traces.span import Span

#: Spans that are sent at once: as OpenTelemetry's own processor has it (OTEL_BSP_MAX_EXPORT_BATCH_SIZE).
BATCH = 512


class Outcome(NamedTuple):
    """What became of a batch."""

    #: Spans that the collector has not taken.
    lost: int = 0
    #: Why; "": all were.
    why: str = ""


#: All were.
TAKEN = Outcome()


class Collector(Protocol):
    """Who takes spans."""

    def send(self, spans: Sequence[tuple[int, Span]], seconds: float) -> Outcome:
        """Send them, each after the number of its worker, within *seconds*."""


class Batches:
    """What is to be sent: the spans in *rings*, by number of the worker, to *collector*."""

    def __init__(self, rings: Sequence[SpanRing], collector: Collector, say: Callable[[str], None]) -> None:
        """*say*: tells the operator."""
        self._rings = rings
        self._collector = collector
        self._say = say
        self._lost = 0  # since it was said
        for ring in rings:
            ring.take_over()

    def send(self, seconds: float) -> bool:
        """Send one batch within *seconds*; whether there may be more to be sent at once."""
        counts, batch = self._take()
        if batch:
            self._told(counts, self._collector.send(batch, seconds))
        return len(batch) >= BATCH

    def _take(self) -> tuple[list[int], list[tuple[int, Span]]]:
        """How many of each ring, and these: of all rings alike."""
        counts = [0] * len(self._rings)
        batch: list[tuple[int, Span]] = []
        left = list(range(len(self._rings)))
        while left and len(batch) < BATCH:
            for number in left[:]:
                span = self._rings[number].read_span() if len(batch) < BATCH else None
                if span is None:
                    left.remove(number)
                else:
                    batch.append((number, span))
                    counts[number] += 1
        return counts, batch

    def _told(self, counts: list[int], outcome: Outcome) -> None:
        was_failing = any(ring.is_failing for ring in self._rings)
        lost = outcome.lost
        for ring, count in zip(self._rings, counts, strict=True):
            of_this = min(lost, count)  # which ones were refused, nobody says
            lost -= of_this
            ring.lose(of_this)
            ring.give(count - of_this)
            ring.is_failing = bool(outcome.why)
        self._lost += outcome.lost
        if outcome.why and not was_failing:
            self._say(f"the collector does not take spans: {outcome.why}; they are dropped until it does")
        elif was_failing and not outcome.why:
            self._say(f"the collector takes spans again; {self._lost} were lost meanwhile")
            self._lost = 0
