"""What ``loadgen run`` prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loadgen.charts.numbers import milliseconds
from loadgen.results import Result
from loadgen.verdict.herd import WIDTHS_S
from loadgen.verdict.thresholds import PERCENTS, told

_COLOURS = {"ok": "green", "threshold": "red", "invalid": "yellow", "error": "red", "interrupted": "yellow"}
_WORDS = {
    "ok": "OK",
    "threshold": "FAILED",
    "invalid": "INVALID",
    "error": "ERROR",
    "interrupted": "INTERRUPTED",
}
_RAW = ("raw_p50", "raw_p99")


def rows(result: Result) -> list[tuple[str, str]]:
    """The lines of the summary: name and value of each."""
    counts, measures, own = result.counts, result.measures, result.generator
    latencies = ", ".join(_latency(result, name) for name in PERCENTS if name in measures)
    raw = ", ".join(
        f"{name.removeprefix('raw_')} {milliseconds(measures[name])}" for name in _RAW if name in measures
    )
    shares = ", ".join(f"{node.id} {node.requests:,}" for node in result.nodes)
    how = "browsers without the smart client" if result.plain else f"policy {result.policy}"
    lines = [
        ("users", f"{result.users:,}, {how}, seed {result.seed}"),
        ("sessions, page views", f"{counts.get('sessions', 0):,}, {counts.get('page_views', 0):,}"),
        ("requests", f"{counts.get('requests', 0):,}, {measures.get('rps', 0):,.0f} per second"),
        ("latency, corrected", latencies or "there was no answer"),
        ("latency, raw", raw or "there was no answer"),
        ("confirmed", f"{measures.get('share_304', 0):.2%} of {_checked(result):,}; "
                      f"{counts.get('fresh_hits', 0):,} were fresh and needed no request"),
        ("failed", f"{counts.get('failed', 0):,}, {measures.get('error_share', 0):.2%} of requests; "
                   f"{counts.get('retries', 0):,} retries, "
                   f"{counts.get('hedges', 0):,} hedges"),
        ("by node", f"{shares}{_herd(measures)}"),
    ]  # fmt: skip
    if "table_share" in measures:
        kinds = {name.removeprefix("shared_"): count for name, count in counts.items() if "shared_" in name}
        told = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items() if count)
        lines.append(("from the table", f"{measures['table_share']:.2%} of reads of applications ({told})"))
    full, resumed = counts.get("handshakes_full", 0), counts.get("handshakes_resumed", 0)
    if full + resumed:
        p99, of_resumed = (milliseconds(measures.get(f"{kind}_p99", 0)) for kind in ("handshake", "resumed"))
        took = f"full {full:,}, p99 {p99}" + (f"; resumed {resumed:,}, p99 {of_resumed}" if resumed else "")
        lines.append(("TLS handshakes", f"{took} ({measures.get('resumed_share', 0):.1%} resumed)"))
    if counts.get("live"):
        lines.append(("live", f"{counts['live']:,} confirmations by readers who were told of a change"))
    if counts.get("pushes"):
        lines.append(("pushes", f"{counts['pushes']:,}, p99 {milliseconds(measures.get('push_p99', 0))}"))
    lines.append((
        "generator",
        f"{own.offered:.2%} offered, lag p99 {milliseconds(own.lag_p99_ms)}, {own.per_core:,.0f} answers "
        f"a core and second, {own.bytes_per_user:.0f} B a user",
    ))  # fmt: skip
    return lines


def _latency(result: Result, name: str) -> str:
    at_least = "at least " if name in result.at_least else ""
    return f"{name} {at_least}{milliseconds(result.measures[name])}"


def _herd(measures: Mapping[str, float]) -> str:
    told = "; ".join(
        f"{width} s: mean {measures[f'herd_{width}s_mean']:.3f}, p95 {measures[f'herd_{width}s_p95']:.3f}, "
        f"max {measures[f'herd_{width}s_max']:.3f}"
        for width in WIDTHS_S
        if f"herd_{width}s_mean" in measures
    )
    return f"; greatest over mean in windows of {told}" if told else ""


def _checked(result: Result) -> int:
    return result.counts.get("not_modified", 0) + result.counts.get("bodies", 0)


def print_summary(result: Result, path: Path | None) -> None:
    """Print the summary of *result*, which is saved at *path*, for people."""
    console = Console()
    table = Table(title=escape(result.title), show_header=False, title_justify="left")
    for name, value in rows(result):
        table.add_row(name, escape(value))
    for threshold in result.thresholds:
        mark = "[green]held[/]" if threshold.held else "[red]missed[/]"
        table.add_row(escape(threshold.text), f"{mark}: {escape(told(threshold))}")
    for reason, count in sorted(result.errors.items()):
        table.add_row("failed: " + escape(reason), f"{count:,}")
    console.print(table)
    console.print(f"[{_COLOURS[result.verdict]} bold]{_WORDS[result.verdict]}[/]")
    for reason in result.reasons:
        console.print(f"  {escape(reason)}")
    if path is not None:
        console.print(
            f"Saved in {escape(str(path))}; loadgen report {escape(str(path.parent))} makes a page of it."
        )
