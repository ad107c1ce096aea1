"""The folder stands alone: no Twisted, no socket, no clock."""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import edge.http

#: Of edge: what imports nothing of it.
LEAVES = ("edge.digits", "edge.networks", "edge.remembered")
ALLOWED = {
    "__future__",
    "base64",
    "binascii",
    "collections",
    "dataclasses",
    "datetime",
    "edge",
    "enum",
    "functools",
    "hashlib",
    "os",
    "bisect",
    "itertools",
    "re",
    "typing",
    "urllib",
    "wsproto",
}
#: Of ``os`` only what encodes names, of urllib what decodes them; of datetime nothing that asks for the time.
CLOCKS = {"now", "utcnow", "today", "environ", "open", "read", "stat"}


class PackageTests(SynchronousTestCase):
    def test_the_core_imports_neither_twisted_nor_sockets_nor_the_clock(self) -> None:
        assert edge.http.__file__ is not None
        sources = sorted(Path(edge.http.__file__).parent.glob("*.py"))
        self.assertTrue(len(sources) > 10)
        for source in sources:
            for node in ast.walk(ast.parse(source.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    modules = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    modules = [node.module or ""]
                else:
                    if isinstance(node, ast.Attribute):
                        self.assertNotIn(node.attr, CLOCKS, source.name)
                    continue
                for module in modules:
                    self.assertIn(module.partition(".")[0], ALLOWED, source.name)
                    if module.startswith("edge") and module not in LEAVES:
                        self.assertTrue(module.startswith("edge.http"), f"{source.name}: {module}")

    def test_the_map_names_every_module(self) -> None:
        assert edge.http.__file__ is not None and edge.http.__doc__ is not None
        for source in Path(edge.http.__file__).parent.glob("*.py"):
            if source.stem != "__init__":
                self.assertIn(f"``{source.stem}``", edge.http.__doc__)
