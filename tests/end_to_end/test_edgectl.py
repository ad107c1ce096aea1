"""``edgectl`` against a real node: both sides mean the same."""

from __future__ import annotations

import json

from twisted.trial.unittest import TestCase

from edge.edgectl.main import main
from tests.commands import run_command
from tests.end_to_end.node import PATIENCE, RunningNode


class EdgectlTests(TestCase):
    """Each command once, on one node."""

    def test_every_command_is_understood(self) -> None:
        """From the first look to the end of the node."""
        node = RunningNode("--no-smart-client", workers=1)
        self.addCleanup(node.clean_up)
        node.write("a.html", b"<p>one</p>")
        node.start()

        def edgectl(*arguments: str) -> tuple[int, str, str]:
            return run_command(main, "--state-dir", str(node.state), *arguments)

        code, out, _ = edgectl("status")
        self.assertEqual(code, 0)
        self.assertIn("node n1 of cluster edge", out)
        self.assertEqual(json.loads(edgectl("--json", "status")[1])["site"]["resources"], 1)
        code, out, _ = edgectl("purge", "/a.html", "/none")
        self.assertEqual((code, out.split()), (1, ["purged", "/a.html", "unknown", "/none"]))
        self.assertEqual(node.ask("/a.html")[0], 404)
        self.assertEqual(json.loads(edgectl("--json", "publish")[1])["puts"], 1)
        self.assertEqual(node.ask("/a.html")[0], 200)
        code, _, err = edgectl("publish", "/nonexistent")
        self.assertEqual(code, 1)
        self.assertIn("/nonexistent", err)
        self.assertEqual(node.ask("/a.html")[0], 200)
        self.assertEqual(edgectl("check")[0], 0)
        self.assertIn("none of them speaks TLS", edgectl("certificates")[1])
        code, _, err = edgectl("certificates", "--renew")
        self.assertEqual(code, 1)
        self.assertIn("--tls-auto has one got by itself", err)
        self.assertIn('edge_requests_total{path="fast",worker="0"}', edgectl("metrics")[1])
        self.assertIn("draining", edgectl("drain")[1])
        assert node.process is not None
        self.assertEqual(node.process.wait(PATIENCE), 0)
