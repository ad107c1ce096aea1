"""The dissemination queue: how often, in which order, and what replaces what."""

from __future__ import annotations

from math import ceil, log2

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.broadcasts import Broadcasts
from edge.gossip.packet import DEAD, MembershipUpdate, size_of

ROOM = 1000


def update(name: str, incarnation: int = 0, url: str = "") -> MembershipUpdate:
    return MembershipUpdate(name, 0, 1_700_000_000_000, incarnation, "10.0.0.1", 7000, url)


class BroadcastsTests(SynchronousTestCase):
    """One node's."""

    def setUp(self) -> None:
        self.queue = Broadcasts()

    def take(self, room: int = ROOM, nodes: int = 4) -> str:
        """The names that the next message carries."""
        return "".join(one.name for one in self.queue.take(room, nodes)[0])

    def test_an_update_is_sent_three_times_the_logarithm_of_the_cluster(self) -> None:
        for nodes in (1, 2, 4, 7, 8, 1000):
            self.queue.add(update("b"))
            sent = 0
            while self.take(nodes=nodes):
                sent += 1
            self.assertEqual((sent, len(self.queue)), (3 * ceil(log2(nodes + 1)), 0), nodes)

    def test_what_was_sent_least_often_goes_first_then_the_oldest(self) -> None:
        size = size_of(update("b"))
        self.queue.add(update("b"))
        self.assertEqual(self.take(size), "b")
        self.queue.add(update("c"))
        self.queue.add(update("d"))
        self.assertEqual([self.take(size) for _ in range(6)], ["c", "d", "b", "c", "d", "b"])

    def test_a_newer_update_about_a_node_replaces_the_older_one_and_begins_to_count_anew(self) -> None:
        self.queue.add(update("b"))
        for _ in range(8):  # of 9, in a cluster of 4
            self.take()
        newer = MembershipUpdate("b", DEAD, 1, 3, "10.0.0.1", 7000, "")
        self.queue.add(newer)
        self.assertEqual(len(self.queue), 1)
        for _ in range(9):
            self.assertEqual(self.queue.take(ROOM, 4)[0], [newer])
        self.assertEqual(self.take(), "")

    def test_no_message_is_fuller_than_its_room_and_what_it_used_is_told(self) -> None:
        for name in "bcdef":
            self.queue.add(update(name))
        size = size_of(update("b"))
        taken, used = self.queue.take(3 * size + size - 1, 4)
        self.assertEqual((len(taken), used), (3, 3 * size))

    def test_a_large_update_that_does_not_fit_keeps_no_smaller_one_back(self) -> None:
        """And waits, uncounted, for a message with more room."""
        self.queue.add(update("b", url="https://" + "x" * 200))
        self.queue.add(update("c"))
        self.assertEqual(self.take(100), "c")
        self.assertEqual(self.take(), "bc")

    def test_without_room_nothing_is_taken_nor_counted(self) -> None:
        self.queue.add(update("b"))
        for _ in range(20):
            self.assertEqual(self.queue.take(5, 4), ([], 0))
        self.assertEqual(len(self.queue), 1)
