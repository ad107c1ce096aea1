"""Tests wait for nothing without a bound, and start no process that can outlive them."""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).parent
#: Where the helpers are, what tries the wrapper that bounds everything, and what is no test.
EXEMPT = {TESTS / "processes.py", TESTS / "tools/test_bounded.py", TESTS / "fuzz/__main__.py"}
#: What is said of each kind of call.
STARTS = "starts what may outlive the tests: use tests.processes"
WAITS = "waits for ever: give it a timeout, or use tests.processes"


class BoundTests(SynchronousTestCase):
    """The text of the tests."""

    def test_no_test_waits_for_ever(self) -> None:
        found = [line for path in sorted(TESTS.rglob("*.py")) if path not in EXEMPT for line in amiss(path)]
        self.assertEqual(found, [])

    def test_what_would_is_found(self) -> None:
        path = Path(self.mktemp())
        path.write_text(
            "import subprocess\n"
            "from subprocess import Popen\n"
            "def work(process, thread, event, queue):\n"
            "    subprocess.run(['x'])\n"
            "    Popen(['x'])\n"
            "    process.wait(), process.communicate(), thread.join()\n"
            "    process.wait(3), process.communicate(timeout=3), thread.join(3), ', '.join([])\n"
            "async def others(event):\n"
            "    await event.wait()\n"
        )
        self.assertEqual([int(line.split(":")[1]) for line in amiss(path)], [4, 5, 6, 6, 6])


def amiss(path: Path) -> list[str]:
    """``FILE:LINE: what it does`` for each call in *path* that waits, or may, for ever."""
    text = path.read_text()
    if not any(word in text for word in ("subprocess", "threading", "multiprocessing", "processes")):
        return []
    tree = ast.parse(text)
    # trial bounds what a test awaits.
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in awaited]
    return [f"{path.name}:{call.lineno}: {fault}" for call in calls if (fault := _fault(call))]


def _fault(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return STARTS if call.func.id == "Popen" else ""
    if not isinstance(call.func, ast.Attribute) or "timeout" in {one.arg for one in call.keywords}:
        return ""
    name, of = call.func.attr, call.func.value
    if name in ("run", "Popen", "call", "check_call", "check_output"):
        return STARTS if isinstance(of, ast.Name) and of.id == "subprocess" else ""
    waits = (name in ("wait", "join") and not call.args) or (name == "communicate" and len(call.args) < 2)
    return WAITS if waits else ""
