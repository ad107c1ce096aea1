"""The words and numbers of a report: verdicts, key figures, tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from loadgen.charts import Card, banner, table
from loadgen.charts.numbers import binary, duration, plain, short, size
from loadgen.charts.pieces import Tone
from loadgen.report.runs import Run, moment
from loadgen.report.timeline import notes
from loadgen.results import Result

#: Verdict: how it looks, and what it means.
_VERDICTS: dict[str, tuple[Tone, str]] = {
    "ok": ("good", "Passed"),
    "threshold": ("bad", "Failed"),
    "invalid": ("warn", "Invalid: the generator did not do what was planned"),
    "error": ("bad", "Failed with an error"),
    "interrupted": ("warn", "Interrupted: this is what was measured until then"),
}


def verdict(run: Run, alone: bool) -> str:
    """The banner: the verdict, its reasons, each threshold."""
    result = run.result
    tone, words = _VERDICTS[result.verdict]
    missed = [threshold.text for threshold in result.thresholds if not threshold.held]
    if result.verdict == "threshold" and missed:
        words += f": {len(missed)} of {len(result.thresholds)} thresholds missed"
    items: list[tuple[Tone, str]] = [
        (tone, reason)
        for reason in result.reasons
        if not any(reason.startswith(f"{text}:") for text in missed)
    ]
    items += [
        (
            "good" if threshold.held else "bad",
            f"{threshold.text}: {plain(threshold.measured)}{_unit(threshold.text)}",
        )
        for threshold in result.thresholds
    ]
    about = ", ".join(
        [
            f"{result.scenario} on {result.cluster}",
            *filter(None, [moment(result.began)]),
            f"{plain(result.seconds)} s",
            f"{result.users:,} users",
            f"policy {result.policy}",
            f"seed {result.seed}",
        ]
    )
    return banner(tone, words if alone else f"{run.name}: {words[0].lower()}{words[1:]}", about, items)


def key_figures(run: Run) -> list[Card]:
    """The key figures of a run: what to know of it at a glance."""
    result = run.result
    answered, failed = run.answered, run.failed
    seconds = result.seconds or math.nan
    peak = max((second.answered for second in result.series), default=0)
    cards = [
        Card("Requests answered", short(answered, 4), f"{short(answered / seconds)}/s on average"),
        Card("Busiest second", f"{short(peak)}/s", "requests answered"),
        *(_latency(run, percent) for percent in (50, 99, 99.9)),
        Card("Errors", f"{failed:,}", _percent(failed, failed + answered) + " of all requests"),
    ]
    if run.confirmed is not None:
        bodies = result.counts.get("bodies", 0)
        cards.append(Card("Confirmed copies", f"{100 * run.confirmed:.1f} %", f"else {short(bodies)} bodies"))
    received, sent = (
        sum(getattr(second, name) for second in result.series) for name in ("bytes_in", "bytes_out")
    )
    if answered:
        note = f"{size(sent / answered)} sent; in all {size(received)} and {size(sent)}"
        cards.append(Card("Received per answer", size(received / answered), note))
    if "herd" in result.measures:
        cards.append(
            Card("Herd index", f"{result.measures['herd']:.3g}", "busiest node over the mean, windows of 1 s")
        )
    for kind in ("full", "resumed"):
        count = result.counts.get(f"handshakes_{kind}", 0)
        if count and f"handshake_{kind}" in run.distributions:
            took = "p50 {}, p99 {} ms".format(
                *(short(run.latency_ms(percent, f"handshake_{kind}")) for percent in (50, 99))
            )
            cards.append(Card(f"TLS handshakes, {kind}", short(count), took))
    if result.counts.get("pushes") and "push" in run.distributions:
        late = run.latency_ms(99, "push")
        cards.append(Card("Pushes", short(result.counts["pushes"]), f"p99 {short(late)} ms late"))
    sessions, views = (result.counts.get(name, 0) for name in ("sessions", "page_views"))
    cards.append(Card("Users", short(result.users), f"{short(sessions)} sessions, {short(views)} page views"))
    offered = f"{100 * result.generator.offered:.2f}".rstrip("0").rstrip(".")
    lag = f"own lag p99 {short(result.generator.lag_p99_ms)} ms"
    cards.append(Card("Offered of the plan", f"{offered} %", lag))
    return cards


def compared(runs: Sequence[Run]) -> str:
    """The key figures of several runs, one below the other."""
    figures = [{card.name: card.value for card in key_figures(run)} for run in runs]
    names = dict.fromkeys(name for of in figures for name in of)
    rows = [[name, *(of.get(name, "-") for of in figures)] for name in names]
    rows.insert(0, ["Verdict", *(run.result.verdict for run in runs)])
    return table(["", *(run.name for run in runs)], rows)


def events(run: Run) -> str:
    """The notes of a run, numbered as in the charts."""
    rows = [
        [str(number), duration(at), note] for number, (at, note) in enumerate(notes(run.result.series), 1)
    ]
    return table(["", "at", "what happened"], rows)


def nodes(run: Run) -> str:
    """The table of nodes, as their clients saw them."""
    whole = sum(node.requests for node in run.result.nodes)
    rows = [
        [
            node.id,
            node.url,
            node.requests,
            _percent(node.requests, whole),
            node.errors,
            node.bytes_in,
            node.bytes_out,
            node.p50_ms,
            node.p99_ms,
        ]
        for node in run.result.nodes
    ]
    headings = [
        "node",
        "URL",
        "requests",
        "share",
        "errors",
        "bytes received",
        "bytes sent",
        "p50, ms",
        "p99, ms",
    ]
    return table(headings, rows)


def counts(runs: Sequence[Run], take: Callable[[Result], Mapping[str, int]]) -> str:
    """A table with a row for each name that *take* counts."""
    names = sorted({name for run in runs for name in take(run.result)})
    rows = [[name.replace("_", " "), *(take(run.result).get(name, 0) for run in runs)] for name in names]
    return _by_run(runs, rows or [["none", *("" for _ in runs)]])


def generators(runs: Sequence[Run]) -> str:
    """The table of how the generator itself did."""

    def row(name: str, take: Callable[[Run], object]) -> list[object]:
        return [name, *(take(run) for run in runs)]

    return _by_run(
        runs,
        [
            row("offered of the plan", lambda run: f"{100 * run.result.generator.offered:.3f} %"),
            row("own lag, p99", lambda run: f"{short(run.result.generator.lag_p99_ms)} ms"),
            row("own lag, highest", lambda run: f"{short(run.result.generator.lag_max_ms)} ms"),
            row("processes", lambda run: str(run.result.processes)),
            row("CPU time", lambda run: f"{plain(run.result.generator.cpu_seconds)} s"),
            row(
                "cores used",
                lambda run: short(run.result.generator.cpu_seconds / (run.result.seconds or math.nan)),
            ),
            row("requests per second of CPU", lambda run: plain(run.result.generator.per_core)),
            row("memory", lambda run: binary(run.result.generator.memory_bytes)),
            row("memory per user", lambda run: f"{plain(run.result.generator.bytes_per_user)} B"),
        ],
    )


def _by_run(runs: Sequence[Run], rows: Sequence[Sequence[object]]) -> str:
    """A table with a column for each run; a single one needs no name."""
    return table(["", *(run.name for run in runs)] if len(runs) > 1 else [], rows)


def _latency(run: Run, percent: float) -> Card:
    measured = run.result.measures.get(f"p{percent:g}", run.latency_ms(percent))
    raw = run.latency_ms(percent, "raw")
    note = "corrected" if math.isnan(raw) else f"corrected; {short(raw)} ms from the actual send"
    return Card(f"Latency p{percent:g}", f"{short(measured)} ms", note)


def _unit(threshold: str) -> str:
    """Times are measured in milliseconds, whatever unit the threshold has."""
    return " ms" if threshold.rstrip().endswith("s") else ""


def _percent(part: float, whole: float) -> str:
    return f"{short(100 * part / whole)} %" if whole else "-"
