"""The charts of a report.

A single run has its figures in one chart, each in a colour; of several runs, each figure has a chart of its
own and each run a colour, the same one everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

from loadgen.charts import Series, lines
from loadgen.report.runs import Run
from loadgen.report.timeline import Unit, latency, names_in, notes, share, stretches, times, unit
from loadgen.results import Second

#: The palette's grey: for what is the frame of other lines.
_GREY = 5


class Metric(NamedTuple):
    """What is drawn of each second, and how."""

    name: str
    take: Callable[[Second], float]
    colour: int | None = None
    dashed: bool = False
    #: Whether several runs are compared by it.
    telling: bool = True


def rates(runs: Sequence[Run]) -> list[str]:
    """Requests over time: planned, sent, answered."""
    metrics = [
        Metric("sent", attrgetter("sent"), 4, telling=False),
        Metric("answered", attrgetter("answered"), 0),
        Metric("planned", attrgetter("planned"), _GREY, dashed=True, telling=False),
    ]
    note = "Planned by the scenario, whatever the cluster does: an open loop."
    return _over_time("Requests", runs, metrics, "Requests/s", note=note)


def latencies(runs: Sequence[Run]) -> list[str]:
    """Latency over time: the percentiles of each second."""
    metrics = [
        Metric("max", latency(4), _GREY, telling=False),
        Metric("p99.9", latency(3), 1),
        Metric("p99", latency(2), 2),
        Metric("p90", latency(1), 4, telling=False),
        Metric("p50", latency(0), 0),
    ]
    note = "Corrected: from the planned time to the last byte, so that waiting counts."
    return _over_time("Latency", runs, metrics, "Milliseconds", y_log=True, note=note)


def percentiles(runs: Sequence[Run]) -> list[str]:
    """The HDR plots of latency: both kinds in one for a single run, else one for each kind."""
    if len(runs) == 1:
        note = "Corrected from the planned time, raw from the actual send: what lies between is waiting."
        return _curves("Latency by percentile", runs, ("corrected", "raw"), note)
    corrected = _curves("Latency by percentile, corrected", runs, ("corrected",), "From the planned time.")
    return corrected + _curves("Latency by percentile, raw", runs, ("raw",), "From the actual send.")


def lag(runs: Sequence[Run]) -> list[str]:
    """The HDR plot of the generator's own lag."""
    return _curves("The generator's own lag", runs, ("lag",), "From planned to sent, by its own fault.")


def node_shares(run: Run, alone: bool) -> str:
    """Load balance over time: the share of each node."""
    parts = stretches(run.result.series)
    of = unit([run.result])
    x = times([part[0] for part in parts], of)
    nodes: Callable[[Second], dict[str, int]] = attrgetter("nodes")
    series = [
        Series(name, x, [share(part, nodes, name) for part in parts])
        for name in names_in(run.result.series, nodes)
    ]
    title = "Share of each node" if alone else f"Share of each node: {run.name}"
    return lines(
        title, series, x_label=of.name, y_label="Percent of requests", stacked=True, marks=marks([run], of)
    )


def confirmations(runs: Sequence[Run]) -> str:
    """Revalidation over time: the share of copies that were confirmed."""
    of = unit(run.result for run in runs)
    series = []
    for run in runs:
        parts = stretches(run.result.series)
        y = [_confirmed(part) for part in parts]
        series.append(Series(run.name, times([part[0] for part in parts], of), y))
    note = "By a 304 or within a batch; the others were fetched."
    return lines(
        "Copies that were confirmed",
        series,
        x_label=of.name,
        y_label="Percent",
        note=note,
        marks=marks(runs, of),
    )


def _confirmed(seconds: Sequence[Second]) -> float:
    """The percentage that was confirmed; NaN where nothing was asked for."""
    confirmed, bodies = (sum(map(attrgetter(name), seconds)) for name in ("confirmed", "bodies"))
    return 100 * confirmed / (confirmed + bodies) if confirmed + bodies else math.nan


def traffic(runs: Sequence[Run]) -> list[str]:
    """Traffic over time: bytes both ways."""
    metrics = [Metric("received", attrgetter("bytes_in"), 0), Metric("sent", attrgetter("bytes_out"), 1)]
    note = "Heads and bodies, above TCP, as the users see it."
    return _over_time("Bytes", runs, metrics, "Bytes/s", note=note)


def errors(runs: Sequence[Run]) -> list[str]:
    """Errors over time: by reason for a single run, else of each run; nothing when nothing failed."""
    counted: Callable[[Second], dict[str, int]] = attrgetter("errors")
    if not any(counted(second) for run in runs for second in run.result.series):
        return []
    metrics = [Metric("all", lambda second: sum(counted(second).values()))]
    if len(runs) == 1:
        metrics = [Metric(reason, _failures(reason)) for reason in names_in(runs[0].result.series, counted)]
    return _over_time("Errors", runs, metrics, "Failed requests/s", stacked=len(runs) == 1)


def users(runs: Sequence[Run]) -> list[str]:
    """Users in a session and open connections over time."""
    metrics = [
        Metric("active users", attrgetter("active"), 0),
        Metric("connections", attrgetter("connections"), 2),
    ]
    return _over_time("Users and connections", runs, metrics, "At the end of each second")


def pushes(runs: Sequence[Run]) -> list[str]:
    """Pushes over time: how many came, and how late; nothing without any."""
    if not any(second.pushes for run in runs for second in run.result.series):
        return []
    rate = [Metric("received", attrgetter("pushes"))]
    late = [Metric("p99", lambda second: second.push_ms if second.pushes else math.nan)]
    received = _over_time("Pushes", runs, rate, "Pushes/s")
    return received + _over_time("Delay of pushes", runs, late, "Milliseconds, p99 of each second")


def percentile_text(x: float) -> str:
    """The percentile at *x* = 1 / (1 - p), with one digit more than it has nines: 0 %, 90 %, 99.95 %."""
    digits = max(0, math.ceil(math.log10(max(1.0, x))) - 1)
    text = f"{100 - 100 / x:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"


def marks(runs: Sequence[Run], of: Unit) -> list[tuple[float, str]]:
    """The notes of a single run, by their numbers; several runs have too many."""
    noted = notes(runs[0].result.series) if len(runs) == 1 else []
    return [(at / of.seconds, str(number)) for number, (at, _) in enumerate(noted, 1)]


def _failures(reason: str) -> Callable[[Second], float]:
    return lambda second: second.errors.get(reason, 0)


def _curves(title: str, runs: Sequence[Run], kinds: Sequence[str], note: str) -> list[str]:
    """HDR plots: a curve for each run and kind of histogram, the second dashed; nothing without any."""
    series = []
    for index, run in enumerate(runs):
        for kind in kinds:
            distribution = run.distributions.get(kind)
            if distribution is not None and distribution.count:
                x, y = distribution.curve()
                name = kind if len(runs) == 1 else run.name
                series.append(Series(name, x, y, index, dashed=kind != kinds[0]))
    if not series:
        return []
    chart = lines(
        title, series, x_label="Percentile", y_label="Milliseconds", x_log=True, y_log=True,
        note=note, x_text=percentile_text,
    )  # fmt: skip
    return [chart]


def _over_time(
    title: str,
    runs: Sequence[Run],
    metrics: Sequence[Metric],
    y_label: str,
    *,
    y_log: bool = False,
    stacked: bool = False,
    note: str = "",
) -> list[str]:
    of = unit(run.result for run in runs)

    def line(run: Run, metric: Metric, name: str, colour: int | None, dashed: bool) -> Series:
        seconds = run.result.series
        return Series(name, times(seconds, of), [metric.take(second) for second in seconds], colour, dashed)

    def chart(name: str, series: Sequence[Series]) -> str:
        return lines(
            name, series, x_label=of.name, y_label=y_label, y_log=y_log, stacked=stacked, note=note,
            marks=marks(runs, of),
        )  # fmt: skip

    if len(runs) == 1:
        return [
            chart(
                title,
                [line(runs[0], metric, metric.name, metric.colour, metric.dashed) for metric in metrics],
            )
        ]
    return [
        chart(f"{title}: {metric.name}", [line(run, metric, run.name, None, False) for run in runs])
        for metric in metrics
        if metric.telling
    ]
