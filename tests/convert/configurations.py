"""Configurations of a test, written to a folder and converted."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.config import load
from edge.convert import Draft, Unreadable, convert

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class ConvertTestCase(SynchronousTestCase):
    """Tests with a folder."""

    name = "nginx.conf"

    def setUp(self) -> None:
        self.folder = Path(os.path.abspath(self.mktemp()))
        self.folder.mkdir()

    def write(self, name: str, text: str) -> Path:
        """Write a file of the configuration."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def draft(self, text: str) -> Draft:
        """What *text* comes to."""
        return convert(str(self.write(self.name, text)))

    def toml(self, text: str) -> dict[str, Any]:
        """The TOML of *text*, read again; it has no remarks, and a node takes it."""
        draft = self.draft(text)
        self.assertEqual([str(remark) for remark in draft.remarks], [])
        return self.read(draft)

    def read(self, draft: Draft) -> dict[str, Any]:
        """The TOML of *draft*, read again; a node takes it."""
        document = tomllib.loads(draft.toml())
        checked = self.folder / "checked.toml"
        checked.write_text(_without_folders(draft))
        load({}, checked)
        return document

    def remarks(self, text: str) -> list[str]:
        """The lines of *text* that are named, without the file's name."""
        return [str(one).replace(str(self.folder) + "/", "") for one in self.draft(text).remarks]

    def refused(self, text: str, *words: str) -> None:
        """It is no configuration, and the sentence has these words."""
        sentence = str(self.assertRaises(Unreadable, self.draft, text))
        for word in words:
            self.assertIn(word, sentence)


def _without_folders(draft: Draft) -> str:
    """The TOML without what has to exist on this machine."""
    for site in draft.sites:
        site.keys.pop("webroot", None)
        site.tables.pop("auth", None)
    draft.keys = {
        key: value for key, value in draft.keys.items() if key not in ("listen", "redirect-https", "tls-auto")
    }
    return draft.toml()
