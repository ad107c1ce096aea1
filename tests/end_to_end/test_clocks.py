"""A node whose date is wrong, and is set right while it runs: believed before and after, and told of."""

from __future__ import annotations

import time
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from edge.edgectl.main import main
from tests.commands import run_command
from tests.end_to_end.cluster import RunningCluster, load
from tests.end_to_end.node import RunningNode

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


class SetClock:
    """The clock of *node*, which has not been started yet: ``faketime`` gives it another date."""

    def __init__(self, node: RunningNode) -> None:
        if not LIBRARIES:
            raise SkipTest("faketime is not installed; on Debian: apt-get install faketime")
        self._file = node.directory / "date"
        node.environment = {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds: int) -> None:
        """It is *seconds* ahead from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)


class ClockTests(SynchronousTestCase):
    """n1 publishes, n2 has the right date."""

    def setUp(self) -> None:
        self.cluster = RunningCluster(2)
        self.addCleanup(self.cluster.clean_up)
        self.n1, self.n2 = self.cluster.nodes
        self.clock = SetClock(self.n1)
        self.n1.write("index.html", b"<p>one", time.time() - 60)

    def told(self, node: RunningNode) -> list[str]:
        """Warnings of *node* about a clock."""
        return [
            line for line in node.log.read_text().splitlines() if "#warn" in line and "the clock of" in line
        ]

    def check(self, node: RunningNode) -> tuple[int, str]:
        """Exit code and output of ``edgectl check``."""
        code, said, _ = run_command(main, "--state-dir", str(node.state), "check")
        return code, said

    def fails_with(self, node: RunningNode, word: str) -> bool:
        """Whether ``edgectl check`` fails, and says *word*."""
        code, said = self.check(node)
        return code == 1 and "FAILED" in said and word in " ".join(said.split())

    def wait_for_page(self, body: bytes) -> None:
        """Both serve *body*, and confirm it."""
        for node in self.cluster.nodes:
            node.wait_for(lambda node=node: node.ask("/")[2] == body, f"it serves {body!r}")
            etag = node.ask("/")[1]["ETag"]
            node.wait_for(
                lambda node=node, etag=etag: node.ask("/", {"If-None-Match": etag})[0] == 304, "it confirms"
            )

    def test_a_day_ahead(self) -> None:
        word_here, word_there = "n2 is 24.0 h behind", "n1 is 24.0 h ahead"
        self.clock.set(86_400)
        self.cluster.start()  # n2 joins one whose date is wrong, and both become ready
        self.wait_for_page(b"<p>one")
        for node, word in ((self.n1, word_here), (self.n2, word_there)):
            node.wait_for(lambda node=node: self.told(node), "it warns")
            self.assertIn(word, self.told(node)[0])
            # a machine under load may lose sight of the other for a moment
            node.wait_for(lambda node=node, word=word: self.fails_with(node, word), "its check fails")
            node.wait_for(
                lambda node=node: (
                    "the clock of" in run_command(main, "--state-dir", str(node.state), "status")[1]
                ),
                "its status says so",
            )
        self.n1.write("index.html", b"<p>two", time.time() - 50)
        self.wait_for_page(b"<p>two")

        self.clock.set(0)
        self.n1.write("index.html", b"<p>three", time.time() - 40)
        self.wait_for_page(b"<p>three")
        for node in self.cluster.nodes:
            node.wait_for(lambda node=node: self.check(node)[0] == 0, "all is well")
            node.wait_for(
                lambda node=node: len(self.told(node)) == node.log.read_text().count("over: the clock of"),
                "what began is said to be over",
            )
            node.wait_for(
                lambda node=node: all(one["weight"] > 0 for one in load(node).values()), "all have weight"
            )

        # what it published last is dated a day ahead of any file: a deploy while it is down counts
        self.n1.stop()
        self.n1.write("index.html", b"<p>four", time.time() - 30)
        self.n1.start()
        self.wait_for_page(b"<p>four")
