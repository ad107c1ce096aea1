"""``gossip.json``: the addresses of peers, remembered over restarts."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.node.cluster.known_peers import KnownPeers


class KnownPeersTests(SynchronousTestCase):
    """gossip.json."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "gossip.json"

    def test_addresses_and_generation_survive_and_who_left_is_forgotten(self) -> None:
        kept = KnownPeers(self.path)
        kept.save(7)
        kept.add("a", "10.0.0.1", 7000)
        kept.add("b", "fd00::1", 7000)
        kept.add("a", "10.0.0.1", 7000)
        kept.remove("10.0.0.9", 1)
        again = KnownPeers(self.path)
        self.assertEqual((again.generation, again.addresses), (7, ["10.0.0.1:7000", "[fd00::1]:7000"]))
        self.assertEqual(again.hosts, {"10.0.0.1", "fd00::1"})
        again.remove("fd00::1", 7000)
        self.assertEqual(again.hosts, {"10.0.0.1"})
        self.assertEqual(KnownPeers(self.path).addresses, ["10.0.0.1:7000"])

    def test_the_oldest_addresses_go_when_there_are_too_many(self) -> None:
        kept = KnownPeers(self.path)
        for number in range(100):
            kept.add(f"n{number}", f"10.0.0.{number}", 7000)
        self.assertEqual(len(kept.addresses), KnownPeers.LIMIT)
        self.assertEqual(kept.addresses[-1], "10.0.0.99:7000")

    def test_a_node_that_is_somewhere_else_each_time_takes_the_place_of_nobody(self) -> None:
        kept = KnownPeers(self.path)
        kept.add("a", "10.0.0.1", 7000)
        kept.add("b", "10.0.0.2", 7000)
        kept.add("evil", "10.0.0.2", 7000)
        for port in range(1000):
            kept.add("evil", "10.6.6.6", port)
        self.assertEqual(kept.addresses, ["10.0.0.1:7000", "10.0.0.2:7000", "10.6.6.6:999"])

    def test_a_damaged_file_is_set_aside(self) -> None:
        for text in ("", "{", "[]", '{"generation": "x", "addresses": []}',
                     '{"generation": Infinity, "addresses": []}', '{"generation": -1, "addresses": []}',
                     '{"generation": 1e400, "addresses": []}', "[" * 100_000,
                     json.dumps({"generation": 10**30, "addresses": []}),
                     json.dumps({"generation": 1, "addresses": [5]})):  # fmt: skip
            self.path.write_text(text)
            kept = KnownPeers(self.path)
            self.assertEqual(kept.addresses, [])
            self.assertEqual(self.path.with_suffix(".damaged").read_text(), text)
            self.assertFalse(self.path.exists())
