"""Every metric that ``/.edge/metrics`` renders, as a Prometheus reads it."""

from __future__ import annotations

from docs._ext.markdown import code, prose, table
from edge.node.telemetry.registry import Family, families

#: Heading: names begin with this; the first that fits.
_GROUPS = {
    "Cluster": "edge_gossip_",
    "Table": "edge_table_",
    "Node and workers": "edge",
    "The supervisor's process": "",
}


def markdown() -> str:
    """A table for each group."""
    groups: dict[str, list[Family]] = {title: [] for title in ("Node and workers", *_GROUPS)}
    for family in families():
        title = next(title for title, start in _GROUPS.items() if family.name.startswith(start))
        groups[title].append(family)
    return "".join(f"## {title}\n\n{_table(found)}" for title, found in groups.items())


def _table(found: list[Family]) -> str:
    rows = ((code(one.name), prose(one.help), one.kind, ", ".join(map(code, one.labels))) for one in found)
    return table(("metric", "meaning", "type", "labels"), rows)
