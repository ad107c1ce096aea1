"""``loadgen compare`` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from loadgen.results import Result, save
from tests.commands import run_command
from tests.loadgen.compare.worlds import run


class CompareTests(SynchronousTestCase):
    """Two results."""

    def compare(self, one: Result, other: Result, *options: str) -> tuple[int, str]:
        folder = Path(self.mktemp())
        for name, result in (("a", one), ("b", other)):
            save(result, folder / name)
        code, out, err = run_command(main, "compare", str(folder / "a"), str(folder / "b"), *options)
        return code, out + err

    def test_worse_is_two_and_equal_or_better_is_zero(self) -> None:
        code, said = self.compare(run(1), run(2, 1.3))
        self.assertEqual(code, 2)
        self.assertIn("B is worse.", said)
        self.assertIn("second by second", said)
        code, said = self.compare(run(1), run(2))
        self.assertEqual(code, 0, said)
        self.assertIn("no difference shown", said)
        code, said = self.compare(run(1), run(2, 0.7))
        self.assertEqual(code, 0)
        self.assertIn("better", said)

    def test_a_margin_is_what_it_may_be_worse(self) -> None:
        code, said = self.compare(run(1), run(2, 1.3), "--margin", "60%")
        self.assertEqual(code, 0)
        self.assertIn("within the margin", said)

    def test_runs_that_say_nothing_are_three_and_named(self) -> None:
        invalid = msgspec.structs.replace(run(1), verdict="invalid", reasons=["it was late"])
        code, said = self.compare(invalid, run(2))
        self.assertEqual(code, 3)
        self.assertIn("it was late", said)
        self.assertEqual(self.compare(run(1, seconds=10), run(2, seconds=10))[0], 3)

    def test_runs_that_are_not_alike_are_said(self) -> None:
        other = msgspec.structs.replace(run(2), users=99)
        _, said = self.compare(run(1), other)
        self.assertIn("users 10 and 99", said)
        self.assertIn("by means", said)

    def test_as_json_and_wrong_usage(self) -> None:
        code, said = self.compare(run(1), run(2, 1.3), "--json")
        told = json.loads(said)
        self.assertEqual((told["code"], told["measures"]["p50"]["verdict"]), (code, "worse"))
        for options in (("--confidence", "10"), ("--margin", "much")):
            code, said = self.compare(run(1), run(2), *options)
            self.assertEqual(code, 2)
            self.assertIn(options[0], said)
