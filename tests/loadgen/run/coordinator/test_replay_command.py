"""``loadgen replay`` as a user calls it, against a small server; what pipelines get of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from loadgen.results import load
from loadgen.run.coordinator.replay_log import prepare
from loadgen.run.messages.schedule import unpack
from tests.commands import run_command
from tests.loadgen.run.coordinator.serving import Server

#: A busy machine makes a run invalid, which says nothing of what is tested here.
DONE = (0, 3)


def log(
    folder: Path, *requests: tuple[float, str, int], method: str = "GET", name: str = "access.log"
) -> str:
    """A combined log of these: second, target, status."""
    lines = []
    for at, target, status in requests:
        when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(1_700_000_000 + at))
        lines.append(f'192.0.2.{int(at) % 9} - - [{when}] "{method} {target} HTTP/1.1" {status} 5 "-" "M"\n')
    path = folder / name
    path.write_text("".join(lines))
    return str(path)


class ReplayLogTests(SynchronousTestCase):
    """From a log to a schedule."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.schedule = self.folder / "schedule"

    def requests(self) -> list[tuple[float, bytes]]:
        with self.schedule.open("rb") as file:
            return [(one.due_us / 1e6, one.target) for one in unpack(file)]

    def test_times_are_scaled_and_begin_with_the_first_request(self) -> None:
        found = prepare([log(self.folder, (0, "/a", 200), (30, "/b", 304))], self.schedule, speed=10)
        self.assertEqual(self.requests(), [(0.0, b"/a"), (3.0, b"/b")])
        self.assertEqual((found.requests, found.users, found.seconds), (2, 2, 3.0))

    def test_secrets_are_sent_only_when_that_is_said(self) -> None:
        path = log(self.folder, (0, "/a?token=hunter2&page=2", 200))
        self.assertEqual(prepare([path], self.schedule, 1).changed, 1)
        self.assertEqual(self.requests(), [(0.0, b"/a?token=x&page=2")])
        self.assertEqual(prepare([path], self.schedule, 1, with_secrets=True).changed, 0)
        self.assertEqual(self.requests(), [(0.0, b"/a?token=hunter2&page=2")])


class ReplayTests(SynchronousTestCase):
    """The command."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.server = Server()
        self.addCleanup(self.server.close)
        self.server.bodies = {"/a": b"a", "/b": b"b"}

    def run_(self, *arguments: str, code: int | None = None, done: tuple[int, ...] = DONE) -> str:
        out = str(self.folder / "out")
        found, said, err = run_command(main, "replay", *arguments, "--to", self.server.url, "--out", out)
        if code is None:
            self.assertIn(found, done, said + err)
        else:
            self.assertEqual(found, code, said + err)
        return said + err

    def test_every_request_of_the_log_is_asked_and_what_differs_is_told(self) -> None:
        path = log(
            self.folder, *((at, "/a" if at % 2 else "/b", 200) for at in range(20)), (20, "/gone", 200)
        )
        # More than one of a hundred has failed.
        self.run_(path, "--speed", "20", done=(2, 3))
        result = load(self.folder / "out")
        self.assertEqual(result.counts["requests"], 21)
        self.assertEqual(result.errors, {"404, the log has 2xx": 1})
        self.assertEqual(sorted(one for one, _ in self.server.asked), ["/a"] * 10 + ["/b"] * 10 + ["/gone"])

    def test_pipelines_get_junit_and_markdown_also_by_the_environment(self) -> None:
        step, junit, summary = self.folder / "step.md", self.folder / "new" / "j.xml", self.folder / "s.md"
        step.write_text("before\n")
        self.patch(os, "environ", {**os.environ, "GITHUB_STEP_SUMMARY": str(step)})
        path = log(self.folder, (0, "/a", 200), (1, "/b", 200))
        self.run_(path, "--speed", "4", "--junit", str(junit), "--summary", str(summary))
        self.assertIsNotNone(ElementTree.parse(junit).find("testsuite/testcase"))
        self.assertIn("2 requests", summary.read_text())
        self.assertEqual(step.read_text(), "before\n" + summary.read_text())

    def test_a_run_is_ended_before_its_time_and_says_why(self) -> None:
        path = log(self.folder, *((at, "/gone", 200) for at in range(1200)))
        said = self.run_(path, "--speed", "20", "--abort-on", "error_share > 50 %", code=2)
        self.assertIn("by --abort-on error_share > 50 %", " ".join(said.split()))
        result = load(self.folder / "out")
        self.assertEqual(result.verdict, "threshold")
        self.assertTrue(3 <= result.seconds < 60)
        self.assertIn("--abort-on", result.reasons[0])

    def test_wrong_usage_has_a_sentence(self) -> None:
        path = log(self.folder, (0, "/a", 200))
        long = log(self.folder, *((at, "/a", 200) for at in range(0, 300_000, 3000)), name="long")
        for arguments, said in (
            ((path, "--speed", "0"), "--speed"),
            ((path, "--timeout", "-1"), "--timeout"),
            ((path, "--threshold", "p98 < 1"), "--threshold"),
            ((path, "--abort-on", "p99"), "--abort-on"),
            ((path, "--processes", "0"), "--processes"),
            ((path, "--otlp", "nonsense"), "--otlp nonsense"),
            ((log(self.folder, (0, "/a", 200), method="POST", name="post"),), "none of them GET or HEAD"),
            ((long, "--speed", "1"), "--speed 1"),
            ((str(self.folder / "none"),), "No such file"),
        ):
            self.assertIn(said, self.run_(*arguments, code=2))
        code, _, err = run_command(
            main, "replay", path, "--to", "http://192.0.2.1", "--out", str(self.folder)
        )
        self.assertEqual(code, 2)
        self.assertIn("--i-own-this-target", err)
