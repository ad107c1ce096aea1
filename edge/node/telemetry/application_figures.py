"""Figures of the processes of applications: for the metrics, and for the status document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

#: What ``Applications.status`` (edge.node.supervisor.hosting) gives, one for each application.
Figures = Sequence[Mapping[str, Any]]

#: metric -> (help, the figure of a process that is added up); what ends in ``_total`` is a counter.
_METRICS: dict[str, tuple[str, str]] = {
    "edge_application_processes": ("Processes that an application is to have", ""),
    "edge_application_processes_ready": ("Those that are ready", "ready"),
    "edge_application_restarts_total": ("Processes started in place of a dead one", "restarts"),
    "edge_application_running": ("Requests and WebSockets that are not over", "running"),
    "edge_application_memory_bytes": ("Memory of its processes (resident)", "memory_bytes"),
    "edge_application_cpu_seconds": ("Processor time of its present processes", "cpu_seconds"),
}


def application_families(applications: Figures) -> Iterator[Metric]:
    """The metrics of the applications that the node runs."""
    for name, (text, figure) in _METRICS.items():
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        family = kind(name.removesuffix("_total"), text, labels=["application"])
        for application in applications:
            if application["processes"]:
                total = sum(_figure(process, figure) for process in application["processes"])
                family.add_metric([application["name"]], total)
        yield family


def _figure(process: Mapping[str, Any], figure: str) -> float:
    if not figure:
        return 1.0
    return float(process["state"] == "ready") if figure == "ready" else float(process[figure])


def in_short(applications: Figures, named: bool = True) -> list[dict[str, Any]]:
    """What the status document says of them: nothing of paths, modules and addresses.

    Not *named*: all together, for readers of one site are not told what others have.
    """
    if named:
        return [_short(one["name"], one["processes"]) for one in applications]
    processes = [process for one in applications for process in one["processes"]]
    return [_short("all", processes)] if applications else []


def _short(name: str, processes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "processes": len(processes),
        "ready": sum(process["state"] == "ready" for process in processes),
        "restarts": sum(process["restarts"] for process in processes),
    }
