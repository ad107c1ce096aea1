"""The seconds of runs as CSV (RFC 4180): one line of headings, then a line for each second of each run."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from operator import attrgetter

from loadgen.report.runs import Run
from loadgen.report.timeline import names_in
from loadgen.results import Second

_PLAIN = (
    "at",
    "planned",
    "sent",
    "answered",
    "bytes_in",
    "bytes_out",
    "pushes",
    "push_ms",
    "active",
    "connections",
)
_LATENCIES = ("p50_ms", "p90_ms", "p99_ms", "p99.9_ms", "max_ms", "p95_ms")
#: Columns named by what they count: prefix, field of a second.
_COUNTED = (("status", "statuses"), ("error", "errors"), ("node", "nodes"))


def columns(runs: Sequence[Run]) -> str:
    """The CSV.  Columns: run, plain figures, latencies, ``status_304`` ..., ``error_...``, ``node_...``."""
    series = [second for run in runs for second in run.result.series]
    counted = [
        (prefix, field, name) for prefix, field in _COUNTED for name in names_in(series, attrgetter(field))
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        ["run", *_PLAIN, "notes", *_LATENCIES, *(f"{prefix}_{name}" for prefix, _, name in counted)]
    )
    for run in runs:
        for second in run.result.series:
            writer.writerow(
                [
                    run.name,
                    *(getattr(second, name) for name in _PLAIN),
                    "; ".join(second.notes),
                    *_latencies(second),
                    *(getattr(second, field).get(name, 0) for _, field, name in counted),
                ]
            )
    return text.getvalue()


def _latencies(second: Second) -> list[object]:
    """The latencies of *second*; empty where nothing was answered."""
    return [*second.latency_ms, *[""] * len(_LATENCIES)][: len(_LATENCIES)]
