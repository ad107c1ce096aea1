"""Every metric that ``/.edge/metrics`` renders, as a Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from docs._ext.markdown import code, prose, table
from edge.load.meters import Measurement, Shares
from edge.node.telemetry.metrics import CLUSTER, Snapshot, render
from edge.table.counters import COUNTERS

#: Heading: names begin with this; the first that fits.
_GROUPS = {
    "Cluster": "edge_gossip_",
    "Table": "edge_table_",
    "Node and workers": "edge",
    "The supervisor's process": "",
}


class Family(NamedTuple):
    """One metric."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def markdown() -> str:
    """A table for each group."""
    groups: dict[str, list[Family]] = {title: [] for title in ("Node and workers", *_GROUPS)}
    for family in families():
        title = next(title for title, start in _GROUPS.items() if family.name.startswith(start))
        groups[title].append(family)
    return "".join(f"## {title}\n\n{_table(found)}" for title, found in groups.items())


def families() -> Iterator[Family]:
    """What a node of a cluster renders when it has measured its load."""
    none = Shares(*[0.0] * len(Shares._fields))
    measured = Measurement(none, *[0] * (len(Measurement._fields) - 1))
    counted = dict.fromkeys(COUNTERS, 0)
    now = Snapshot("1", "n1", "c", {0: counted}, {0: 0}, {}, measured, 1.0, dict.fromkeys(CLUSTER, 0.0))
    for family in text_string_to_metric_families(render(now)[1].decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label: None for sample in family.samples for label in sample.labels}
        yield Family(name, family.type, tuple(labels), family.documentation)


def _table(found: list[Family]) -> str:
    rows = ((code(one.name), prose(one.help), one.kind, ", ".join(map(code, one.labels))) for one in found)
    return table(("metric", "meaning", "type", "labels"), rows)
