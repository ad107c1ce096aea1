"""The measured constants: the file that comes along, and files that are wrong."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.constants import TRIES, Notes, machine, until_plausible
from loadgen import constants
from loadgen.errors import UsageError


class ThePackagedFile(SynchronousTestCase):
    """loadgen/constants.json."""

    def test_it_holds_every_constant_with_its_unit_and_how_it_was_measured(self) -> None:
        file = constants.read()
        self.assertEqual(tuple(file.constants), constants.NAMES)
        for name, constant in file.constants.items():
            self.assertEqual(constant.unit, constants.unit(name))
            self.assertGreater(len(constant.how), 10, name)
        self.assertTrue(file.machine.cpu and file.machine.kernel and file.machine.python)

    def test_its_values_keep_what_the_node_promises(self) -> None:
        found = constants.load()
        self.assertLessEqual(found.not_modified_bytes, 200)
        self.assertLess(found.validator_s, found.not_modified_s)
        self.assertLess(found.connection_memory, found.socket_memory)

    def test_units_follow_from_names(self) -> None:
        self.assertEqual(constants.unit("push_s"), "s")
        self.assertEqual(constants.unit("body_s_per_kilobyte"), "s")
        self.assertEqual(constants.unit("push_bytes"), "B")
        self.assertEqual(constants.unit("tls_memory"), "B")


class Measured(SynchronousTestCase):
    """On a machine that is busy now and then."""

    def measured(self, values: list[float]) -> tuple[float, list[str]]:
        """What is kept of a cost that comes out as these *values*, and where it was measured."""
        notes, folders, coming = Notes(), [], iter(values)

        def section(folder: Path) -> None:
            folders.append(folder.name)
            notes.put("push_s", next(coming), "by a test")

        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            until_plausible("part", section, Path("somewhere"))
        self.assertEqual(said.getvalue().count("once more"), len(folders) - 1)
        return notes.constants["push_s"].value, folders

    def test_a_cost_below_nothing_is_measured_again_and_nothing_else_is_lost(self) -> None:
        self.assertEqual(self.measured([-1.0, 0.0, 2.0]), (2.0, ["part-1", "part-2", "part-3"]))
        with self.assertRaises(SystemExit) as caught:
            self.measured([-1.0] * TRIES)
        self.assertIn("push_s came out as -1", str(caught.exception))


class WrongFiles(SynchronousTestCase):
    """Each is refused with a line that names the file and how to get another."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.good: dict[str, Any] = json.loads(constants.PACKAGED.read_bytes())

    def refused(self, change: Callable[[dict[str, Any]], object]) -> str:
        """What is said to the packaged file with a *change*."""
        document = json.loads(json.dumps(self.good))
        change(document)
        self.path.write_text(json.dumps(document))
        said = str(self.assertRaises(UsageError, constants.load, self.path))
        self.assertIn(str(self.path), said)
        self.assertIn("make bench BENCH=constants", said)
        return said

    def test_another_file_is_read_as_the_packaged_one(self) -> None:
        self.path.write_text(json.dumps(self.good))
        self.assertEqual(constants.load(self.path), constants.load())

    def test_a_constant_that_is_missing_or_unknown(self) -> None:
        self.assertIn("push_s missing", self.refused(lambda document: document["constants"].pop("push_s")))
        more = {"value": 1, "unit": "s", "how": "guessed"}
        said = self.refused(lambda document: document["constants"].update(pull_s=more))
        self.assertIn("pull_s: there is no such constant", said)

    def test_values_that_cannot_be(self) -> None:
        for value in (0, -1.5, "5 us", None):
            said = self.refused(lambda document: document["constants"]["push_s"].update(value=value))  # noqa: B023
            self.assertIn("no measured constants", said)

    def test_another_unit(self) -> None:
        said = self.refused(lambda document: document["constants"]["push_s"].update(unit="us"))
        self.assertIn("push_s is in 'us', not in 's'", said)

    def test_another_version(self) -> None:
        self.assertIn("version 2", self.refused(lambda document: document.update(v=2)))

    def test_what_is_no_such_file_at_all(self) -> None:
        for text in ("", "[]", "{", "\x00"):
            self.path.write_text(text)
            self.assertIn(
                "no measured constants", str(self.assertRaises(UsageError, constants.load, self.path))
            )
        missing = self.path.with_name("missing.json")
        self.assertIn("No such file", str(self.assertRaises(UsageError, constants.load, missing)))


class Measuring(SynchronousTestCase):
    """What the benchmark notes beside the values."""

    def test_the_machine_is_named(self) -> None:
        here = machine()
        self.assertTrue(here.cpu and here.cores >= 1)
        self.assertRegex(here.date, r"^\d{4}-\d\d-\d\d$")
