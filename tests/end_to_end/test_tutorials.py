"""Lessons done as their pages say: each command as it stands there, each answer as it is shown below it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.docs.pages import DOCS
from tests.end_to_end.cluster import free_port
from tests.end_to_end.node import ROOT


class LessonTestCase(SynchronousTestCase):
    """A folder in place of ``/tmp/lesson``, and free ports in place of those of the page."""

    page: str

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.text = (DOCS / "tutorial" / self.page).read_text("utf-8")
        ports = {port: str(free_port()) for port in ("8080", "7000")}
        self.here = {"/tmp/lesson": str(self.folder), "10.0.0.": "127.0.0.", **ports}
        #: Blocks of commands, each with what is shown below it.
        self.steps = self._steps()

    def _steps(self) -> Iterator[tuple[str, str]]:
        blocks = re.findall(r"^```(\w*)\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)
        for (language, command), (next_language, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
            if not language:
                yield command, shown if next_language == "text" else ""

    def moved(self, text: str) -> str:
        """*text* with the folder, the addresses and the ports of this test."""
        return re.sub("|".join(map(re.escape, self.here)), lambda found: self.here[found[0]], text)

    def shell(self, command: str) -> str:
        """What *command* prints, which ends well."""
        words = ["bash", "-ec", self.moved(command)]
        ended = processes.run(words, cwd=self.folder, env=self._environment(), capture_output=True)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return str(ended.stdout, "utf-8").replace("\r", "")

    def start(self, command: str, log: str) -> subprocess.Popen[bytes]:
        """A node that stays, as in a terminal of its own."""
        with (self.folder / log).open("wb") as output:
            process = processes.start(
                ["bash", "-c", "exec " + self.moved(command)],
                cwd=self.folder, env=self._environment(), stdout=output, stderr=output,
            )  # fmt: skip
        self.addCleanup(process.wait, processes.PATIENCE)
        self.addCleanup(process.terminate)
        return process

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}

    def says(self, log: str, *sentences: str) -> None:
        """Wait until the node has said *sentences*."""
        until, said = time.monotonic() + processes.PATIENCE, ""
        while time.monotonic() < until:
            said = (self.folder / log).read_text("utf-8")
            if all(self.moved(sentence) in said for sentence in sentences):
                return
            time.sleep(0.05)
        self.fail(f"it has not said {sentences}, but:\n{said}")

    def is_as_shown(self, shown: str, printed: str) -> None:
        """Every line that is *shown* was *printed*; of a document the names of what is in it."""
        for line in filter(None, shown.splitlines()):
            if line.startswith("{"):
                self.assertEqual(list(json.loads(printed)), list(json.loads(line)))
            elif line != "...":
                self.assertIn(line, printed.splitlines())


class FirstSiteTests(LessonTestCase):
    """``first-site.md``."""

    page = "first-site.md"

    def test_all_of_it(self) -> None:
        install, make, start, get, ask, ask_many, change, look, drain = self.steps
        self.assertIn("make venv", install[0])
        self.shell(make[0])
        node = self.start(start[0], "log")
        says = re.search(r"It says (.*?)\. It stays", self.text, re.DOTALL)
        assert says is not None
        self.says("log", *re.findall("`([^`]+)`", says[1]))
        self.is_as_shown(get[1], self.shell(get[0]))
        self.assertTrue(self.shell(ask[0]).startswith("HTTP/1.1 304"))
        self.is_as_shown(ask_many[1], self.shell(ask_many[0]))
        self.assertEqual(json.loads(self.shell(ask_many[0]))["stale"], [])
        self.shell(change[0])
        until = time.monotonic() + processes.PATIENCE
        while not json.loads(self.shell(ask_many[0]))["stale"]:
            self.assertLess(time.monotonic(), until, "it has not noticed the change")
        self.assertEqual(json.loads(self.shell(ask_many[0]))["stale"], [0])
        self.shell(look[0])
        self.shell(drain[0])
        self.assertEqual(node.wait(processes.PATIENCE), 0)


class FirstClusterTests(LessonTestCase):
    """``first-cluster.md``, on one machine."""

    page = "first-cluster.md"

    def test_two_of_the_four_find_each_other_and_serve_one_site(self) -> None:
        certify, bring, first, second, members, *_ = self.steps
        (self.folder / "site").mkdir()
        (self.folder / "site" / "index.html").write_text("<h1>Hello")
        self.shell(certify[0])
        for name in ("n1", "n2"):
            self.shell(bring[0].replace("n1", name))
        more = re.search(r"add `(--workers [^`]+)` to each", self.text)
        assert more is not None
        self.start(f"{first[0].rstrip()} {more[1]}", "log1")
        self.start(f"{second[0].rstrip()} {more[1]}", "log2")
        self.says("log1", "n2 is alive", "ready")
        self.says("log2", "n1 is alive", "ready")
        self.assertEqual(self.shell("curl -s http://10.0.0.2:8080/"), "<h1>Hello")
        header = next(line for line in members[1].splitlines() if line.startswith("node"))
        printed = self.shell(members[0].replace("n3", "n2")).splitlines()
        self.assertIn(header.split(), [line.split() for line in printed])
