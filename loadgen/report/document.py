"""The report as a page: verdicts, key figures, charts, tables, and how the generator itself did."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.charts import cards, heading, page, panel
from loadgen.report import plots, tables
from loadgen.report.runs import Run
from loadgen.report.timeline import notes


def document(runs: Sequence[Run]) -> str:
    """One self-contained HTML page about one run, or several compared."""
    alone = len(runs) == 1
    sections = [
        *(tables.verdict(run, alone) for run in runs),
        cards(tables.key_figures(runs[0])) if alone else tables.compared(runs),
        *(tables.events(run) for run in runs if alone and notes(run.result.series)),
        heading("Load and latency"),
        *plots.rates(runs),
        *plots.latencies(runs),
        *plots.percentiles(runs),
        *plots.users(runs),
        heading("What the cluster did"),
        *(plots.node_shares(run, alone) for run in runs),
        plots.confirmations(runs),
        *plots.traffic(runs),
        *plots.errors(runs),
        *plots.pushes(runs),
    ]
    for run in runs:
        if run.result.nodes:
            sections += [heading("Nodes" if alone else f"Nodes: {run.name}"), tables.nodes(run)]
    sections += [
        heading("Counts"),
        panel(("What the users did", tables.counts(runs, lambda result: result.counts))),
        panel(
            ("Answers by status", tables.counts(runs, lambda result: result.statuses)),
            ("Failed requests", tables.counts(runs, lambda result: result.errors)),
        ),
        heading(
            "The generator itself", "A run is valid only if the generator did what was planned, in time."
        ),
        *plots.lag(runs),
        panel(("Resources", tables.generators(runs))),
    ]
    if alone:
        title = runs[0].result.title
        return page(title or runs[0].name, sections, runs[0].name if title else "")
    return page(f"{len(runs)} runs compared", sections, "; ".join(run.name for run in runs))
