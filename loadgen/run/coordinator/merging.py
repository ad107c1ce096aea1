"""Interval reports of all processes merged into one run; a second is whole when all have reported it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from loadgen.histogram import Histogram
from loadgen.live import Totals
from loadgen.results import NodeResult, Second
from loadgen.run.messages.job import NodeAddress
from loadgen.run.messages.report import Report
from loadgen.verdict import herd
from loadgen.verdict.latencies import Latencies
from loadgen.verdict.thresholds import PERCENTS

#: Over the whole run, beside one for each node.
HISTOGRAMS = (
    "corrected", "failed", "raw", "lag", "push", "push_lag", "handshake_full", "handshake_resumed",
)  # fmt: skip
#: Of ``Second.latency_ms``.
SHOWN = (50.0, 90.0, 99.0, 99.9, 100.0, 95.0)
#: Measures, the histograms that they are of, and percents.
_OTHERS = {
    "raw_p50": ("raw", 50),
    "raw_p99": ("raw", 99),
    "push_p99": ("push", 99),
    "push_lag_p99": ("push_lag", 99),
    "handshake_p99": ("handshake_full", 99),
    "resumed_p99": ("handshake_resumed", 99),
}
_SUMS = (
    "planned",
    "sent",
    "answered",
    "bytes_in",
    "bytes_out",
    "confirmed",
    "bodies",
    "pushes",
    "active",
    "connections",
    "versions",
)
_COUNTERS = ("statuses", "errors", "nodes", "node_errors")


class ReportMerger:
    """Sums and HDR histograms of a run: feed it reports, take whole seconds."""

    def __init__(self, processes: int, nodes: Sequence[NodeAddress]) -> None:
        self._processes = processes
        self._nodes = nodes
        self._open: dict[int, list[Report]] = {}
        self._latest: dict[int, Report] = {}
        self._finished: set[int] = set()
        self.series: list[Second] = []
        self.counts: Counter[str] = Counter()
        self.totals = Totals()
        self.histograms = {name: Histogram() for name in HISTOGRAMS}
        self.latencies = Latencies(self.histograms["corrected"], self.histograms["failed"])
        #: By second and node: requests sent, and whether it ran, as far as its clients can tell.
        self._asked: list[list[int]] = []
        self._up: list[list[bool]] = []
        self._of_nodes = [Histogram() for _ in nodes]
        self._node_errors: Counter[int] = Counter()
        self._node_bytes = [[0, 0] for _ in nodes]
        self.offered = 0

    def report(self, process: int, report: Report) -> list[tuple[Second, Totals]]:
        """Take what *process* reported; the seconds that are whole now, with the totals after each.

        :exc:`ValueError`: it is of nodes or histograms that this run has not.
        """
        self._check(report)
        self._latest[process] = report
        if report.last:
            self._finished.add(process)
        self._open.setdefault(report.second.at, []).append(report)
        return self._whole()

    def _check(self, report: Report) -> None:
        nodes = range(len(self._nodes))
        known = {*self.histograms, *(f"node:{node}" for node in nodes)}
        if unknown := set(report.histograms) - known:
            raise ValueError(f"no histogram is called {min(unknown)[:40]!r}")
        if not {*report.node_errors, *report.node_bytes} <= set(nodes):
            raise ValueError("there is no such node")
        for counters in report.histograms.values():
            self.histograms["corrected"].check_counted(counters)

    def gone(self, process: int) -> list[tuple[Second, Totals]]:
        """Wait no longer for *process*; the seconds that are whole now."""
        self._finished.add(process)
        return self._whole()

    def finished(self, process: int) -> bool:
        """Whether the last report of *process* has come."""
        return process in self._finished

    def _whole(self) -> list[tuple[Second, Totals]]:
        """The seconds that all processes which still run have reported."""
        running = [process for process in range(self._processes) if process not in self._finished]
        told = min(
            (self._latest[one].second.at if one in self._latest else -1 for one in running), default=1 << 60
        )
        return [(self._add(at, self._open.pop(at)), self.totals) for at in sorted(self._open) if at <= told]

    def _add(self, at: int, reports: Sequence[Report]) -> Second:
        second = Second(at=at)
        of_second = {"corrected": Histogram(), "failed": Histogram(), "push": Histogram()}
        for report in reports:
            for name in _SUMS:
                setattr(second, name, getattr(second, name) + getattr(report.second, name))
            for name in _COUNTERS:
                setattr(
                    second, name, dict(Counter(getattr(second, name)) + Counter(getattr(report.second, name)))
                )
            second.memory_bytes += report.memory_bytes
            self.counts.update(report.counts)
            self.offered += report.offered
            self._node_errors.update(report.node_errors)
            for node, (inward, outward) in report.node_bytes.items():
                self._node_bytes[node][0] += inward
                self._node_bytes[node][1] += outward
            for name, counters in report.histograms.items():
                if name.startswith("node:"):
                    self._of_nodes[int(name.removeprefix("node:"))].add_counted(counters)
                    continue
                self.histograms[name].add_counted(counters)
                if name in of_second:
                    of_second[name].add_counted(counters)
        second.latency_ms = Latencies(of_second["corrected"], of_second["failed"]).bounds(SHOWN)
        second.push_ms = of_second["push"].percentile(99) / 1000
        self._note_asked(reports, second)
        self.series.append(second)
        self.totals.count(second)
        self.totals.counts = dict(self.counts)
        self.totals.latency_ms = self.latencies.bounds(SHOWN)
        self.totals.lag_p99_ms = self.histograms["lag"].percentile(99) / 1000
        return second

    def _note_asked(self, reports: Sequence[Report], second: Second) -> None:
        """Note whom clients asked; a node whose attempts fail is away until it answers something again."""
        asked = [0] * len(self._nodes)
        answered: Counter[int] = Counter()
        for report in reports:
            for node, count in enumerate(report.asked[: len(asked)]):
                asked[node] += count
            for name in report.histograms:
                if name.startswith("node:"):
                    answered[int(name.removeprefix("node:"))] += 1
        before = self._up[-1] if self._up else [True] * len(asked)
        self._asked.append(asked)
        self._up.append(
            [
                answered[node] > 0 or (up and not second.node_errors.get(self._nodes[node].id))
                for node, up in enumerate(before)
            ]
        )

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all processes since the run began."""
        return sum(report.cpu_seconds for report in self._latest.values())

    @property
    def memory_bytes(self) -> int:
        """Resident memory of all processes."""
        return sum(report.memory_bytes for report in self._latest.values())

    def nodes(self) -> list[NodeResult]:
        """What each node did over all seconds."""
        requests = self.totals.nodes
        return [
            NodeResult(
                id=node.id,
                url=node.url,
                requests=requests.get(node.id, 0),
                errors=self._node_errors[number],
                bytes_in=self._node_bytes[number][0],
                bytes_out=self._node_bytes[number][1],
                p50_ms=self._of_nodes[number].percentile(50) / 1000,
                p99_ms=self._of_nodes[number].percentile(99) / 1000,
            )
            for number, node in enumerate(self._nodes)
        ]

    def bounds(self) -> dict[str, float]:
        """What measures that are infinite are at least."""
        return dict(zip(PERCENTS, self.latencies.bounds(list(PERCENTS.values())), strict=True))

    def measures(self, is_over: bool = True) -> dict[str, float]:
        """What thresholds may name, see :data:`loadgen.verdict.thresholds.MEASURES`.

        Infinite: the latency of a request that failed; absent: that of which there was nothing.
        """
        percentiles = zip(PERCENTS, self.latencies.percentiles(list(PERCENTS.values())), strict=True)
        found = {name: value for name, value in percentiles if not math.isnan(value)}
        for name, (kind, percent) in _OTHERS.items():
            if self.histograms[kind].count:
                found[name] = self.histograms[kind].percentile(percent) / 1000
        counts = self.counts
        if is_over:  # of all seconds, so not in each of them
            found |= herd.measures(np.array(self._asked, float), np.array(self._up, bool))
        if "herd_1s_mean" in found:
            found["herd"] = found["herd_1s_mean"]
        if shaken := counts["handshakes_full"] + counts["handshakes_resumed"]:
            found["resumed_share"] = counts["handshakes_resumed"] / shaken
        if checked := counts["not_modified"] + counts["bodies"]:
            found["share_304"] = counts["not_modified"] / checked
        if attempts := counts["socket_attempts"]:
            found |= {name: counts[name] for name in ("socket_attempts", "socket_errors", "socket_losses")}
            found["socket_error_share"] = counts["socket_errors"] / attempts
            found["socket_loss_share"] = counts["socket_losses"] / attempts
        if due := counts["pushes_due"]:
            found |= {"pushes_due": due, "pushes_missing": counts["pushes_missing"]}
            found["push_missing_share"] = counts["pushes_missing"] / due
        requests = max(1, counts["requests"])
        return {
            **found,
            "errors": counts["failed"],
            "error_share": counts["failed"] / requests,
            "stale": counts["stale_confirmations"],
            "wrong": counts["wrong_answers"],
            "retry_share": counts["retries"] / requests,
            "hedge_share": counts["hedges"] / requests,
            "rps": self.totals.answered / max(1, len(self.series)),
            "requests": counts["requests"],
            "page_views": counts["page_views"],
        }
