"""Four real nodes before one application: who has written reads what it wrote, on any of them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import ROOT, RunningNode
from tests.end_to_end.ranking import Ranking

#: Writes, each followed by a read at every node; ``make bench BENCH=apps`` makes more.
WRITES = int(os.environ.get("EDGE_WRITES", "40"))


class Cluster(RunningCluster):
    """Nodes with one application."""

    def __init__(self, count: int, application: Ranking) -> None:
        self.application = application
        super().__init__(count)

    def make(self, number: int, *options: str) -> RunningNode:
        node = RunningNode(*options, workers=1)
        file = node.directory / "edge.toml"
        file.write_text(f'[[app]]\nname = "shop"\nat = "/"\nto = "{self.application.url}"\nshare = ["/**"]\n')
        node.options += ["--config", str(file)]
        return node


class InvalidationTests(SynchronousTestCase):
    """Changes among four nodes."""

    def setUp(self) -> None:
        self.application = Ranking()
        self.addCleanup(self.application.stop)

    def start(self, count: int) -> list[RunningNode]:
        cluster = Cluster(count, self.application)
        self.addCleanup(cluster.clean_up)
        cluster.start()
        return cluster.nodes

    def value(self, node: RunningNode, path: str) -> int:
        status, _, body = node.ask(path)
        self.assertEqual(status, 200, body)
        return int(body)

    def hits(self, node: RunningNode, path: str) -> bool:
        return "hit" in (node.ask(path)[1]["Cache-Status"] or "")

    def test_what_was_written_is_read_on_every_node_and_what_was_read_is_stored(self) -> None:
        nodes = self.start(4)
        seed = random.getrandbits(32)
        chance = random.Random(seed)
        for _ in range(WRITES):
            path = chance.choice(("/a", "/b"))
            written = int(chance.choice(nodes).ask(path, method="POST")[2])
            for node in chance.sample(nodes, 4):
                self.assertGreaterEqual(self.value(node, path), written, f"seed {seed}")
        for node in nodes:
            self.assertTrue(self.hits(node, "/a") and self.hits(node, "/b"))
        before = self.application.calls["GET", "/a"]
        for node in nodes:
            node.ask("/a")
        self.assertEqual(self.application.calls["GET", "/a"], before)

    def test_an_operator_purges_a_group_on_all_nodes(self) -> None:
        nodes = self.start(2)
        for node in nodes:
            node.wait_for(lambda node=node: self.hits(node, "/a") and self.hits(node, "/b"), "it is stored")
        self.application.values["/a"] = self.application.values["/b"] = 7
        command = [sys.executable, "-m", "edge.edgectl.main", "--state-dir", str(nodes[0].state)]
        done = subprocess.run(
            [*command, "purge", "--group", "/a", "--app", "shop"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual([self.value(node, "/a") for node in nodes], [7, 7])
        self.assertEqual([self.value(node, "/b") for node in nodes], [0, 0])
        wrong = subprocess.run(
            [*command, "purge", "--group", "/a", "--app", "blog"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("no application blog; it has shop", wrong.stderr)

    def test_a_node_that_was_stopped_answers_nothing_old_when_it_goes_on(self) -> None:
        """Its supervisor hangs; its workers answer until the lease ends, and ask when it has."""
        nodes = self.start(2)
        for node in nodes:
            node.wait_for(lambda node=node: self.hits(node, "/a"), "it is stored")
        assert nodes[1].process is not None
        os.kill(nodes[1].process.pid, 19)
        try:
            written = int(nodes[0].ask("/a", method="POST")[2])
            time.sleep(0.2)
        finally:
            os.kill(nodes[1].process.pid, 18)
        nodes[1].wait_for(lambda: self.value(nodes[1], "/a") >= written, "it has the change")
        self.assertEqual(self.value(nodes[0], "/a"), written)
