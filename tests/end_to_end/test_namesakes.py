"""A second process with the name of a node: it gets in nowhere, is told of everywhere, leaves no trace."""

from __future__ import annotations

import shutil

from twisted.trial.unittest import SynchronousTestCase

from edge.edgectl.main import main
from tests.commands import run_command
from tests.end_to_end.cluster import RunningCluster, free_port, load, states
from tests.end_to_end.node import RunningNode


class NamesakeTests(SynchronousTestCase):
    """n1 publishes; n1 and n2 are started once more, elsewhere."""

    def setUp(self) -> None:
        self.cluster = RunningCluster(3)
        self.addCleanup(self.cluster.clean_up)
        self.cluster.nodes[0].write("index.html", b"<p>the site")
        self.cluster.start()

    def duplicate(self, number: int) -> tuple[RunningNode, str]:
        """A second process of the node at *number*, which knows n1 or n3; its gossip address."""
        original, address = self.cluster.nodes[number], f"127.0.0.1:{free_port()}"
        other = self.cluster.gossip[2 if number == 0 else 0]
        node = RunningNode(
            f"--node=n{number + 1}", "--cluster=test", f"--gossip={address}", f"--peer={other}",
            *([] if number == 0 else ["--webroot=none"]), workers=1,
        )  # fmt: skip
        self.addCleanup(node.clean_up)
        node.state.mkdir(parents=True)
        shutil.copytree(original.state / "cluster", node.state / "cluster")
        node.write("index.html", b"<p>another site")
        return node, address

    def said_of(self, node: RunningNode, *addresses: str) -> list[str]:
        """Warnings of *node* that two processes with these addresses bear one name."""
        lines = [
            line for line in node.log.read_text().splitlines() if "#warn" in line and "two processes" in line
        ]
        return [line for line in lines if all(address in line for address in addresses)]

    def is_said_once(self, node: RunningNode, *addresses: str) -> bool:
        """Whether each time that it has begun is over: on a busy machine it may be more than one."""
        lines = [line for line in node.log.read_text().splitlines() if "over: two processes" in line]
        over = [line for line in lines if all(address in line for address in addresses)]
        return len(self.said_of(node, *addresses)) == len(over) > 0

    def all_are_well(self, node: RunningNode) -> None:
        """All three are alive and have weight to *node*: it may lose sight of one, not for long."""
        node.wait_for(
            lambda: (
                list(states(node).values()) == ["alive"] * 3
                and all(one["state"] == "alive" and one["weight"] > 0 for one in load(node).values())
            ),
            "all are alive",
        )

    def go_through(self, number: int) -> None:
        twin, address = self.duplicate(number)
        addresses = (address, self.cluster.gossip[number])
        twin.spawn()
        for node in (*self.cluster.nodes, twin):
            node.wait_for(lambda node=node: self.said_of(node, *addresses), "it warns of both")
            code, said, _ = run_command(main, "--state-dir", str(node.state), "check")
            self.assertEqual((code, "FAILED" in said), (1, True))
        for node in self.cluster.nodes:
            self.all_are_well(node)
            self.assertEqual(node.ask("/")[2], b"<p>the site")
        self.assertEqual(twin.stop(), 0)
        for node in self.cluster.nodes:
            etag = node.ask("/")[1]["ETag"]
            self.assertEqual(node.ask("/", {"If-None-Match": etag})[0], 304)
            self.all_are_well(node)
            node.wait_for(
                lambda node=node: run_command(main, "--state-dir", str(node.state), "check")[0] == 0,
                "all is well again",
            )
            node.wait_for(
                lambda node=node: self.is_said_once(node, *addresses), "said once, and that it is over"
            )

    def test_of_a_reader_and_of_the_publisher(self) -> None:
        self.go_through(1)
        self.go_through(0)
        n1 = self.cluster.nodes[0]
        n1.write("index.html", b"<p>the next site")
        for node in self.cluster.nodes:
            node.wait_for(lambda node=node: node.ask("/")[2] == b"<p>the next site", "it has the change")
            etag = node.ask("/")[1]["ETag"]
            self.assertEqual(node.ask("/", {"If-None-Match": etag})[0], 304)
