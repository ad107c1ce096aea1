"""The command line of ``loadgen report``: what it writes, and what it answers to what it cannot."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from loadgen.results import Result, save
from tests.commands import run_command
from tests.devices import full_device
from tests.loadgen.report.samples import sample
from tests.loadgen.test_results import result


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    return run_command(main, "report", *map(str, arguments))


class ReportCommandTests(SynchronousTestCase):
    """In a folder of its own."""

    def setUp(self) -> None:
        """Be there."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def saved(self, name: str = "run", of: Result | None = None) -> Path:
        """A result in the folder *name*."""
        save(of or result(), self.folder / name)
        return self.folder / name

    def refused(self, code: int, words: str, *arguments: str | Path) -> None:
        """Answered in one line."""
        got, out, err = run(*arguments)
        self.assertEqual((got, out, err.count("\n")), (code, "", 1), err)
        self.assertIn(words, err)
        self.assertTrue(err.startswith("loadgen report: "), err)

    def test_the_page_is_written_and_named(self) -> None:
        """Whatever the verdict of the run was; nothing temporary stays."""
        page = self.folder / "page.html"
        run_folder = self.saved(of=sample(seconds=20, verdict="threshold"))
        self.assertEqual(run(run_folder, "-o", page), (0, f"{page}\n", ""))
        self.assertTrue(page.read_text().startswith("<!DOCTYPE html>"))
        self.assertEqual(sorted(os.listdir(self.folder)), ["page.html", "run"])

    def test_without_options_it_is_report_html_here(self) -> None:
        """In the working directory; only then."""
        run_folder = self.saved().absolute()
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            self.assertEqual(run(run_folder), (0, "report.html\n", ""))
            os.unlink("report.html")
            self.assertEqual(run(run_folder / "result.json", "--prometheus", "run.prom"), (0, "", ""))
            self.assertEqual(sorted(os.listdir()), ["run", "run.prom"])
        finally:
            os.chdir(before)

    def test_everything_can_be_had_at_once(self) -> None:
        """Page, CSV of each run in a folder, Prometheus text, JSON."""
        a, b = self.saved("a", sample(seconds=20)), self.saved("b", sample("../b/\x00", seconds=30))
        code, out, err = run(a, b, "-o", self.folder / "p.html", "--csv", self.folder / "csv", "--json",
                             "--prometheus", self.folder / "x.prom")  # fmt: skip
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(
            [json.loads(line)["run"] for line in out.splitlines()], ["returning-readers", "../b/\x00"]
        )
        self.assertEqual(sorted(os.listdir(self.folder / "csv")), ["b.csv", "returning-readers.csv"])
        self.assertIn("loadgen_users", (self.folder / "x.prom").read_text())

    def test_csv_of_all_runs_goes_to_one_file(self) -> None:
        """If it is named like one."""
        file = self.folder / "all.csv"
        run(self.saved("a", sample(seconds=20)), self.saved("b", sample("b", seconds=30)), "--csv", file)
        with file.open(newline="") as lines:
            self.assertEqual(len(list(csv.DictReader(lines))), 50)

    def test_runs_of_one_name_have_files_of_their_own(self) -> None:
        """Also when nothing in their names can be in a file's name."""
        a, b = self.saved("a", result(scenario="/")), self.saved("b", result(scenario="//"))
        self.assertEqual(run(a, b, "--csv", self.folder / "csv")[0], 0)
        self.assertEqual(sorted(os.listdir(self.folder / "csv")), ["run-2.csv", "run.csv"])

    def test_a_dash_is_standard_output(self) -> None:
        """Nothing else is written there then."""
        run_folder = self.saved(of=sample(seconds=20))
        page = run(run_folder, "-o", "-")[1]
        self.assertTrue(page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n"))
        out = run(run_folder, "-o", self.folder / "p.html", "--csv", "-")[1]
        self.assertTrue(out.startswith("run,at,") and len(out.splitlines()) == 21)

    def test_json_is_for_machines(self) -> None:
        """All but the seconds and the histograms."""
        said = json.loads(run(self.saved(of=sample(seconds=20)), "--json")[1])
        self.assertEqual((said["verdict"], said["nodes"][2]["id"]), ("ok", "n3"))
        self.assertFalse({"series", "histograms"} & set(said))

    def test_what_is_no_result_is_refused(self) -> None:
        """Missing, garbage, of another version, with a histogram that is none."""
        self.refused(2, "No such file or directory", self.folder / "missing")
        garbage = self.folder / "garbage.json"
        for text in (b"", b"\xff\xfe", b"[]", b'{"v": 1}', b"{" * 100_000):
            garbage.write_bytes(text)
            self.refused(2, "no result of loadgen run", garbage)
        self.refused(2, "version 9", self.saved("v9", result(v=9)))
        self.refused(2, "no HDR histogram", self.saved("h", result(histograms={"raw": "HISTF"})))

    def test_where_nothing_can_be_written_is_told(self) -> None:
        """Without a traceback, and without a half file."""
        run_folder = self.saved()
        self.refused(1, "No such file", run_folder, "-o", self.folder / "no" / "such" / "page.html")
        self.refused(1, "Is a directory", run_folder, "-o", self.folder)
        (self.folder / "file").touch()
        self.refused(1, "the folder cannot be made", run_folder, "--csv", self.folder / "file" / "csv")

    def test_a_device_is_written_to_and_not_replaced(self) -> None:
        """A full one says so."""
        full = full_device()
        self.refused(1, "No space left on device", self.saved(), "-o", full)
        self.assertTrue(stat.S_ISCHR(os.stat(full).st_mode))

    def test_results_are_never_overwritten(self) -> None:
        """By no output, under no name; nor one output by another."""
        run_folder = self.saved()
        file = run_folder / "result.json"
        link = self.folder / "link.html"
        link.symlink_to(file.absolute())
        for output in (file, link, run_folder / ".." / "run" / "result.json"):
            self.refused(2, "this is a result to read", run_folder, "-o", output)
        self.refused(2, "two outputs", run_folder, "-o", "x.html", "--prometheus", "x.html")
        self.refused(2, "two outputs", run_folder, "--json", "--prometheus", "-")

    def test_wrong_usage_exits_with_two(self) -> None:
        """As with every subcommand."""
        self.assertEqual(run()[0], 2)
        self.assertEqual(run(self.saved(), "--nonsense")[0], 2)

    def test_half_a_character_costs_only_itself(self) -> None:
        """JSON can hold what UTF-8 cannot."""
        run_folder = self.saved()
        file = run_folder / "result.json"
        file.write_text(file.read_text().replace('"test"', '"te\\ud800st"'))
        code, _, err = run(run_folder, "-o", self.folder / "p.html")
        self.assertIn(code, (0, 2), err)
