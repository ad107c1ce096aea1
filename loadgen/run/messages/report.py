"""The interval report: what one process did within a second, in figures that add up."""

from __future__ import annotations

import msgspec

from loadgen.results import Second


class Report(msgspec.Struct, kw_only=True):
    """One process and one second; all but the figures of its own add up."""

    second: Second
    counts: dict[str, int]
    #: Counters of histograms: corrected, failed, raw, lag, push, push_lag, handshake_full,
    #: handshake_resumed, node:N.
    histograms: dict[str, bytes]
    #: Requests sent in this second, by node.
    asked: list[int] = []
    node_errors: dict[int, int] = {}
    node_bytes: dict[int, tuple[int, int]] = {}
    #: Requests begun in time, of those planned: without retries and hedges.
    offered: int = 0
    #: Of this process since the run began; resident now.
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    last: bool = False
