"""Four nodes on four hosts (network namespaces): cables pulled, processes stopped, old state restored."""

from __future__ import annotations

import shutil
import signal
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.end_to_end.cluster import load, states
from tests.end_to_end.network import HostCluster, why_not
from tests.end_to_end.node import PATIENCE, RunningNode

NAMES = ["n1", "n2", "n3", "n4"]


class HostTests(SynchronousTestCase):
    """Each story begins with four nodes that see each other."""

    def setUp(self) -> None:
        if problem := why_not():
            raise SkipTest(problem)
        self.cluster = HostCluster()
        self.addCleanup(self.cluster.clean_up)
        self.network = self.cluster.network
        self.nodes = self.cluster.nodes
        #: When the page was written last.  Files are dated in whole seconds: the first ones are old.
        self.modified = time.time() - 60
        self.nodes[0].write("index.html", b"<p>one", self.modified)
        self.nodes[0].write("old.html", b"<p>old", self.modified)
        self.cluster.start()

    def publish(self, body: bytes) -> None:
        """Have n1 publish *body* as the page, dated later than the one before."""
        n1 = self.nodes[0]
        self.modified += 5
        n1.write("index.html", body, self.modified)
        n1.wait_for(lambda: n1.ask("/")[2] == body, "n1 has published")

    def wait_for_views(self, *views: set[str]) -> None:
        """Each node of a view sees as alive who is in it, and nobody else."""
        for view in views:
            for name in view:
                node = self.nodes[NAMES.index(name)]
                node.wait_for(lambda node=node, view=view: alive(node) == view, f"{name} sees {sorted(view)}")

    def test_a_split_cluster_goes_on_in_both_halves_and_becomes_one_again(self) -> None:
        n1, n2, n3, n4 = self.nodes
        self.network.split(2, 3)
        self.wait_for_views({"n1", "n2"}, {"n3", "n4"})
        for node, other in ((n1, "n3"), (n4, "n2")):
            node.wait_for(lambda node=node, other=other: load(node)[other]["weight"] == 0, "it has no weight")
        self.publish(b"<p>two")
        n2.wait_for(lambda: n2.ask("/")[2] == b"<p>two", "its half has the new version")
        self.assertEqual(n3.ask("/")[2], b"<p>one")
        self.assertEqual(n4.admin("POST", "/purge", {"paths": ["/old.html"]})[1]["purged"], ["/old.html"])
        n3.wait_for(lambda: n3.ask("/old.html")[0] == 404, "its half has purged")
        self.assertEqual(n2.ask("/old.html")[0], 200)
        self.network.heal()
        self.wait_for_views(set(NAMES))
        for node in self.nodes:
            node.wait_for(lambda node=node: node.ask("/")[2] == b"<p>two", "it has the new version")
            node.wait_for(lambda node=node: node.ask("/old.html")[0] == 404, "it has purged")

    def test_a_pulled_cable_costs_one_node_which_comes_back_by_itself(self) -> None:
        n4 = self.nodes[3]
        n4.wait_for(lambda: n4.ask("/")[0] == 200, "it has the body")
        etag = n4.ask("/")[1]["ETag"]
        self.network.unplug(3)
        self.wait_for_views({"n1", "n2", "n3"}, {"n4"})
        self.publish(b"<p>two")
        self.network.heal()
        self.wait_for_views(set(NAMES))
        n4.wait_for(lambda: n4.ask("/")[2] == b"<p>two", "it has what it missed")
        self.assertEqual(n4.ask("/", {"If-None-Match": etag})[0], 200)

    def test_a_node_that_was_stopped_until_it_counted_as_dead_is_one_of_them_again(self) -> None:
        n2 = self.nodes[1]
        n2.wait_for(lambda: n2.ask("/")[0] == 200, "it has the body")
        etag = n2.ask("/")[1]["ETag"]
        assert n2.process is not None
        n2.process.send_signal(signal.SIGSTOP)
        try:
            self.wait_for_views({"n1", "n3", "n4"})
            n3 = self.nodes[2]
            n3.wait_for(lambda: load(n3)["n2"]["weight"] == 0, "n2 has no weight")
            self.publish(b"<p>two")
        finally:
            n2.process.send_signal(signal.SIGCONT)
        self.wait_for_views(set(NAMES))
        n2.wait_for(lambda: n2.ask("/")[2] == b"<p>two", "it has what it missed")
        self.assertEqual(n2.ask("/", {"If-None-Match": etag})[0], 200)
        n3.wait_for(lambda: load(n3)["n2"]["weight"] > 0, "n2 has weight again")

    def test_old_state_and_old_files_restored_do_not_win_over_what_the_cluster_has(self) -> None:
        n1, n2, n3, _ = self.nodes
        kill(n1)
        kill(n3)
        for node in (n1, n3):
            shutil.copytree(node.state, node.directory / "copy", ignore=shutil.ignore_patterns("*.sock"))
        shutil.copytree(n1.site, n1.directory / "old-site")
        n1.start()
        n3.start()
        self.publish(b"<p>two")
        (n1.site / "new.html").write_bytes(b"<p>new")
        (n1.site / "old.html").unlink()
        for node in (n1, n2, n3):
            node.wait_for(lambda node=node: node.ask("/new.html")[0] == 200, "it has the new page")
            node.wait_for(lambda node=node: node.ask("/old.html")[0] == 404, "the old page is gone")
        for node in (n1, n3):
            kill(node)
            shutil.rmtree(node.state)
            (node.directory / "copy").rename(node.state)
        shutil.rmtree(n1.site)
        (n1.directory / "old-site").rename(n1.site)
        n3.start()
        n1.start()
        self.wait_for_views(set(NAMES))
        for node in self.nodes:
            node.wait_for(lambda node=node: node.ask("/")[2] == b"<p>two", "it has the new version")
        # and n1, whose log was behind what the others had of it, can still publish
        self.publish(b"<p>three")
        for node in self.nodes:
            node.wait_for(lambda node=node: node.ask("/")[2] == b"<p>three", "it has the newest version")


def alive(node: RunningNode) -> set[str]:
    """Who is alive in the eyes of *node*."""
    return {name for name, state in states(node).items() if state == "alive"}


def kill(node: RunningNode) -> None:
    """SIGKILL, and wait for the end."""
    assert node.process is not None
    node.process.kill()
    node.process.wait(PATIENCE)
