"""The registry of metrics: every family that a node of a cluster exposes, without a node.

Dashboard, alerts and the reference in ``docs/`` are made from it and held against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from edge.load.meters import Measurement, Shares
from edge.node.telemetry.metrics import CLUSTER, Snapshot, SpanFigures, render
from edge.table.counters import COUNTERS
from edge.table.site_counts import SiteAnswers


class Family(NamedTuple):
    """One metric: its name as series have it, its kind ("counter", "gauge", "info"), its labels, its help."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def families() -> Iterator[Family]:
    """What a node of a cluster renders that has measured its load, with all that may be configured."""
    none = Shares(*[0.0] * len(Shares._fields))
    measured = Measurement(none, *[0] * (len(Measurement._fields) - 1))
    counted = dict.fromkeys(COUNTERS, 0)
    process = {"state": "ready", "restarts": 0, "running": 0, "memory_bytes": 0, "cpu_seconds": 0}
    now = Snapshot(
        "1", "n1", "c", {0: counted}, {0: 0}, {}, measured, 1.0, dict.fromkeys(CLUSTER, 0.0),
        certificates={"cert.pem": (0.0, False)}, applications=({"name": "a", "processes": [process]},),
        spans=SpanFigures(0, 0, 0, 0, False), sites={"blog": SiteAnswers()},
    )  # fmt: skip
    for family in text_string_to_metric_families(render(now)[1].decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label: None for sample in family.samples for label in sample.labels}
        yield Family(name, family.type, tuple(labels), family.documentation)
