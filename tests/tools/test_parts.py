"""Parts of ``make test`` run beside one another, and each counts as what it printed and left."""

from __future__ import annotations

import io
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tools.parts import Part, Parts, amiss, one
from tools.run_tests import BOUNDS, ROOT, count_trial, shares

#: Seconds for what takes a moment.
PATIENCE = 60.0


def shell(title: str, script: str, seconds: float = PATIENCE) -> Part:
    return Part(title, ["sh", "-c", script], seconds, count_trial)


class PartTests(SynchronousTestCase):
    """Commands of the shell as parts."""

    def setUp(self) -> None:
        self.shown = io.TextIOWrapper(io.BytesIO())
        self.patch(sys, "stdout", self.shown)
        self.patch(os, "environ", {**os.environ, "TEST_GRACE": "0.3"})
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.parts = Parts(self.folder, time.monotonic() + PATIENCE)

    def output(self) -> str:
        self.shown.flush()
        return self.shown.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]

    def counts(self) -> dict[str, tuple[int, int]]:
        return {result.title: (result.passed, result.failed) for result in self.parts.results}

    def test_each_counts_by_what_it_printed(self) -> None:
        good = shell("good", "echo 'PASSED (successes=3)'")
        bad = shell("bad", "echo 'FAILED (failures=1, successes=2)'; exit 1")
        self.assertTrue(self.parts.run([good]))
        self.assertFalse(self.parts.run([bad]))
        self.assertEqual(self.counts(), {"good": (3, 0), "bad": (2, 1)})
        self.assertIn("--- bad: sh -c echo", self.output())
        self.assertRegex(
            self.output(),
            r"\nFAILED \(failures=1, successes=2\)\n--- bad: 2 passed, 1 failed in \d+ s\n",
        )

    def test_two_run_at_a_time_and_each_is_shown_in_one_piece(self) -> None:
        # Each waits for what the other one does.
        a = shell("a", "echo a1; touch a; until [ -e b ]; do sleep 0.01; done; echo 'PASSED (successes=1)'")
        b = shell("b", "echo b1; touch b; until [ -e a ]; do sleep 0.01; done; echo 'PASSED (successes=1)'")
        self.assertTrue(self.parts.run([a, b], slots=2))
        lines = [line for line in self.output().splitlines() if not line.startswith("---")]
        self.assertEqual(
            sorted([lines[:2], lines[2:]]), [[one, "PASSED (successes=1)"] for one in ("a1", "b1")]
        )

    def test_one_that_hangs_is_broken_off_with_the_name_of_its_last_test(self) -> None:
        hanging = shell("hanging", "printf 'tests.a.A.test_a ... [OK]\\ntests.a.A.test_b ... '; sleep 999", 1)
        self.assertFalse(self.parts.run([hanging, shell("next", "echo 'PASSED (successes=1)'")], slots=1))
        self.assertEqual(self.counts(), {"hanging": (0, 1), "next": (1, 0)})
        told = "hanging: broke off: it has not ended after 1 seconds; the last test was tests.a.A.test_b\n"
        self.assertIn(told, self.output())

    def test_processes_that_one_leaves_are_one_failure(self) -> None:
        leaving = shell("leaving", "sleep 986 & sleep 987 & echo 'PASSED (successes=1)'")
        self.assertFalse(self.parts.run([leaving]))
        self.assertEqual(self.counts(), {"leaving": (1, 1)})
        self.assertRegex(self.output(), r"--- leaving: left running: \d+ sleep 986\n")

    def test_all_together_have_a_bound(self) -> None:
        parts = Parts(self.folder, time.monotonic())
        self.assertFalse(parts.run([shell("late", "sleep 999")]))
        self.assertEqual([(result.passed, result.failed) for result in parts.results], [(0, 1)])

    def test_last_tests_of_others_are_known_as_well(self) -> None:
        for printed, last in (
            ("# Subtest: it is\nok 1 - it is\n  ---\n", "it is"),
            ("ok - it is so\n", "it is so"),
        ):
            self.assertEqual(
                amiss(f"{printed}\nbounded: broke off: x\n"), [f"broke off: x; the last test was {last}"]
            )
        self.assertEqual(amiss("\nbounded: broke off: x\n"), ["broke off: x"])

    def test_what_failed_and_was_skipped_is_told_again(self) -> None:
        script = """cat <<'END'
tests.a.A.test_a ... [OK]
tests.a.A.test_b ... [FAILURE] 3.0 s
tests.a.A.test_c ... [SKIPPED]
not ok 3 - so it is
not ok - or so
FAILED (failures=1, skips=1, successes=1)
END
"""
        self.parts.run([shell("failing", script)])
        (result,) = self.parts.results
        self.assertEqual(result.failures, ["tests.a.A.test_b", "so it is", "or so"])
        self.assertEqual((result.failed, result.skipped), (1, 1))

    def test_what_fails_beside_others_and_passes_alone_is_told_so(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        script = f"echo 'not ok 1 - so it is'; mkdir {folder.absolute()}/twice 2>/dev/null && exit 1; exit 0"
        unsteady = replace(shell("unsteady", script), count=one, again=True)
        self.parts.run([unsteady, replace(shell("steady", "true"), count=one)])
        self.assertEqual([result.failed for result in self.parts.results], [1, 0])
        self.parts.run_again()
        self.assertEqual(
            [(result.title, result.passed, result.failed, result.at_first) for result in self.parts.results],
            [("unsteady", 1, 0, ["so it is"]), ("steady", 1, 0, [])],
        )

    def test_what_fails_twice_has_failed_and_what_may_not_is_not_run_again(self) -> None:
        often = replace(shell("often", "echo 'not ok - x'; false"), count=one, again=True)
        self.parts.run([often, replace(shell("once", "false"), count=one)])
        self.parts.run_again()
        self.parts.run_again()
        self.assertEqual([(r.title, r.failed, r.at_first) for r in self.parts.results],
                         [("often", 1, ["x"]), ("once", 1, [])])  # fmt: skip


class ShareTests(SynchronousTestCase):
    """What trial is given."""

    def test_each_module_of_tests_is_in_one_share(self) -> None:
        given = [name for share in shares() for name in share]
        for path in (ROOT / "tests").rglob("test_*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            within = [one for one in given if f"{name}.".startswith(f"{one}.")]
            self.assertEqual(len(within), 1, f"{name}: {within}")

    def test_bounds_are_those_of_parts_that_are_there(self) -> None:
        text = (ROOT / "tools/run_tests.py").read_text()
        self.assertEqual([title for title in BOUNDS if text.count(f'"{title}') < 2], [])


HANGING = """
import threading
from unittest import TestCase
class HangingTests(TestCase):
    def test_a(self): pass
    def test_b(self): threading.Lock().acquire(); lock = threading.Lock(); lock.acquire(); lock.acquire()
    def test_c(self): pass
"""


class HangingTestTests(SynchronousTestCase):
    """``python -m tests`` ends with a test that hangs in what trial does not bound."""

    def test_it_is_the_last_that_is_named_and_its_stack_is_shown(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "test_hanging.py").write_text(HANGING)
        done = processes.run(
            [sys.executable, "-m", "tests", f"--temp-directory={folder}/t", f"{folder}/test_hanging.py"],
            cwd=ROOT,
            env={**os.environ, "TEST_SECONDS": "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"HangingTests\.test_a \.\.\. \[OK\]\n.*HangingTests\.test_b \.\.\. $")
        self.assertRegex(done.stderr, r'Timeout(.|\n)*test_hanging\.py", line 6 in test_b\n')
        self.assertEqual(count_trial(done.stdout, done.returncode), (0, 1))


FALSIFIED = """
import unittest
from hypothesis import given, strategies as st
class FalsifiedTests(unittest.TestCase):
    @given(st.integers(0, 99))
    def test_one(self, x): assert x < 10
    @given(st.integers(0, 99))
    def test_two(self, y):
        assert y < 90
        if y > 50: raise ValueError
"""


class FalsifiedTests(SynchronousTestCase):
    """``python -m tests`` shows with what a test has failed."""

    def test_examples_of_one_and_of_several_failures_are_shown(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "test_falsified.py").write_text(FALSIFIED)
        done = processes.run(
            [sys.executable, "-m", "tests", f"--temp-directory={folder}/t", f"{folder}/test_falsified.py"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        for argument in ("x=10", "y=51", "y=90"):
            self.assertIn(argument, done.stdout)
