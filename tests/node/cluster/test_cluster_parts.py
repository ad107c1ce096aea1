"""Leases, progress and acquaintances of a node."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Record
from edge.gossip.packet import Mark
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.node.cluster.known_peers import KnownPeers
from edge.node.cluster.leases import ORIGINS, Leases
from edge.node.cluster.progress import Progress
from edge.table.segment import Segment

NOW = 1_700_000_000_000


class LeaseTests(SynchronousTestCase):
    """Numbers and deadlines in shared memory."""

    def setUp(self) -> None:
        self.segment = Segment.create(capacity=64, arena_bytes=1 << 20, workers=1)
        self.addCleanup(self.segment.close)
        self.leases = Leases(self.segment, "me")

    def test_own_entries_need_none_and_each_other_node_has_its_own(self) -> None:
        self.assertEqual([self.leases.number(name) for name in ("me", "a", "b", "a")], [0, 1, 2, 1])
        self.assertEqual(self.leases.origins(), ["a", "b"])
        self.leases.renew("a", 10)
        self.leases.renew("me", 10)
        self.assertAlmostEqual(self.leases.left("a") or 0, 10, delta=0.5)
        self.assertIsNone(self.leases.left("me"))
        self.assertIsNone(self.leases.left("nobody"))
        self.leases.renew("a", -3)
        self.assertLess(self.leases.left("a") or 0, -2)

    def test_more_origins_than_there_are_numbers_are_never_confirmed(self) -> None:
        for number in range(300):
            self.leases.number(f"n{number}")
        self.assertEqual(self.leases.number("n299"), ORIGINS)
        self.leases.renew("n299", 1000)
        self.assertLess(self.leases.left("n299") or 0, 0)


class ProgressTests(SynchronousTestCase):
    """Who is behind whom."""

    def setUp(self) -> None:
        self.replica = Replica("me", Rows(":memory:"), NOW)
        self.progress = Progress("me", self.replica)

    def test_marks_of_others_say_what_is_missing_here(self) -> None:
        self.assertFalse(self.progress.has_heard)
        self.progress.note("a", (Mark("a", 5, 0),))
        self.assertTrue(self.progress.has_heard)
        self.assertEqual(self.progress.behind(), {})  # it has published nothing
        self.progress.note("a", (Mark("b", 5, 7), Mark("me", 1, 1)))
        self.progress.note("a", (Mark("b", 5, 6),))
        self.assertEqual(self.progress.behind(), {"b": 7})

    def test_peers_say_how_much_of_ours_they_have(self) -> None:
        self.assertEqual(self.progress.peer_behind("a"), 0)  # nothing to be behind of
        self.replica.put(b"/x", 0, (Record(0, bytes(32), 1, b"", b""),), NOW)
        generation = next(one.generation for one in self.replica.marks() if one.origin == "me")
        self.assertIsNone(self.progress.peer_behind("a"))
        self.progress.note("a", (Mark("me", generation, 0),))
        self.assertEqual(self.progress.peer_behind("a"), 1)
        self.progress.note("a", (Mark("me", generation, 1),))
        self.assertEqual(self.progress.peer_behind("a"), 0)
        self.progress.forget("a")
        self.assertIsNone(self.progress.peer_behind("a"))


class AcquaintanceTests(SynchronousTestCase):
    """gossip.json."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "gossip.json"

    def test_addresses_and_generation_survive_and_who_left_is_forgotten(self) -> None:
        kept = KnownPeers(self.path)
        kept.save(7)
        kept.meet("10.0.0.1", 7000)
        kept.meet("fd00::1", 7000)
        kept.meet("10.0.0.1", 7000)
        kept.part("10.0.0.9", 1)
        again = KnownPeers(self.path)
        self.assertEqual((again.generation, again.addresses), (7, ["10.0.0.1:7000", "[fd00::1]:7000"]))
        again.part("fd00::1", 7000)
        self.assertEqual(KnownPeers(self.path).addresses, ["10.0.0.1:7000"])

    def test_the_oldest_addresses_go_when_there_are_too_many(self) -> None:
        kept = KnownPeers(self.path)
        for number in range(100):
            kept.meet(f"10.0.0.{number}", 7000)
        self.assertEqual(len(kept.addresses), KnownPeers.LIMIT)
        self.assertEqual(kept.addresses[-1], "10.0.0.99:7000")

    def test_a_damaged_file_is_set_aside(self) -> None:
        for text in ("", "{", "[]", '{"generation": "x", "addresses": []}',
                     json.dumps({"generation": 1, "addresses": [5]})):  # fmt: skip
            self.path.write_text(text)
            kept = KnownPeers(self.path)
            self.assertEqual(kept.addresses, [])
            self.assertEqual(self.path.with_suffix(".damaged").read_text(), text)
            self.assertFalse(self.path.exists())
