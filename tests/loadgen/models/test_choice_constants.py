"""The constants of the choice of a node: one file, two languages."""

from __future__ import annotations

import json
import shutil

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.choice_constants import CHOICE, ChoiceConstants, file, parse
from tests import processes


class TheFile(SynchronousTestCase):
    """The file webroot/edge/worker/choice.js, as both languages read it."""

    def test_both_languages_read_the_same(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise AssertionError(
                "the smart client runs in node, which is not installed (apt-get install nodejs)"
            )
        script = f"import({json.dumps(file().as_uri())}).then((m) => console.log(JSON.stringify(m.CHOICE)))"
        done = processes.run([node, "-e", script], capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(msgspec.json.decode(done.stdout, type=ChoiceConstants), CHOICE)

    def test_a_file_that_is_not_as_described_is_an_error(self) -> None:
        text = file().read_text()
        for wrong in ("", text.replace("export", "exports"), text.replace('"near"', "near"),
                      text.replace('"near"', '"nearly"'), text.replace("};", "}")):  # fmt: skip
            self.assertRaises(ValueError, parse, wrong)
