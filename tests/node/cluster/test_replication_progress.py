"""Replication lag, from what nodes say of their version vectors."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Record
from edge.gossip.packet import VECTOR, LogPosition
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.node.cluster.replication_progress import ReplicationProgress
from simulation.keyring import HashKeyring

NOW = 1_700_000_000_000


class ReplicationProgressTests(SynchronousTestCase):
    """Who is behind whom."""

    def setUp(self) -> None:
        self.replica = Replica("me", Rows(":memory:", HashKeyring("me")), NOW)
        self.progress = ReplicationProgress("me", self.replica)

    def test_positions_of_others_say_what_is_missing_here(self) -> None:
        self.assertFalse(self.progress.has_heard)
        self.progress.note("a", (LogPosition("a", 5, 0),))
        self.assertTrue(self.progress.has_heard)
        self.assertEqual(self.progress.behind(), {})  # it has published nothing
        self.progress.note("a", (LogPosition("b", 5, 7), LogPosition("me", 1, 1)))
        self.progress.note("a", (LogPosition("b", 5, 6),))
        self.assertEqual(self.progress.behind(), {"b": 7})

    def test_a_part_of_a_vector_says_nothing_of_the_rest_and_a_whole_one_does(self) -> None:
        self.progress.note("a", (LogPosition("b", 5, 7), LogPosition("c", 5, 1)))
        self.progress.note("a", (LogPosition("c", 5, 2),), whole=False)
        self.assertEqual(self.progress.behind(), {"b": 7, "c": 2})
        self.assertEqual(self.progress.behind({"z"}), {})
        self.progress.note("a", (LogPosition("c", 5, 2),))
        self.assertEqual(self.progress.behind({"a"}), {"c": 2})
        for number in range(3 * VECTOR):
            self.progress.note("a", (LogPosition(f"x{number}", 5, 2),), whole=False)
        self.assertLessEqual(len(self.progress.behind()), VECTOR)

    def test_peers_say_how_much_of_ours_they_have(self) -> None:
        self.assertEqual(self.progress.peer_behind("a"), 0)  # nothing to be behind of
        self.replica.put(b"/x", 0, (Record(0, bytes(32), 1, b"", b""),), NOW)
        generation = next(one.generation for one in self.replica.version_vector() if one.origin == "me")
        self.assertIsNone(self.progress.peer_behind("a"))
        self.progress.note("a", (LogPosition("me", generation, 0),))
        self.assertEqual(self.progress.peer_behind("a"), 1)
        self.progress.note("a", (LogPosition("me", generation, 1),))
        self.assertEqual(self.progress.peer_behind("a"), 0)
        self.progress.forget("a")
        self.assertIsNone(self.progress.peer_behind("a"))
