"""What docstrings and comments refer to by its full name exists."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from docs._ext.references import OURS, exists
from tests.docs.pages import ROOT

_ROLE = re.compile(r":(?:mod|class|func|meth|attr|data|exc):`(?:[^`<]*<)?~?([\w.\s]+?)(?:\(\))?>?`")


class DocstringTests(SynchronousTestCase):
    """All modules of the product, and of its tools."""

    def test_every_full_name_leads_to_something(self) -> None:
        wrong, found = [], 0
        for folder in OURS:
            for path in sorted((ROOT / folder).rglob("*.py")):
                for name in _ROLE.findall(path.read_text("utf-8")):
                    name = re.sub(r"\s+", "", name)
                    if name.partition(".")[0] not in OURS:
                        continue
                    found += 1
                    if not exists(name):
                        wrong.append(f"{path.relative_to(ROOT)}: {name}")
        self.assertGreater(found, 100)
        self.assertEqual(wrong, [])
