"""The data of the demonstration site."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ops.unicode_site import blocks, build, facts, main


class UnicodeSiteTests(SynchronousTestCase):
    """Built once into a folder of its own."""

    def test_every_character_is_on_one_page_and_in_one_file(self) -> None:
        folder = Path(self.mktemp())
        os.makedirs(folder)
        self.assertGreater(build(folder), 3000)
        self.assertEqual(build(folder), 0)  # it is there
        wanted = {
            code
            for code in range(0x110000)
            if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")
        }  # fmt: skip
        known = [
            code for file in (folder / "data" / "chars").iterdir() for code in json.loads(file.read_text())
        ]
        # Blocks that are newer than our table are missing.
        self.assertGreaterEqual(len(known), 144_000)
        self.assertLessEqual({int(code, 16) for code in known}, wanted)
        self.assertEqual(len(known), len(set(known)))
        pages = "".join(file.read_text("utf-8") for file in (folder / "block").iterdir())
        self.assertEqual(pages.count('data-code="'), len(known))
        self.assertIn("41 LATIN CAPITAL LETTER A\n", (folder / "data" / "names.txt").read_text())

    def test_blocks_are_in_order_and_names_differ(self) -> None:
        found = blocks()
        self.assertGreater(len(found), 300)
        self.assertEqual(sorted(found, key=lambda block: block.first), list(found))
        self.assertEqual(len({block.slug for block in found}), len(found))

    def test_facts_of_a_character(self) -> None:
        self.assertEqual(
            facts(0x41), {"name": "LATIN CAPITAL LETTER A", "category": "uppercase letter",
                          "bidirectional": "L", "lower": "a"},
        )  # fmt: skip
        self.assertEqual(facts(0xBD)["numeric"], "0.5")

    def test_no_folder(self) -> None:
        self.assertEqual(main(["/no/such/folder"]), 2)
