"""``docs/explanation/capacity.md`` says what the commands in it print."""

from __future__ import annotations

import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.capacity_page import PAGE, renewed
from loadgen import constants

KINDS = (
    "costs -->",
    "verdict -->",
    "workloads -->",
    "resources -->",
    "map -->",
    "answer: ",
    "most: ",
    "part: ",
)


def spoiled(text: str) -> str:
    """The page *text* with one figure that is wrong in the first of each kind of what is shown."""
    for kind in KINDS:
        begin = text.index(f"<!-- {kind}")
        at = next(at for at in range(begin, len(text)) if text[at].isdigit() and text[at - 1] == " ")
        text = text[:at] + ("8" if text[at] == "9" else "9") + text[at + 1 :]
    return text


SHOWN = re.compile(r"<!-- [\w ,]+[^>]*-->\n.*?<!-- end -->\n", re.DOTALL)
MAP = re.compile(r"<!-- map -->\n.*?<!-- end -->\n", re.DOTALL)
#: What only a command may say.
CLAIMS = re.compile(
    r"\b(it (fits|does not fit)|bottleneck|by a factor|takes? most|binds most)\b", re.IGNORECASE
)


class CapacityTests(SynchronousTestCase):
    """The tables and verdicts in the text."""

    def test_everything_shown_is_what_is_printed_and_what_is_not_is_found(self) -> None:
        """A spoiled page becomes the page again: ``python -m benchmarks.capacity_page`` changes nothing."""
        text = PAGE.read_text()
        self.assertGreater(sum(text.count(f"<!-- {kind}") for kind in KINDS), 12)
        self.assertNotEqual(spoiled(text), text)
        self.assertEqual(renewed(spoiled(text)).splitlines(), text.splitlines())

    def test_the_page_goes_with_other_constants(self) -> None:
        """Of a machine twice as fast, on which other things bind: what fits is said by commands alone."""
        text = PAGE.read_text()
        self.assertEqual(CLAIMS.findall(SHOWN.sub("", text)), [])
        document = json.loads(constants.PACKAGED.read_bytes())
        for name, constant in document["constants"].items():
            constant["value"] *= 0.5 if name.endswith("_s") else 0.7
        faster = Path(self.mktemp())
        faster.write_text(json.dumps(document))
        self.patch(constants, "PACKAGED", faster)
        text = MAP.sub("", text)  # they take longest, and have no words
        found = renewed(text)
        self.assertNotEqual(found, text)
        self.assertEqual(SHOWN.sub("", found), SHOWN.sub("", text))
