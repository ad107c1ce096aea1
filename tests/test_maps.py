"""The docstring of a package is its map: it names every file that is there, and none that is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import edge

ROOT = Path(edge.__file__).parent.parent
TOP = ("edge", "loadgen", "simulation")


class MapTests(SynchronousTestCase):
    """All packages of the project."""

    def test_each_map_names_the_files_of_its_folder(self) -> None:
        """With or without ``.py``."""
        maps = [file for top in TOP for file in sorted((ROOT / top).glob("**/__init__.py"))]
        self.assertGreater(len(maps), 20)
        for file in maps:
            text = ast.get_docstring(ast.parse(file.read_text())) or ""
            named = set(re.findall(r"(?<![\w/.])(\w+)\.py\b", text)) - {"__main__"}
            modules = {one.stem for one in file.parent.glob("*.py")} - {"__init__", "__main__"}
            folder = str(file.parent.relative_to(ROOT))
            self.assertEqual(named - modules, set(), f"{folder} has none of these")
            unnamed = modules - named - set(re.findall(r"``(\w+)``", text))
            self.assertEqual(unnamed, set(), f"the map of {folder} lacks these")
