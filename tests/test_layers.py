"""The cores take bytes and a time: they import neither Twisted nor sockets nor the clock."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import edge

ROOT = Path(edge.__file__).parent
CORES = ("http", "table", "load", "gossip")
FORBIDDEN = {"twisted", "socket", "select", "selectors", "asyncio", "time", "threading", "psutil"}


def imported(file: Path) -> set[str]:
    """Top-level names of the modules that *file* imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


class LayerTests(SynchronousTestCase):
    """What may import what."""

    def test_cores_import_no_shell(self) -> None:
        """File by file."""
        folders = [*(ROOT / core for core in CORES), ROOT.parent / "loadgen" / "models"]
        files = [file for folder in folders for file in sorted(folder.glob("**/*.py"))]
        self.assertGreater(len(files), 20)
        for file in files:
            self.assertEqual(imported(file) & FORBIDDEN, set(), str(file))

    def test_cores_load_without_twisted(self) -> None:
        """Nor do they get it through something else that they import."""
        modules = [
            f"edge.{core}.{file.stem}"
            for core in CORES
            for file in sorted((ROOT / core).glob("*.py"))
            if file.stem != "__init__"
        ]
        program = f"import sys, {', '.join(modules)}; sys.exit('twisted' in sys.modules)"
        self.assertEqual(subprocess.run([sys.executable, "-c", program], check=False).returncode, 0)

    def test_only_tap_and_executables_pick_the_real_reactor(self) -> None:
        """Everything else gets it as a parameter."""
        allowed = {ROOT / "tap.py", ROOT / "node" / "worker.py"}
        for file in ROOT.glob("**/*.py"):
            if file not in allowed:
                self.assertNotIn("from twisted.internet import reactor", file.read_text(), str(file))
