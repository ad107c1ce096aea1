"""The screen of a running load test: pure functions of a :class:`~loadgen.live.state.State`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadgen.charts.numbers import duration, short
from loadgen.live.formatting import PERCENTILES, milliseconds, percent, printable, sparkline
from loadgen.live.state import State

#: Nodes with a bar of their own; the view has to fit 24 lines.
MOST_NODES = 5


def line(state: State) -> str:
    """The state of the run in one line, for a file."""
    second, totals = state.second, state.totals
    p50, _, p99, p999, _ = milliseconds(second.latency_ms)
    parts = [
        f"{duration(second.at + 1)}",
        f"planned {second.planned:,}/s sent {second.sent:,}/s answered {second.answered:,}/s",
        f"confirmed {percent(second.confirmed, second.confirmed + second.bodies)}",
        f"p50 {p50} p99 {p99} p99.9 {p999} ms",
        f"errors {sum(totals.errors.values()):,}",
        f"lag {short(totals.lag_p99_ms)} ms",
    ]
    parts += second.notes
    return printable("  ".join(parts + [f"INVALID: {why}" for why in totals.invalid[:1]]))


def screen(state: State) -> RenderableType:
    """The screen: at most 24 lines, readable at 80 columns."""
    second, totals = state.second, state.totals
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    rows.add_row("requests/s", _words(planned=second.planned, sent=second.sent, answered=second.answered))
    rows.add_row("", Text(sparkline(state.rates), style="cyan"))
    rows.add_row("answers", _shares(second.statuses))
    confirmed, bodies = totals.counts.get("not_modified", 0), totals.counts.get("bodies", 0)
    if confirmed or bodies:
        rows.add_row("copies", _words(confirmed=percent(confirmed, confirmed + bodies), bodies=bodies))
    rows.add_row("latency, ms", _latencies(second.latency_ms))
    rows.add_row("so far", _latencies(totals.latency_ms))
    rows.add_row("nodes", _nodes(second.nodes, totals.nodes))
    rows.add_row("bytes/s", _words(**{"in": short(second.bytes_in), "out": short(second.bytes_out)}))
    rows.add_row("so far", _words(**{"in": short(totals.bytes_in), "out": short(totals.bytes_out)}))
    rows.add_row("users", _words(active=second.active, of=f"{state.users:,}", connections=second.connections))
    if second.pushes:
        rows.add_row("pushes/s", _words(received=second.pushes, p99=f"{short(second.push_ms)} ms"))
    health = {
        "lag": f"{short(totals.lag_p99_ms)} ms",
        "offered": percent(totals.sent, totals.planned),
        "cores": short(totals.cores),
    }
    rows.add_row("generator", _words(style="bold red" if totals.invalid else "bold", **health))
    rows.add_row("errors", _errors(totals.errors))
    parts: list[RenderableType] = [
        Text(printable(state.title), style="bold", overflow="ellipsis", no_wrap=True),
        _progress(state),
        Text(printable(state.note), style="yellow", overflow="ellipsis", no_wrap=True),
        rows,
    ]
    parts += [
        Text(f"INVALID  {printable(why)}", style="bold red", overflow="ellipsis", no_wrap=True)
        for why in totals.invalid[:2]
    ]
    return Group(*parts)


def _progress(state: State) -> RenderableType:
    passed = min(state.second.at + 1, state.seconds) if state.rates else 0
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_row(
        ProgressBar(total=max(state.seconds, 1e-9), completed=passed, complete_style="cyan"),
        f"{duration(passed)} of {duration(state.seconds)}, {duration(state.seconds - passed)} left",
    )
    return grid


def _words(style: str = "bold", **numbers: int | str) -> Text:
    """Counters by name, in columns."""
    text = Text()
    for name, value in numbers.items():
        written = f"{value:,}" if isinstance(value, int) else value
        text.append(f"{name} ", style="dim")
        text.append(written.ljust(17 - len(name)), style=style)
    text.rstrip()
    return text


def _shares(statuses: Mapping[str, int]) -> Text:
    """Statuses by frequency; those of failures in red."""
    text = Text()
    total = sum(statuses.values())
    for status, count in sorted(statuses.items(), key=lambda pair: -pair[1])[:6]:
        text.append(f"{printable(status)} ", style="red" if status >= "4" else "dim")
        text.append(f"{percent(count, total)}  ", style="bold")
    return text if total else Text("none", style="dim")


def _nodes(second: Mapping[str, int], totals: Mapping[str, int]) -> RenderableType:
    """A bar for each node that there ever was, as wide as its share of this second."""
    if not totals:
        return Text("none yet", style="dim")
    names = sorted(totals)
    grid = Table.grid(padding=(0, 1))
    whole = sum(second.values())
    for name in names[:MOST_NODES]:
        share = second.get(name, 0) / whole if whole else 0.0
        grid.add_row(
            Text(printable(name)[:16], style="bold"),
            Text("▇" * round(share * 40) or "▏", style="cyan" if share else "red"),
            percent(second.get(name, 0), whole),
        )
    if len(names) > MOST_NODES:
        rest = sum(second.get(name, 0) for name in names[MOST_NODES:])
        grid.add_row(Text(f"{len(names) - MOST_NODES} more", style="dim"), "", percent(rest, whole))
    return grid


def _errors(errors: Mapping[str, int]) -> Text:
    if not errors:
        return Text("none", style="green")
    text = Text(f"{sum(errors.values()):,}  ", style="bold red", no_wrap=True, overflow="ellipsis")
    most = sorted(errors.items(), key=lambda pair: -pair[1])[:4]
    text.append(", ".join(f"{printable(why)} {count:,}" for why, count in most))
    return text


def _latencies(values: Sequence[float]) -> Text:
    text = Text()
    for name, value in zip(PERCENTILES, milliseconds(values), strict=True):
        text.append(f"{name} ", style="dim")
        text.append(value.ljust(6), style="bold")
    return text
