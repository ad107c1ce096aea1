"""``loadgen simulate`` as people call it: output, files, and every wrong input."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from loadgen import cli

#: A short and small one.
SMALL = ("--hours", "0.1", "--users", "200000", "--step", "2", "--peak-to-mean", "1", "--model", "MODEL")


class Calling(SynchronousTestCase):
    """Calls the command line."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.model = self.folder / "users.toml"
        self.model.write_text("[users]\nkept_pages = 12\npages = 50\nreturn_interval_s = 600\n")

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        given = [str(self.model) if one == "MODEL" else one for one in arguments]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(["simulate", *given])
        return code, out.getvalue(), err.getvalue()

    def refused(self, *arguments: str) -> str:
        """The one line that a wrong call is answered with."""
        code, out, err = self.call(*arguments)
        self.assertEqual((code, out), (2, ""))
        self.assertEqual(err.count("\n"), 1, err)
        self.assertTrue(err.startswith("loadgen simulate: "), err)
        return err


class Showing(Calling):
    """What comes out."""

    def test_tables_of_every_policy_fit_into_a_terminal(self) -> None:
        code, out, _ = self.call(*SMALL)
        self.assertEqual(code, 0)
        for word in ("smart", "least-loaded", "two-choices", "random", "one", "herd", "n4", "Mbit/s"):
            self.assertIn(word, out)
        self.assertLessEqual(max(len(line) for line in out.splitlines()), 80)

    def test_json_on_standard_output_is_nothing_but_json(self) -> None:
        code, out, _ = self.call(*SMALL, "--policy", "smart", "--json", "-")
        self.assertEqual(code, 0)
        found: dict[str, Any] = json.loads(out)
        self.assertEqual(list(found["policies"]), ["smart"])
        self.assertEqual(found["inputs"]["users"]["kept_pages"], 12)
        self.assertEqual(len(found["policies"]["smart"]["nodes"]), 4)

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        options = (*SMALL, "--policy", "smart,random", "--exact-sample", "200", "--json", "-")
        self.assertEqual(self.call(*options), self.call(*options))
        self.assertNotEqual(self.call(*options), self.call(*options, "--seed", "2"))

    def test_a_sample_of_users_one_by_one_is_shown_beside_the_cohorts(self) -> None:
        code, out, _ = self.call(*SMALL, "--policy", "smart", "--exact-sample", "500")
        self.assertEqual(code, 0)
        self.assertIn("500 users one by one", out)
        self.assertIn("not_modified", out)

    def test_files_hold_the_same_as_is_shown(self) -> None:
        plot, data = self.folder / "day.html", self.folder / "day.json"
        events = ("--spike", "60,1m,3", "--deploy", "2m,20", "--node-failure", "3m,60s,2")
        code, _, _ = self.call(*SMALL, *events, "--plot", str(plot), "--json", str(data))
        self.assertEqual(code, 0)
        self.assertEqual(len(json.loads(data.read_text())["policies"]), 5)
        page = plot.read_text()
        self.assertIn("Herd index by policy", page)
        self.assertGreaterEqual(page.count("<svg"), 20)

    def test_rho_is_what_the_nodes_come_to(self) -> None:
        rho = ("--rho", "0.5", "--warm-share", "1", "--users", "10000000", "--policy", "smart")
        code, out, _ = self.call(*SMALL, *rho, "--json", "-")
        self.assertEqual(code, 0)
        for node in json.loads(out)["policies"]["smart"]["nodes"]:
            self.assertLess(abs(node["utilization_peak"] - 0.5), 0.04)


class Refusing(Calling):
    """Wrong input."""

    def test_values_out_of_range_name_the_option(self) -> None:
        for option, value in (
            ("--users", "0"), ("--users", "many"), ("--users", "1.5"), ("--users", "nan"), ("--hours", "0"),
            ("--hours", "inf"), ("--hours", "nan"), ("--peak-to-mean", "0.5"), ("--peak-hour", "24"),
            ("--step", "61"), ("--seed", "-1"), ("--nodes", "65"), ("--cores", "0"),
            ("--gbit", "0"), ("--age", "-1"),
            ("--connections", "0"), ("--warm-share", "2"), ("--return-interval", "0"), ("--rho", "3"),
            ("--rho", "nan"), ("--rho", "x"), ("--exact-sample", "0"), ("--exact-sample", "1.5"),
        ):  # fmt: skip
            said = self.refused(option, value) if value[0] != "-" else self.refused(f"{option}={value}")
            self.assertIn(option, said)
            self.assertIn(value, said)

    def test_events_say_how_they_are_written(self) -> None:
        for option, value, hint in (
            ("--spike", "14:00", "AT,FADES,FACTOR"),
            ("--spike", "14:00,30m,0", "1 to 1000"),
            ("--spike", "14:00,0,2", "no time at all"),
            ("--spike", "14:00,30m,x", "no number"),
            ("--spike", "25h,30m,2", "after the end"),
            ("--node-failure", "20:00,10m", "AT,LASTS,NODE"),
            ("--node-failure", "20:00,10m,0", "numbered from 1"),
            ("--node-failure", "20:00,10m,5", "no node 5 among 4"),
            ("--deploy", "16:00,0", "1 resource or more"),
            ("--deploy", "noon,10", "no time"),
            ("--deploy", "16:00,999999", "the site has"),
        ):
            said = self.refused(option, value)
            self.assertIn(option, said)
            self.assertIn(hint, said)

    def test_what_does_not_fit_together_is_said(self) -> None:
        self.assertIn("give one of them", self.refused("--rho", "0.5", "--return-interval", "60"))
        self.assertIn(
            "give --users", self.refused("--rho", "0.8", "--users", "100", "--model", str(self.model))
        )
        self.assertIn("too long for think times", self.refused("--step", "15"))
        self.assertIn("only 10 users", self.refused("--users", "10", "--exact-sample", "11"))
        self.assertIn("least-loaded", self.refused("--policy", "smartest"))

    def test_a_model_file_that_is_none(self) -> None:
        self.assertIn("users.toml", self.refused("--model", str(self.folder / "other" / "users.toml")))
        for text, hint in (
            ("[users", "no TOML"),
            ("users = 3\n", "[users]"),
            ("[site]\npages = 3\n", "no table [users]"),
            ("[users]\npags = 3\n", "pags"),
            ("[users]\npages = 0\n", "pages"),
            ("[users]\nzipf = nan\n", "zipf"),
            ("[users]\nassets_per_page = 2\nshared_assets = 3\n", "more than assets_per_page"),
            ('[users]\nthink = {kind = "pareto"}\n', "pareto"),
        ):
            self.model.write_text(text)
            self.assertIn(hint, self.refused("--model", str(self.model)))

    def test_constants_that_are_none(self) -> None:
        for path in (self.model, self.folder / "none.json"):
            said = self.refused("--constants", str(path))
            self.assertIn(path.name, said)
            self.assertIn("make bench BENCH=constants", said)

    def test_a_file_that_cannot_be_written(self) -> None:
        for option in ("--json", "--plot"):
            code, _, err = self.call(*SMALL, "--policy", "one", option, str(self.folder / "no" / "file"))
            self.assertEqual(code, 1)
            self.assertIn("cannot be written", err)
