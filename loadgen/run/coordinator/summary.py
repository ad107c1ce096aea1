"""What ``loadgen run`` prints at its end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loadgen.results import Result

_COLOURS = {"ok": "green", "threshold": "red", "invalid": "yellow", "error": "red", "interrupted": "yellow"}
_WORDS = {
    "ok": "OK",
    "threshold": "THRESHOLD MISSED",
    "invalid": "INVALID",
    "error": "ERROR",
    "interrupted": "INTERRUPTED",
}


def rows(result: Result) -> list[tuple[str, str]]:
    """The lines of the summary: name and value of each."""
    counts, measures, own = result.counts, result.measures, result.generator
    milliseconds = " ".join(
        f"{name} {measures[name]:.3g}" for name in ("p50", "p90", "p99", "p99.9", "p100") if name in measures
    )
    shares = ", ".join(f"{node.id} {node.requests:,}" for node in result.nodes)
    how = "browsers without the smart client" if result.plain else f"policy {result.policy}"
    lines = [
        ("users", f"{result.users:,}, {how}, seed {result.seed}"),
        ("sessions, page views", f"{counts.get('sessions', 0):,}, {counts.get('page_views', 0):,}"),
        ("requests", f"{counts.get('requests', 0):,}, {measures.get('rps', 0):,.0f} per second"),
        ("latency, corrected", f"{milliseconds} ms"),
        ("latency, raw", f"p50 {measures.get('raw_p50', 0):.3g} p99 {measures.get('raw_p99', 0):.3g} ms"),
        ("confirmed", f"{measures.get('share_304', 0):.2%} of {_checked(result):,}; "
                      f"{counts.get('fresh_hits', 0):,} were fresh and needed no request"),
        ("failed", f"{counts.get('failed', 0):,}; {counts.get('retries', 0):,} retries, "
                   f"{counts.get('hedges', 0):,} hedges"),
        ("by node", f"{shares}; greatest over mean {measures.get('herd', 0):.3f}"),
    ]  # fmt: skip
    if "table_share" in measures:
        kinds = {name.removeprefix("shared_"): count for name, count in counts.items() if "shared_" in name}
        told = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items() if count)
        lines.append(("from the table", f"{measures['table_share']:.2%} of reads of applications ({told})"))
    full, resumed = counts.get("handshakes_full", 0), counts.get("handshakes_resumed", 0)
    if full + resumed:
        took = f"full {full:,}, p99 {measures.get('handshake_p99', 0):.3g} ms"
        took += f"; resumed {resumed:,}, p99 {measures.get('resumed_p99', 0):.3g} ms" if resumed else ""
        lines.append(("TLS handshakes", f"{took} ({measures.get('resumed_share', 0):.1%} resumed)"))
    if counts.get("live"):
        lines.append(("live", f"{counts['live']:,} confirmations by readers who were told of a change"))
    if counts.get("pushes"):
        lines.append(("pushes", f"{counts['pushes']:,}, p99 {measures.get('push_p99', 0):.3g} ms"))
    lines.append((
        "generator",
        f"{own.offered:.2%} offered, lag p99 {own.lag_p99_ms:.3f} ms, {own.per_core:,.0f} answers a core and "
        f"second, {own.bytes_per_user:.0f} B a user",
    ))  # fmt: skip
    return lines


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
        table.add_row(escape(threshold.text), f"{mark}: {threshold.measured:.6g}")
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
