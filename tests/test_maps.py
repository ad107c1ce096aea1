"""The docstring of a package is its map: it names every file that is there, and none that is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import edge

ROOT = Path(edge.__file__).parent.parent
TOP = ("edge", "demonstration", "loadgen", "simulation")
#: A line of a map of C sources: the name, then what it is.
SOURCE = re.compile(r"^    (\w+) {2,}\S", re.MULTILINE)


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

    def test_each_map_names_the_sources_in_c_below_it(self) -> None:
        """A header and a source of one name are one line."""
        folders = sorted({file.parent for top in TOP for file in (ROOT / top).glob("**/*.[ch]")})
        self.assertEqual(
            [str(one.relative_to(ROOT)) for one in folders],
            ["edge/fastpath/src", "edge/tls/src", "loadgen/wire/src"],
        )
        for folder in folders:
            named = self.sources_named_by(folder.parent)
            self.assertEqual(len(named), len(set(named)))
            self.assertEqual(set(named), {file.stem for file in folder.glob("*.[ch]")}, str(folder))

    def test_headers_in_c_include_only_those_above_them_in_the_map(self) -> None:
        """What stands first can be read first."""
        for package in ("edge/fastpath", "edge/tls", "loadgen/wire"):
            named = self.sources_named_by(ROOT / package)
            for header in (ROOT / package / "src").glob("*.h"):
                included = re.findall(r'^#include "(\w+)\.h"', header.read_text(), re.MULTILINE)
                above = named[: named.index(header.stem)]
                self.assertEqual(
                    [one for one in included if one in named and one not in above], [], header.name
                )

    def test_sources_in_c_include_no_more_than_headers_above_them(self) -> None:
        """So that none needs one that needs it; the loop, which has all, and its sockets, which push, do."""
        named = self.sources_named_by(ROOT / "edge/fastpath")
        for source in (ROOT / "edge/fastpath/src").glob("*.c"):
            included = set(re.findall(r'^#include "(\w+)\.h"', source.read_text(), re.MULTILINE))
            below = {one for one in named[named.index(source.stem) + 1 :] if one in included}
            if source.stem != "edge_loop":
                self.assertEqual(below - {"edge_connection"}, set(), source.name)
                self.assertTrue(not below or source.stem == "edge_sockets", source.name)

    def sources_named_by(self, package: Path) -> list[str]:
        return SOURCE.findall(ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or "")
