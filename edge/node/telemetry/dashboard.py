"""The dashboard for Grafana: what matters on one screen, and below it a graph of every metric there is.

The rows at the top are chosen (:data:`CHOSEN`); those below, folded away, are made from the registry of
metrics, so that no new one is missing.  The document is Grafana's JSON model, schema version 39.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from edge.node.telemetry.registry import Family, families

#: Columns of Grafana's grid; a panel is half of them wide, and so many rows high.
_COLUMNS, _HEIGHT = 24, 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_OF = '{job="$job", instance=~"$instance"}'


class Chosen(NamedTuple):
    """A graph: title, Grafana's unit, and expressions with what names each of their lines."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]


def _sum(metric: str, by: str = "instance") -> str:
    return f"sum by ({by}) (rate({metric}{_OF}[$__rate_interval]))"


CHOSEN = (
    Chosen("Requests", "reqps", ((_sum("edge_requests_total", "instance, path"), "{{instance}} {{path}}"),)),
    Chosen(
        "Utilization, the worst of all shares", "percentunit",
        ((f"edge_utilization{_OF}", "{{instance}}"),),
    ),
    Chosen(
        "Answers of the fast path, by kind", "reqps",
        ((_sum("edge_fast_responses_total", "kind"), "{{kind}}"),),
    ),
    Chosen(
        "Answers beside the fast path, by class of status", "reqps",
        ((_sum("edge_twisted_responses_total", "status"), "{{status}}"),),
    ),
    Chosen("What the nodes have, used share", "percentunit", ((f"edge_share{_OF}", "{{instance}} {{of}}"),)),
    Chosen(
        "Sent and received", "Bps",
        ((_sum("edge_sent_bytes_total"), "{{instance}} sent"),
         (_sum("edge_received_bytes_total"), "{{instance}} received")),
    ),
    Chosen(
        "Connections, of which WebSockets", "short",
        ((f"sum by (instance) (edge_connections{_OF})", "{{instance}}"),
         (f"sum by (instance) (edge_websockets{_OF})", "{{instance}} WebSockets")),
    ),
    Chosen(
        "Requests to applications, by what the shared cache made of them", "reqps",
        ((_sum("edge_shared_answers_total", "result"), "{{result}}"),),
    ),
    Chosen("Requests by site", "reqps", ((_sum("edge_site_requests_total", "site"), "{{site}}"),)),
    Chosen("Bodies sent by site", "Bps", ((_sum("edge_site_sent_bytes_total", "site"), "{{site}}"),)),
    Chosen(
        "From a publish to this node", "s",
        ((f"edge_gossip_lag_p50_seconds{_OF}", "{{instance}} p50"),
         (f"edge_gossip_lag_p99_seconds{_OF}", "{{instance}} p99")),
    ),
    Chosen(
        "Other members, as each node sees them", "short",
        tuple((f"edge_gossip_members_{state}{_OF}", f"{{{{instance}}}} {state}")
              for state in ("alive", "suspect", "dead")),
    ),
    Chosen("Handshakes of TLS", "ops", ((_sum("edge_tls_handshakes_total", "result"), "{{result}}"),)),
    Chosen(
        "Connections refused, by the limit", "ops",
        ((_sum("edge_connections_refused_total", "instance, limit"), "{{instance}} {{limit}}"),),
    ),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard; nodes are chosen by variables: the source, the job, the instances."""
    panels = [_panel(one, place) for place, one in enumerate(CHOSEN)]
    row_at = (len(CHOSEN) + 1) // 2 * _HEIGHT
    for at, (title, found) in enumerate(_groups(families()), row_at):
        inner = [_panel(_graph(one), place, at + 1) for place, one in enumerate(found)]
        where = {"h": 1, "w": _COLUMNS, "x": 0, "y": at}
        panels.append({"type": "row", "title": title, "collapsed": True, "gridPos": where, "panels": inner})
    for number, panel in enumerate(_all(panels), 1):
        panel["id"] = number
    return {
        "uid": "twistd-edge",
        "title": "twistd edge",
        "tags": ["edge"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "label": "source", "type": "datasource", "query": "prometheus"},
            _variable("job", "label_values(edge_info, job)", False),
            _variable("instance", 'label_values(edge_info{job="$job"}, instance)', True),
        ]},
        "panels": panels,
    }  # fmt: skip


def expressions(found: dict[str, Any]) -> list[str]:
    """Every expression of the dashboard *found*."""
    return [target["expr"] for panel in _all(found["panels"]) for target in panel.get("targets", ())]


def _all(panels: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from panel.get("panels", ())


def _groups(found: Iterable[Family]) -> list[tuple[str, list[Family]]]:
    """By the second word of their names: of the node, the cluster, the table, TLS, its applications."""
    titles = {
        "edge_gossip": "The cluster", "edge_table": "The table", "edge_tls": "TLS",
        "edge_application": "Applications", "edge": "The node and its workers",
        "": "The supervisor's process",
    }  # fmt: skip
    groups: dict[str, list[Family]] = {title: [] for title in titles.values()}
    for family in found:
        if family.kind != "info" and not family.name.endswith("_info"):
            begin = next(begin for begin in titles if family.name.startswith(begin))
            groups[titles[begin]].append(family)
    return [(f"All metrics: {title}", members) for title, members in groups.items() if members]


def _graph(family: Family) -> Chosen:
    labels = [label for label in family.labels if label not in ("worker", "le")]
    by = ", ".join(("instance", *labels))
    is_counter = family.kind == "counter"
    expression = _sum(family.name, by) if is_counter else f"sum by ({by}) ({family.name}{_OF})"
    legend = " ".join(f"{{{{{label}}}}}" for label in ("instance", *labels))
    return Chosen(family.help or family.name, _unit(family.name, is_counter), ((expression, legend),))


def _unit(name: str, is_counter: bool) -> str:
    if "bytes" in name:
        return "Bps" if is_counter else "bytes"
    if name.endswith(("timestamp_seconds", "start_time_seconds")):
        return "dateTimeFromNow"
    if "seconds" in name:
        return "percentunit" if is_counter else "s"
    return "ops" if is_counter else "short"


def _panel(one: Chosen, place: int, top: int = 0) -> dict[str, Any]:
    at = {"h": _HEIGHT, "w": _COLUMNS // 2, "x": place % 2 * _COLUMNS // 2, "y": top + place // 2 * _HEIGHT}
    return {
        "type": "timeseries",
        "title": one.title,
        "datasource": _SOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": one.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": name, "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for name, (expression, legend) in zip("ABCDEF", one.lines, strict=False)
        ],
    }


def _variable(name: str, query: str, is_multi: bool) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": is_multi,
        "includeAll": is_multi,
        "current": {"text": ["All"], "value": ["$__all"]} if is_multi else {},
    }
