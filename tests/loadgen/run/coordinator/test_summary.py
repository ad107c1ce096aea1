"""What a run prints at its end."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, get_args

from twisted.trial.unittest import SynchronousTestCase

from loadgen.results import Generator, NodeResult, Result, Threshold, Verdict
from loadgen.run.coordinator.summary import print_summary, rows

GENERATOR = Generator(
    offered=0.9987, lag_p99_ms=0.123, lag_max_ms=4.0, cpu_seconds=10.0, per_core=31_234.0,
    memory_bytes=1 << 28, bytes_per_user=157.0,
)  # fmt: skip


def result(**given: Any) -> Result:
    """A run that went well, but for what is given."""
    values: dict[str, Any] = {
        "scenario": "scenarios/x.toml", "title": "Returning readers", "cluster": "http://localhost:8001",
        "began": 1.0, "seconds": 30.0, "users": 100_000, "seed": 7, "processes": 2, "verdict": "ok",
        "generator": GENERATOR,
        "counts": {"sessions": 5000, "page_views": 25_000, "requests": 26_000, "fresh_hits": 900, "failed": 2,
                   "retries": 3, "hedges": 4, "not_modified": 90_000, "bodies": 10_000},
        "measures": {"p50": 1.234, "p90": 2.0, "p99": 5.678, "p99.9": 9.0, "p100": 20.0, "raw_p50": 1.1,
                     "raw_p99": 4.4, "rps": 866.6, "share_304": 0.9, "herd": 1.05},
        "nodes": [NodeResult(id=f"n{number}", url="http://x", requests=6500) for number in (1, 2, 3, 4)],
    }  # fmt: skip
    return Result(**values | given)


def printed(of: Result, path: Path | None = None) -> str:
    """What stands in a terminal then."""
    before, sys.stdout = sys.stdout, io.StringIO()
    try:
        print_summary(of, path)
        return sys.stdout.getvalue()
    finally:
        sys.stdout = before


class SummaryTests(SynchronousTestCase):
    """For people."""

    def test_what_matters_stands_there(self) -> None:
        lines = dict(rows(result()))
        self.assertEqual(lines["users"], "100,000, policy smart, seed 7")
        self.assertEqual(lines["sessions, page views"], "5,000, 25,000")
        self.assertEqual(lines["requests"], "26,000, 867 per second")
        latencies = "p50 1.23 ms, p90 2 ms, p99 5.68 ms, p99.9 9 ms, p100 20 ms"
        self.assertEqual(lines["latency, corrected"], latencies)
        self.assertEqual(lines["confirmed"], "90.00% of 100,000; 900 were fresh and needed no request")
        self.assertEqual(lines["failed"], "2, 0.00% of requests; 3 retries, 4 hedges")
        self.assertIn("n1 6,500, n2 6,500", lines["by node"])
        self.assertIn("31,234 answers a core", lines["generator"])
        self.assertIn("157 B a user", lines["generator"])

    def test_pushes_only_where_there_were_some(self) -> None:
        self.assertNotIn("pushes", dict(rows(result())))
        some = result(counts={"pushes": 1234}, measures={"push_p99": 12.5})
        self.assertEqual(dict(rows(some))["pushes"], "1,234, p99 12.5 ms")

    def test_a_run_in_which_nothing_happened_has_a_summary_too(self) -> None:
        text = printed(result(counts={}, measures={}, nodes=[], verdict="error", reasons=["all died"]))
        self.assertIn("ERROR", text)
        self.assertIn("all died", text)

    def test_each_verdict_is_said_in_a_word(self) -> None:
        words = {verdict: printed(result(verdict=verdict)) for verdict in get_args(Verdict)}
        for verdict, word in (
            ("ok", "OK"), ("threshold", "FAILED"), ("invalid", "INVALID"), ("error", "ERROR"),
            ("interrupted", "INTERRUPTED"),
        ):  # fmt: skip
            self.assertIn(f"\n{word}\n", words.pop(verdict))
        self.assertEqual(words, {})

    def test_thresholds_reasons_and_failures_are_named(self) -> None:
        text = printed(
            result(
                verdict="threshold",
                reasons=["p99 < 5ms: it is 5.678"],
                thresholds=[
                    Threshold(text="p99 < 5ms", measured=5.678, held=False),
                    Threshold(text="errors == 2", measured=2.0, held=True),
                ],
                errors={"closed early": 1234},
            )
        )
        for words in (
            "missed: it is 5.68 ms",
            "held: it is 2",
            "p99 < 5ms: it is 5.678",
            "closed early",
            "1,234",
        ):
            self.assertIn(words, text)

    def test_where_it_is_saved_and_what_to_do_with_it(self) -> None:
        text = printed(result(), Path("results/x/result.json"))
        self.assertIn("Saved in results/x/result.json; loadgen report results/x", " ".join(text.split()))
        self.assertNotIn("Saved", printed(result()))

    def test_brackets_in_names_are_no_markup(self) -> None:
        text = printed(
            result(title="[red]a[/nothing]", errors={"status [503]": 1}, reasons=["[/]"], verdict="error")
        )
        for words in ("[red]a[/nothing]", "status [503]", "[/]"):
            self.assertIn(words, text)
