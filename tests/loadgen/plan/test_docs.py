"""``docs/explanation/capacity.md`` says what the commands in it print.

Links carry what they carry; what is bound by the CPU or by memory depends on the machine that the constants
were measured on, and of such a cell only that it does not fit is compared.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

import loadgen
from loadgen.cli import main
from loadgen.plan.regions import Axis, Cell
from loadgen.plan.show import cell, number
from tests.commands import run_command

ROOT = Path(loadgen.__file__).parent.parent
TEXT = (ROOT / "docs" / "explanation" / "capacity.md").read_text()
#: A command in a block of its own, and the first table after it.
MAP = re.compile(
    r"```\n(loadgen plan [^`]+ --regions [^`]+)```\n\n\|([^\n]+)\|\n\|[ |-]+\|\n((?:\|[^\n]+\|\n)+)"
)


def row(line: str) -> list[str]:
    """The cells of a table's line."""
    return [text.strip() for text in line.strip().strip("|").split("|")]


class CapacityTests(SynchronousTestCase):
    """The maps in the text."""

    def printed(self, command: str) -> tuple[Axis, Axis, list[list[Cell]]]:
        """What *command* finds."""
        words = shlex.split(command.replace("\\\n", " "))[1:]
        words[1] = str(ROOT / words[1])
        _, out, err = run_command(main, *words, "--json", "-")
        self.assertEqual(err, "")
        return msgspec.convert(json.loads(out)["regions"], tuple[Axis, Axis, list[list[Cell]]])

    def test_every_map_is_what_its_command_prints(self) -> None:
        """Heads, first columns, and the cells that links decide."""
        maps = MAP.findall(TEXT)
        self.assertEqual(len(maps), 7)
        for command, heading, body in maps:
            across, down, cells = self.printed(command)
            self.assertEqual(row(heading)[-len(across.values) :], [number(value) for value in across.values])
            for value, line, told in zip(down.values, cells, body.splitlines(), strict=True):
                head, *texts = row(told)
                self.assertEqual(head, number(value), command)
                for one, text in zip(line, texts, strict=True):
                    if one.bottleneck.startswith("link"):
                        self.assertEqual(text, cell(one), f"{command}: {value}")
                    else:
                        self.assertEqual(text.startswith("fits"), one.feasible, f"{command}: {value}")
