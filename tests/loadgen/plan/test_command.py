"""``loadgen plan`` from the command line: the project's own plans, everything that can be given wrongly."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import loadgen
from loadgen.cli import main
from tests.commands import run_command

ROOT = Path(loadgen.__file__).parent.parent
TEN_MILLION, SMALL_TEAM = ROOT / "plans" / "ten-million.toml", ROOT / "plans" / "small-team.toml"


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    return run_command(main, "plan", *map(str, arguments))


class PlanCommandTests(SynchronousTestCase):
    """The command."""

    def changed(self, plan: Path, **lines: str) -> Path:
        """A copy of *plan* with other values; each key is there once."""
        text = plan.read_text()
        for key, value in lines.items():
            old = next(line for line in text.splitlines() if line.startswith(f"{key} = "))
            text = text.replace(old, f"{key} = {value}")
        file = Path(self.mktemp())
        file.write_text(text)
        return file

    def history(self, weeks: int = 5, evening: float = 9000.0) -> Path:
        """A CSV file with an evening each day."""
        begin = datetime(2026, 1, 5, tzinfo=timezone.utc)
        lines = ["timestamp,requests_per_second"]
        for hour in range(weeks * 168):
            at = begin + timedelta(hours=hour)
            lines.append(f"{at.isoformat()},{evening if at.hour == 18 else 500.0}")
        file = Path(self.mktemp())
        file.write_text("\n".join(lines) + "\n")
        return file

    def test_a_plan_that_does_not_fit_exits_with_four(self) -> None:
        """Why, what binds and what would have to change, in words."""
        code, out, err = run(TEN_MILLION)
        self.assertEqual((code, err), (4, ""))
        for words in ("It does not fit", "The bottleneck: ", "One server less", "Any one of these alone",
                      "A month costs", "was measured on"):  # fmt: skip
            self.assertIn(words, out)

    def test_a_plan_that_fits_exits_with_zero(self) -> None:
        """With the orders of its burst machines."""
        code, out, _ = run(SMALL_TEAM)
        self.assertEqual(code, 0)
        self.assertIn("It fits.", out)
        self.assertIn("Burst machines", out)

    def test_json_holds_everything(self) -> None:
        """Infinite latencies as null; the tables are not printed."""
        code, out, _ = run(TEN_MILLION, "--json", "-")
        found = json.loads(out)
        self.assertEqual((code, found["feasible"]), (4, False))
        hours = found["assessment"]["hours"]
        self.assertEqual(len(hours), 24)
        self.assertIsNone(hours[20]["p99_ms"])
        self.assertLess(hours[8]["use"]["link in"], 0.1)
        self.assertIn("sensitivity", found)
        self.assertNotIn("Infinity", out)

    def test_json_and_page_go_into_files(self) -> None:
        """Beside the tables."""
        data, page = Path(self.mktemp()), Path(self.mktemp())
        code, out, _ = run(SMALL_TEAM, "--json", data, "--plot", page, "--regions",
                           "push.share=0,0.5", "session.think.mean_s=10,20")  # fmt: skip
        self.assertEqual(code, 0)
        self.assertIn("It fits.", out)
        self.assertTrue(json.loads(data.read_text())["feasible"])
        text = page.read_text()
        self.assertIn("<svg", text)
        self.assertIn("push.share", text)
        self.assertNotRegex(text, r"(src|href)=.https?:")

    def test_a_map_is_printed(self) -> None:
        """Verdicts with what binds."""
        axes = ("session.think.mean_s=30,600", "pages.missing_share=0,0.05")
        _, out, _ = run(TEN_MILLION, "--set", "push.share=0", "--regions", *axes)
        self.assertIn("pages.missing_share \\ session.think.mean_s", out)
        self.assertRegex(out, r"fits \d+%")
        self.assertRegex(out, r"link (in|out) \d+%")

    def test_values_can_be_set_beside_the_file(self) -> None:
        """As a plan of its own would have them."""
        code, out, _ = run(TEN_MILLION, "--set", "users.concurrent_at_peak=100000", "--set", "push.share=0.5")
        self.assertEqual(code, 0)
        self.assertIn("(100,000 concurrent users", out)

    def test_other_constants_give_another_answer(self) -> None:
        """A node ten thousand times as slow is bound by its CPU."""
        constants = json.loads((ROOT / "loadgen" / "constants.json").read_text())
        for name in ("not_modified_s", "body_s", "batch_s"):
            constants["constants"][name]["value"] *= 10_000
        file = Path(self.mktemp())
        file.write_text(json.dumps(constants))
        code, out, _ = run(SMALL_TEAM, "--constants", file)
        self.assertEqual(code, 4)
        self.assertIn("The bottleneck: CPU", out)

    def test_a_history_plans_a_week(self) -> None:
        """In days and hours of the plan's time zone: 18:00 in UTC is 19:00 in Berlin in winter."""
        plan = self.changed(TEN_MILLION, concurrent_at_peak="6_000_000", count_max="4", core_speed="4")
        code, out, _ = run(plan, "--history", self.history())
        self.assertIn("840 samples of 5 weeks", out)
        self.assertRegex(out, r"Mon 18:58 │ Mon 20:00")
        self.assertEqual(code, 0, out)

    def test_a_history_can_say_how_many_users_there_are(self) -> None:
        """As many as make its highest hour, times the growth."""
        plan = self.changed(TEN_MILLION, users='"history"', growth="1.5")
        code, out, _ = run(plan, "--history", self.history())
        self.assertEqual(code, 0, out)
        self.assertIn("make 13,500 requests/s", out)

    def test_what_is_thin_in_a_history_is_said(self) -> None:
        """Few weeks, gaps, timestamps that come twice."""
        file = self.history(weeks=1)
        lines = file.read_text().splitlines()
        file.write_text("\n".join([*lines[:100], lines[99]]))
        _, out, _ = run(TEN_MILLION, "--history", file)
        for words in (
            "Fewer than four weeks",
            "69 hours of the week have no sample",
            "1 timestamps came twice",
        ):
            self.assertIn(words, out)

    def test_everything_wrong_is_told_in_a_line(self) -> None:
        """Exit code 2, the thing, the place, the way out."""
        missing, binary, zeros, garbage = (Path(self.mktemp()) for _ in range(4))
        binary.write_bytes(b"\xff\xfe")
        zeros.write_text("1767571200,0\n")
        garbage.write_text("timestamp,requests_per_second\n1767571200,1\nnonsense\n")
        typo = self.changed(TEN_MILLION)
        typo.write_text(typo.read_text().replace("mean_s = 60", "mean = 60"))
        zone = self.changed(TEN_MILLION, timezone='"Mars"')
        for arguments, words in (
            ((missing,), "plans/ has examples"),
            ((typo,), "unknown key session.think.mean; did you mean mean_s?"),
            ((TEN_MILLION, "--constants", missing), "make bench"),
            ((TEN_MILLION, "--history", missing), "name a CSV file"),
            ((TEN_MILLION, "--history", binary), "no UTF-8"),
            ((TEN_MILLION, "--history", zeros), "nothing but zeros"),
            ((TEN_MILLION, "--history", garbage), "line 3: 'nonsense'"),
            ((zone, "--history", self.history()), "no such time zone"),
            ((TEN_MILLION, "--regions", "push.share=0", "push.share=1"), "cannot stand on both axes"),
            ((TEN_MILLION, "--set", "push.share=1,2"), "--set push.share=1,2: write KEY=VALUE"),
            ((TEN_MILLION, "--set", "push.share=2"), "--set push.share=2: push.share = 2: give a number"),
            ((TEN_MILLION, "--set", "session.minutes=0.5"), "--set: session.think.mean_s = 60: longer than"),
            ((TEN_MILLION, "--regions", "push.share=0", "nothing"), "unknown key nothing"),
        ):
            code, _, err = run(*arguments)
            self.assertEqual(code, 2, words)
            self.assertIn(words, err)
            self.assertNotIn("Traceback", err)

    def test_files_that_cannot_be_written_are_told(self) -> None:
        """Also a full disk."""
        places = ["/nowhere/page.html", *(["/dev/full"] if os.path.exists("/dev/full") else [])]
        for place in places:
            for option in ("--plot", "--json"):
                code, _, err = run(SMALL_TEAM, option, place)
                self.assertEqual(code, 1)
                self.assertIn("give another file", err)
