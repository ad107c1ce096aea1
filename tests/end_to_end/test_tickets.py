"""Keys of session tickets in a cluster of real nodes."""

from __future__ import annotations

import os
import signal
import stat

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import RunningNode


def keys(node: RunningNode) -> list[str]:
    """Names of the keys of a node, newest first."""
    return list(node.admin("GET", "/status")[1]["tickets"]["keys"])


class ClusterTests(SynchronousTestCase):
    """Three nodes."""

    def test_all_have_the_same_also_after_they_were_all_down(self) -> None:
        cluster = RunningCluster(3)
        self.addCleanup(cluster.clean_up)
        cluster.start()
        first, *others = cluster.nodes
        for node in others:
            node.wait_for(lambda node=node: keys(node) == keys(first), "they agree")
        before = keys(first)
        self.assertTrue(before)
        for node in cluster.nodes:
            self.assertEqual(stat.S_IMODE(os.stat(node.state / "tickets").st_mode), 0o600)
            assert node.process is not None
            node.process.send_signal(signal.SIGKILL)
            node.process.wait(20)
        for node in cluster.nodes:
            node.start()
        for node in cluster.nodes:
            self.assertEqual(keys(node), before)
        self.assertNotIn("secrets of", "".join(node.log.read_text() for node in cluster.nodes))
