"""Results in Prometheus' text exposition format, for a textfile collector or a push gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from loadgen.report.distribution import Distribution
from loadgen.report.runs import Run
from loadgen.results import EXIT_CODES, NodeResult, Result

#: Upper bounds in seconds, from 100 us to 50 s.
BUCKETS = [float(f"{factor}e{power}") for power in range(-4, 2) for factor in (1, 2.5, 5)]

_GAUGES: dict[str, tuple[str, Callable[[Result], float]]] = {
    "loadgen_start_time_seconds": ("When the run began, Unix time", lambda result: result.began),
    "loadgen_duration_seconds": ("How long the run took", lambda result: result.seconds),
    "loadgen_users": ("Virtual users", lambda result: result.users),
    "loadgen_offered_ratio": (
        "Share of the planned requests that were sent",
        lambda result: result.generator.offered,
    ),
    "loadgen_generator_memory_bytes": (
        "Resident memory of the generator at the end",
        lambda result: result.generator.memory_bytes,
    ),
}
_COUNTERS: dict[str, tuple[str, str, Callable[[Result], Mapping[str, int]]]] = {
    "loadgen_responses": ("Answers by status", "status", lambda result: result.statuses),
    "loadgen_errors": ("Failed requests by reason", "reason", lambda result: result.errors),
    "loadgen_events": ("What the users did", "event", lambda result: result.counts),
}
_NODES: dict[str, tuple[str, Callable[[NodeResult], float]]] = {
    "loadgen_node_requests": ("Requests to a node", lambda node: node.requests),
    "loadgen_node_errors": ("Failed requests to a node", lambda node: node.errors),
    "loadgen_node_received_bytes": ("Bytes received from a node", lambda node: node.bytes_in),
    "loadgen_node_sent_bytes": ("Bytes sent to a node", lambda node: node.bytes_out),
}
#: Metric: help, and histograms by the value of its label ``timing`` ("": it has none).
_HISTOGRAMS: dict[str, tuple[str, dict[str, str]]] = {
    "loadgen_request_duration_seconds": (
        "From the planned time (corrected) or the actual send (raw) to the last byte",
        {"corrected": "corrected", "raw": "raw"},
    ),
    "loadgen_lag_seconds": ("From planned to sent, by the generator's own fault", {"": "lag"}),
    "loadgen_push_delay_seconds": ("From publish to subscriber", {"": "push"}),
    "loadgen_tls_handshake_seconds": (
        "From ClientHello to the server's Finished",
        {"full": "handshake_full", "resumed": "handshake_resumed"},
    ),
}


def exposition(runs: Sequence[Run]) -> str:
    """The exposition of *runs*; each sample has the label ``run``."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(list(_families(runs))))
    return generate_latest(registry).decode()


class _Collector(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(runs: Sequence[Run]) -> Iterator[Metric]:
    info = InfoMetricFamily("loadgen_run", "What was run", labels=["run"])
    for run in runs:
        result = run.result
        about = {"scenario": result.scenario, "cluster": result.cluster, "policy": result.policy}
        info.add_metric([run.name], {**about, "seed": str(result.seed)})
    yield info
    verdict = GaugeMetricFamily("loadgen_verdict", "1 for the run's verdict", labels=["run", "verdict"])
    for run in runs:
        for word in EXIT_CODES:
            verdict.add_metric([run.name, word], float(run.result.verdict == word))
    yield verdict
    for name, (about_it, take) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, about_it, labels=["run"])
        for run in runs:
            gauge.add_metric([run.name], take(run.result))
        yield gauge
    cpu = CounterMetricFamily("loadgen_generator_cpu_seconds", "CPU time of the generator", labels=["run"])
    for run in runs:
        cpu.add_metric([run.name], run.result.generator.cpu_seconds)
    yield cpu
    for name, (about_it, label, counts) in _COUNTERS.items():
        counter = CounterMetricFamily(name, about_it, labels=["run", label])
        for run in runs:
            for key, count in counts(run.result).items():
                counter.add_metric([run.name, key], count)
        yield counter
    for name, (about_it, figure) in _NODES.items():
        counter = CounterMetricFamily(name, about_it, labels=["run", "node"])
        for run in runs:
            for node in run.result.nodes:
                counter.add_metric([run.name, node.id], figure(node))
        yield counter
    held = GaugeMetricFamily(
        "loadgen_threshold_held", "1 if a threshold was held", labels=["run", "threshold"]
    )
    for run in runs:
        for threshold in run.result.thresholds:
            held.add_metric([run.name, threshold.text], float(threshold.held))
    yield held
    yield from _histograms(runs)


def _histograms(runs: Sequence[Run]) -> Iterator[Metric]:
    for name, (about_it, kinds) in _HISTOGRAMS.items():
        labels = ["run", "timing"] if "" not in kinds else ["run"]
        family = HistogramMetricFamily(name, about_it, labels=labels)
        for run in runs:
            for timing, kind in kinds.items():
                if kind in run.distributions:
                    distribution = run.distributions[kind]
                    values = [run.name, timing][: len(labels)]
                    family.add_metric(values, _buckets(distribution), distribution.total / 1e6)
        yield family


def _buckets(distribution: Distribution) -> list[tuple[str, float]]:
    bounds = [(str(bound), float(distribution.up_to(bound * 1e6))) for bound in BUCKETS]
    return [*bounds, ("+Inf", float(distribution.count))]
