"""A result as Markdown (GitHub's), for the page that a pipeline shows of a step."""

from __future__ import annotations

import html
import re

from loadgen.charts.numbers import milliseconds
from loadgen.pipelines.cases import cases
from loadgen.results import Result

_WORDS = {
    "ok": "✅ OK", "threshold": "❌ threshold missed", "invalid": "⚠️ invalid", "error": "❌ error",
    "interrupted": "⚠️ interrupted",
}  # fmt: skip
_LATENCIES = ("p50", "p90", "p95", "p99", "p99.9", "p100")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$@:])")
#: Names come from servers, and may be long.
_MOST = 300


def document(result: Result) -> str:
    """The Markdown; ends with an empty line, so that another one may follow."""
    counts, measures = result.counts, result.measures
    lines = [
        f"### {_text(result.title or result.scenario)}: {_WORDS[result.verdict]}",
        "",
        *(f"* {_text(reason)}" for reason in result.reasons),
        *[""] * bool(result.reasons),
        "| to hold | measured | |",
        "| --- | --- | --- |",
        *(
            f"| {_text(case.name)} | {_text(case.measured)} | {_mark(case.failure, case.is_error)} |"
            for case in cases(result)
        ),
        "",
        "| latency, corrected | " + " | ".join(name for name in _LATENCIES if name in measures) + " |",
        "| --- |" + " ---: |" * sum(name in measures for name in _LATENCIES),
        "| all requests | "
        + " | ".join(milliseconds(measures[name]) for name in _LATENCIES if name in measures)
        + " |",
        "",
        f"{counts.get('requests', 0):,} requests, {measures.get('rps', 0):,.0f} per second, "
        f"{counts.get('failed', 0):,} failed; {result.users:,} users for {result.seconds:,.0f} s, "
        f"seed {result.seed}.",
        "",
    ]
    if result.errors:
        lines += ["| failed because | requests |", "| --- | ---: |"]
        most = sorted(result.errors.items(), key=lambda pair: -pair[1])[:10]
        lines += [f"| {_text(reason)} | {count:,} |" for reason, count in most] + [""]
    return "\n".join(lines) + "\n"


def _mark(failure: str, is_error: bool) -> str:
    return "held" if not failure else "**says nothing**" if is_error else "**missed**"


def _text(text: str) -> str:
    """*text* with nothing in it that Markdown or HTML would take for its own."""
    plain = "".join(one if one.isprintable() else "?" for one in text[:_MOST])
    return html.escape(_SPECIAL.sub(r"\\\1", plain), quote=False)
