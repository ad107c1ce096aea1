"""Whom to ask for a body, and where they are."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import EdgeError
from edge.gossip.members import GossipConfig, Identity
from edge.gossip.membership import Membership
from edge.gossip.packet import DEAD, LEFT, SUSPECT, MembershipUpdate, Packet
from edge.node.cluster.peer_directory import PeerDirectory
from simulation.keyring import HashKeyring


class PeerDirectoryTests(SynchronousTestCase):
    """Of the node ``a`` of eight."""

    def setUp(self) -> None:
        self.membership = Membership(
            Identity("a", 1, "10.0.0.97", 7000, ""), GossipConfig(), HashKeyring("a"), Random(1), 100.0
        )
        for name in "bcdefgh":
            self.membership.connected(name, 1, f"10.0.0.{ord(name)}", 7000 + ord(name), "", 100.0)
        self.directory = PeerDirectory(self.membership, Random(1))

    def becomes(self, name: str, state: int) -> None:
        update = MembershipUpdate(name, state, 1, 0, "10.0.0.1", 7000, "", (1, 1), "c")
        self.membership.receive("c", Packet(updates=(update,)), 100.0)

    def test_who_published_it_is_asked_first_then_everybody_else_in_any_order(self) -> None:
        """So that not all ask the same one when the origin is gone."""
        orders = {tuple(self.directory.holders("e")) for _ in range(20)}
        self.assertEqual({order[0] for order in orders}, {"e"})
        self.assertEqual({frozenset(order) for order in orders}, {frozenset("bcdefgh")})
        self.assertGreater(len(orders), 10)

    def test_only_the_living_are_asked(self) -> None:
        for name, state in (("e", SUSPECT), ("f", DEAD), ("g", LEFT)):
            self.becomes(name, state)
        for origin in "efg":
            self.assertEqual(sorted(self.directory.holders(origin)), ["b", "c", "d", "h"], origin)

    def test_an_origin_that_nobody_knows_leaves_the_others(self) -> None:
        self.assertEqual(sorted(self.directory.holders("zz")), list("bcdefgh"))

    def test_this_node_asks_itself_for_nothing(self) -> None:
        """Not even for what it published itself and has lost."""
        self.assertNotIn("a", self.directory.holders("a"))

    def test_members_have_addresses_also_when_they_are_dead_strangers_have_none(self) -> None:
        self.assertEqual(self.directory.address_of("b"), ("10.0.0.98", 7098))
        self.becomes("b", DEAD)
        self.assertEqual(self.directory.address_of("b")[1], 7098)
        error = self.assertRaises(EdgeError, self.directory.address_of, "zz")
        self.assertIn("zz is not a member", str(error))
