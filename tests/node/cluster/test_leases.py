"""Leases: until when entries of other nodes may be confirmed."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.members import GossipConfig, Identity
from edge.gossip.membership import Membership
from edge.gossip.packet import LEFT, MembershipUpdate, Packet
from edge.node.cluster.leases import ORIGINS, LeaseRenewal, Leases
from edge.table.segment import Segment
from edge.table.site_state import EVERYTHING, NOTHING
from simulation.keyring import HashKeyring


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
        self.assertEqual(self.leases.number("n299"), NOTHING)
        self.assertEqual(self.leases.without()[-1], "n299")
        self.assertEqual(len(self.leases.without()), 300 - ORIGINS)
        self.leases.renew("n299", 1000)
        self.assertLess(self.leases.left("n299") or 0, 0)

    def test_everything_is_confirmed_as_long_as_what_each_has_published(self) -> None:
        self.leases.renew_everything(10)
        alone = self.segment.lease(EVERYTHING)
        self.leases.renew("a", 8)
        self.leases.renew("b", 3)
        self.leases.renew_everything(10)
        self.assertEqual(self.segment.lease(EVERYTHING), self.segment.lease(self.leases.number("b")))
        self.assertLess(self.segment.lease(EVERYTHING), alone)

    def test_of_an_origin_without_a_number_nothing_makes_everything_confirmed(self) -> None:
        for number in range(ORIGINS + 2):
            self.leases.renew(f"n{number}", 10)
        self.leases.renew_everything(10)
        self.assertEqual(self.segment.lease(EVERYTHING), 0)


class RenewalTests(SynchronousTestCase):
    """Who pushes leases on; by a real membership, whose time the test says."""

    def setUp(self) -> None:
        segment = Segment.create(capacity=64, arena_bytes=1 << 20, workers=1)
        self.addCleanup(segment.close)
        self.leases = Leases(segment, "me")
        self.leases.number("a")
        identity = Identity("me", 1, "10.0.0.1", 7000, "")
        self.membership = Membership(identity, GossipConfig(), HashKeyring("me"), Random(1), 0.0)
        self.membership.connected("a", 5, "10.0.0.2", 7000, "", 0.0)
        progress: Any = SimpleNamespace(behind=lambda: self.behind)
        self.behind: dict[str, int] = {}
        self.renewal = LeaseRenewal(self.leases, self.membership, progress, 10.0)

    def hear(self, state: int, generation: int, now: float) -> None:
        update = MembershipUpdate("a", state, generation, 0, "10.0.0.2", 7000, "")
        self.membership.receive("a", Packet(updates=(update,)), now)

    def is_confirmed(self) -> bool:
        self.leases.renew("a", -1)
        self.renewal.renew()
        return (self.leases.left("a") or 0) > 0

    def test_what_a_node_that_has_left_published_is_confirmed_also_when_it_is_no_member_any_more(
        self,
    ) -> None:
        self.assertFalse(self.is_confirmed())
        self.hear(LEFT, 5, 1.0)
        self.assertTrue(self.is_confirmed())
        for second in range(2, 100):
            self.membership.tick(float(second))
        self.assertNotIn("a", self.membership.members)
        self.assertTrue(self.is_confirmed())
        self.behind = {"a": 1}
        self.assertFalse(self.is_confirmed(), "it lacks something of it")

    def test_not_when_it_is_back_and_silent(self) -> None:
        self.hear(LEFT, 5, 1.0)
        self.assertTrue(self.is_confirmed())
        self.membership.connected("a", 6, "10.0.0.2", 7000, "", 2.0)
        self.assertFalse(self.is_confirmed())
