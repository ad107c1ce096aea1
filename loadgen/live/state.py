"""The state of a running load test: totals until now, and the last seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec

from loadgen.charts.numbers import duration
from loadgen.results import Second

#: Seconds that the sparkline shows.
_HISTORY = 60


class Totals(msgspec.Struct, kw_only=True):
    """The totals of the run until now."""

    planned: int = 0
    sent: int = 0
    answered: int = 0
    statuses: dict[str, int] = {}
    errors: dict[str, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    nodes: dict[str, int] = {}
    #: Of the corrected latency, in the order of ``Second.latency_ms``.
    latency_ms: list[float] = []
    #: What smart clients did, as in ``Result.counts``.
    counts: dict[str, int] = {}
    lag_p99_ms: float = 0.0
    #: Cores that the generator uses.
    cores: float = 0.0
    #: Why the run is invalid already; empty while it is not.
    invalid: list[str] = []

    def count(self, second: Second) -> None:
        """Add *second*, as far as it can be added; latencies, lag and validity are the caller's to set."""
        self.planned += second.planned
        self.sent += second.sent
        self.answered += second.answered
        self.bytes_in += second.bytes_in
        self.bytes_out += second.bytes_out
        for mine, more in (
            (self.statuses, second.statuses),
            (self.errors, second.errors),
            (self.nodes, second.nodes),
        ):
            for name, count in more.items():
                mine[name] = mine.get(name, 0) + count


@dataclass
class State:
    """What a screen shows: the last second, the totals, a history for the sparkline, the last note."""

    title: str
    seconds: float
    users: int
    second: Second = field(default_factory=lambda: Second(at=0))
    totals: Totals = field(default_factory=Totals)
    #: Answers of the last seconds.
    rates: deque[int] = field(default_factory=lambda: deque(maxlen=_HISTORY))

    #: What was noted last, and when.
    note: str = ""

    def take(self, second: Second, totals: Totals) -> None:
        """Take *second* and *totals*, to be shown from now on."""
        self.second, self.totals = second, totals
        self.rates.append(second.answered)
        if second.notes:
            self.note = f"{duration(second.at)}  {second.notes[-1]}"
