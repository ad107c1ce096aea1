"""The seconds as CSV."""

from __future__ import annotations

import csv
import io

from twisted.trial.unittest import SynchronousTestCase

from loadgen.report.columns import columns
from loadgen.results import Result, Second
from tests.loadgen.report.samples import runs, sample
from tests.loadgen.test_results import result


def parsed(*results: Result) -> list[dict[str, str]]:
    """Read as any program would."""
    return list(csv.DictReader(io.StringIO(columns(runs(*results)), newline=""), strict=True))


class ColumnsTests(SynchronousTestCase):
    """Written and read again."""

    def test_every_second_has_its_line_with_all_of_it(self) -> None:
        """Statuses, errors and nodes are columns of their own."""
        one = sample(seconds=120)
        rows = parsed(one)
        self.assertEqual(len(rows), 120)
        for row, second in zip(rows, one.series, strict=True):
            self.assertEqual(int(row["at"]), second.at)
            self.assertEqual(int(row["planned"]), second.planned)
            self.assertEqual(int(row["status_304"]), second.statuses["304"])
            self.assertEqual(int(row["error_timeout"]), second.errors.get("timeout", 0))
            self.assertEqual(int(row["node_n3"]), second.nodes["n3"])
            self.assertEqual(row["notes"], "; ".join(second.notes))
            self.assertEqual(float(row["p99_ms"]), second.latency_ms[2])

    def test_several_runs_stand_below_each_other(self) -> None:
        """In the same columns, told apart by the first."""
        rows = parsed(
            result(series=[Second(at=0, nodes={"a": 1})]), result(scenario="b", series=[Second(at=0)])
        )
        self.assertEqual([(row["run"], row["node_a"]) for row in rows], [("test", "1"), ("b", "0")])

    def test_what_was_not_measured_is_empty(self) -> None:
        """A second without answers has no latency."""
        self.assertEqual(parsed(result(series=[Second(at=0)]))[0]["p99_ms"], "")

    def test_without_seconds_there_is_a_heading(self) -> None:
        """One line, and nothing else."""
        text = columns(runs(result()))
        self.assertEqual(len(text.splitlines()), 1)
        self.assertTrue(text.startswith("run,at,planned,sent,answered,"))

    def test_names_with_commas_quotes_and_lines_come_back(self) -> None:
        """As they were."""
        name = 'a,"b"\r\nc'
        rows = parsed(result(scenario=name, series=[Second(at=0, errors={name: 3})]))
        self.assertEqual((rows[0]["run"], rows[0][f"error_{name}"]), (name, "3"))
