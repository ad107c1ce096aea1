"""Changes of cache groups among nodes: told, settled, missed, doubted; leases of what is cached."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import EVERYTHING, Change, Stamp
from edge.gossip.group_messages import (
    Ask,
    Changed,
    Forgotten,
    Greeting,
    GroupMessage,
    Position,
    Settled,
    decode_group_message,
    encode_group_message,
)
from edge.gossip.invalidation import KEPT, PATIENCE, ChangeSettled, Invalidation, Tell
from edge.gossip.schema import GossipError
from tests.gossip.hostile import Attacker

LEASE = 10.0
Groups = frozenset[str] | None


class Cluster:
    """Nodes whose messages are delivered by hand, in order."""

    def __init__(self, *names: str) -> None:
        self.now = 100.0
        self.nodes: dict[str, Invalidation] = {}
        #: Node -> what was put in force there; None: everything is doubtful.
        self.applied: dict[str, list[list[str] | None]] = {}
        #: Node -> applications that became doubtful there; None: all.
        self.doubted: dict[str, list[str | None]] = {}
        self.settled: list[tuple[str, ChangeSettled]] = []
        self.wires: dict[tuple[str, str], list[GroupMessage]] = {}
        for name in names:
            self.start(name)
        for name in names:
            for other in names:
                if other > name:
                    self.connect(name, other)
        self.deliver()

    def start(self, name: str, generation: int = 1) -> None:
        def apply(change: Change, origin: str, stamp: Stamp) -> None:
            self.applied[name].append(None if change.groups is None else list(change.groups))
            if change.groups is None:
                self.doubted[name].append(change.application)

        self.applied[name], self.doubted[name] = [], []
        self.nodes[name] = Invalidation(name, generation, generation - 1, apply, LEASE, self.now)

    def connect(self, one: str, other: str) -> None:
        for name, peer in ((one, other), (other, one)):
            self.wires[name, peer] = []
            self.nodes[name].joined(peer, self.now)
            self.nodes[name].connected(peer, self.now)

    def disconnect(self, one: str, other: str) -> None:
        for name, peer in ((one, other), (other, one)):
            self.collect()
            self.wires.pop((name, peer), None)
            self.nodes[name].disconnected(peer, self.now)

    def change(self, name: str, *groups: str) -> int:
        return self.nodes[name].changed(Change("shop", frozenset(groups)), self.now)

    def collect(self) -> None:
        for name, node in self.nodes.items():
            for output in node.outputs():
                if isinstance(output, Tell):
                    if (name, output.to) in self.wires:
                        self.wires[name, output.to].append(output.message)
                else:
                    self.settled.append((name, output))

    def deliver(self, *, without: tuple[str, ...] = ()) -> None:
        """Everything, until nobody says anything any more; nothing to or from *without*."""
        while True:
            self.collect()
            ready = [pair for pair, wire in self.wires.items() if wire and not set(pair) & set(without)]
            if not ready:
                return
            for source, target in ready:
                message = decode_group_message(encode_group_message(self.wires[source, target].pop(0)))
                self.nodes[target].receive(source, message, self.now)

    def wait(self, seconds: float, without: tuple[str, ...] = ()) -> None:
        for _ in range(round(seconds / 0.05)):
            self.now += 0.05
            for node in self.nodes.values():
                node.tick(self.now)
            self.deliver(without=without)


class ChangeTests(SynchronousTestCase):
    """One change."""

    def test_it_is_in_force_here_at_once_and_settled_when_all_have_it(self) -> None:
        cluster = Cluster("a", "b", "c")
        number = cluster.change("a", "x")
        self.assertEqual(cluster.applied["a"], [["x"]])
        cluster.collect()
        self.assertEqual(cluster.settled, [])
        cluster.deliver()
        self.assertEqual(cluster.settled, [("a", ChangeSettled(number, frozenset()))])
        self.assertEqual(cluster.applied["b"] + cluster.applied["c"], [["x"], ["x"]])

    def test_a_node_alone_settles_at_once(self) -> None:
        cluster = Cluster("a")
        cluster.change("a", "x")
        cluster.collect()
        self.assertEqual(cluster.settled, [("a", ChangeSettled(1, frozenset()))])

    def test_the_writer_waits_for_nobody_longer_than_patience(self) -> None:
        cluster = Cluster("a", "b", "c")
        cluster.change("a", "x")
        cluster.deliver(without=("c",))
        node = cluster.nodes["a"]
        self.assertLessEqual(node.next_at, cluster.now + PATIENCE)
        node.tick(cluster.now + PATIENCE)
        cluster.collect()
        self.assertEqual(cluster.settled, [("a", ChangeSettled(1, frozenset({"c"})))])
        cluster.deliver()
        self.assertEqual(cluster.applied["c"], [["x"]], "it comes all the same")
        self.assertEqual(len(cluster.settled), 1)

    def test_who_loses_its_stream_is_not_waited_for_and_is_named(self) -> None:
        cluster = Cluster("a", "b")
        cluster.change("a", "x")
        cluster.disconnect("a", "b")
        cluster.collect()
        self.assertEqual(cluster.settled, [("a", ChangeSettled(1, frozenset({"b"})))])

    def test_twice_and_in_any_order_is_once(self) -> None:
        cluster = Cluster("a", "b")
        for group in "xyz":
            cluster.change("a", group)
        cluster.collect()
        wire = cluster.wires["a", "b"]
        wire[:] = [wire[2], wire[0], wire[2], wire[1], wire[0]]
        cluster.deliver()
        self.assertEqual(cluster.applied["b"], [["z"], ["x"], ["y"]])
        self.assertEqual(cluster.nodes["b"].vector()["a"], Stamp(1, 3))
        self.assertEqual([one.sequence for _, one in cluster.settled], [3, 1, 2])

    def test_what_settles_is_the_change_of_this_life(self) -> None:
        cluster = Cluster("a", "b")
        cluster.change("a", "x")
        cluster.nodes["a"].receive("b", Settled(7, 1), cluster.now)
        cluster.nodes["a"].receive("c", Settled(1, 1), cluster.now)
        cluster.collect()
        self.assertEqual(cluster.settled, [])


class MissedTests(SynchronousTestCase):
    """What a node was not told while it was away."""

    def test_it_is_told_when_it_connects_again(self) -> None:
        cluster = Cluster("a", "b")
        cluster.change("a", "x")
        cluster.deliver()
        cluster.disconnect("a", "b")
        cluster.change("a", "y")
        cluster.connect("a", "b")
        cluster.deliver()
        self.assertEqual(cluster.applied["b"], [["x"], ["y"]])
        self.assertEqual(cluster.nodes["b"].neighbours["a"].doubts, 0)

    def test_what_is_not_kept_any_more_makes_everything_of_its_applications_doubtful(self) -> None:
        cluster = Cluster("a", "b")
        cluster.nodes["a"].changed(Change("told", frozenset("x")), cluster.now)
        cluster.deliver()
        cluster.disconnect("a", "b")
        cluster.applied["b"].clear()
        for number in range(KEPT + 3):
            cluster.change("a", f"{number}")
        cluster.nodes["a"].changed(Change("kept", frozenset("y")), cluster.now)
        cluster.connect("a", "b")
        cluster.deliver()
        self.assertEqual(cluster.doubted["b"], ["shop"])
        self.assertIsNone(cluster.applied["b"][0])
        self.assertEqual(len(cluster.applied["b"]), 1 + KEPT)
        self.assertEqual(cluster.nodes["b"].vector()["a"], Stamp(1, KEPT + 5))

    def test_what_is_not_kept_of_a_change_of_all_makes_everything_doubtful(self) -> None:
        cluster = Cluster("a", "b")
        cluster.disconnect("a", "b")
        cluster.nodes["a"].changed(EVERYTHING, cluster.now)
        for number in range(KEPT):
            cluster.change("a", f"{number}")
        cluster.connect("a", "b")
        cluster.deliver()
        self.assertEqual(cluster.doubted["b"], [None])

    def test_a_life_that_ended_without_goodbye_makes_everything_doubtful(self) -> None:
        cluster = Cluster("a", "b")
        cluster.disconnect("a", "b")
        cluster.start("a", generation=2)
        cluster.change("a", "x")
        cluster.connect("a", "b")
        cluster.deliver()
        self.assertEqual(cluster.applied["b"], [None, ["x"]])
        self.assertEqual(cluster.nodes["b"].vector()["a"], Stamp(2, 1))

    def test_a_goodbye_leaves_no_doubt(self) -> None:
        cluster = Cluster("a", "b")
        cluster.change("a", "x")
        cluster.nodes["a"].leave(cluster.now)
        cluster.deliver()
        cluster.disconnect("a", "b")
        cluster.nodes["b"].left("a", cluster.now)
        self.assertEqual(cluster.applied["b"], [["x"]])
        self.assertIsNone(cluster.nodes["b"].sure_until())
        cluster.start("a", generation=2)
        cluster.connect("a", "b")
        cluster.deliver()
        self.assertEqual(cluster.applied["b"], [["x"]])

    def test_a_goodbye_that_was_not_heard_is_none(self) -> None:
        cluster = Cluster("a", "b")
        cluster.nodes["b"].left("a", cluster.now)
        self.assertEqual(cluster.applied["b"], [None])

    def test_what_is_lost_on_a_stream_is_asked_for(self) -> None:
        cluster = Cluster("a", "b")
        cluster.change("a", "x")
        cluster.collect()
        cluster.wires["a", "b"].clear()
        cluster.wait(LEASE)
        self.assertEqual(cluster.applied["b"], [["x"]])

    def test_a_change_whose_greeting_was_overtaken_is_in_force_and_not_settled(self) -> None:
        cluster = Cluster("a", "b")
        cluster.nodes["b"].receive("a", Changed(9, 4, "shop", ("x",)), cluster.now)
        cluster.deliver()
        self.assertEqual(cluster.applied["b"], [["x"]])
        self.assertEqual(cluster.nodes["b"].vector()["a"], Stamp(1, 0))
        cluster.nodes["b"].receive("a", Greeting(9, 8, 1, 0), cluster.now)
        self.assertEqual(cluster.applied["b"], [["x"], None])


class LeaseTests(SynchronousTestCase):
    """Until when cached answers may be given."""

    def test_it_goes_on_as_long_as_all_answer(self) -> None:
        cluster = Cluster("a", "b", "c")
        cluster.wait(3 * LEASE)
        for node in cluster.nodes.values():
            self.assertGreater(node.sure_until() or 0.0, cluster.now + LEASE / 2)

    def test_it_ends_when_one_member_is_not_heard_of(self) -> None:
        cluster = Cluster("a", "b", "c")
        cluster.wait(LEASE + 1, without=("c",))
        self.assertLessEqual(cluster.nodes["a"].sure_until() or 0.0, cluster.now)
        self.assertLessEqual(cluster.nodes["c"].sure_until() or 0.0, cluster.now)
        cluster.wait(LEASE)
        self.assertGreater(cluster.nodes["a"].sure_until() or 0.0, cluster.now)

    def test_an_answer_that_waited_counts_from_when_it_was_asked(self) -> None:
        """The process was stopped: what lay in its buffers says nothing of now."""
        cluster = Cluster("a", "b")
        asked_at = cluster.now
        cluster.nodes["b"].tick(asked_at)
        cluster.collect()
        cluster.now += 5 * LEASE
        cluster.deliver()
        self.assertEqual(cluster.nodes["b"].sure_until(), asked_at + LEASE)

    def test_a_position_that_nobody_asked_for_renews_nothing(self) -> None:
        cluster = Cluster("a", "b")
        before = cluster.nodes["b"].sure_until()
        cluster.now += 1
        for number in (0, 1, 77):
            cluster.nodes["b"].receive("a", Position(1, number, 0), cluster.now)
        self.assertEqual(cluster.nodes["b"].sure_until(), before)

    def test_a_death_makes_everything_doubtful_once_and_lifetimes_short(self) -> None:
        cluster = Cluster("a", "b", "c")
        cluster.disconnect("a", "c")
        for _ in range(2):
            cluster.nodes["a"].died("c", cluster.now)
        self.assertEqual(cluster.applied["a"], [None])
        self.assertEqual(cluster.nodes["a"].dead, ["c"])
        self.assertTrue(cluster.nodes["a"].apart)
        cluster.wait(2 * LEASE)
        self.assertGreater(cluster.nodes["a"].sure_until() or 0.0, cluster.now, "of b alone")
        cluster.connect("a", "c")
        self.assertFalse(cluster.nodes["a"].apart)
        cluster.nodes["a"].died("c", cluster.now)
        cluster.nodes["a"].left("c", cluster.now)
        self.assertFalse(cluster.nodes["a"].apart, "forgotten")

    def test_who_starts_lives_from_hand_to_mouth_until_it_has_met_somebody(self) -> None:
        cluster = Cluster("a", "b")
        cluster.start("c")
        cluster.nodes["c"].expects = True
        self.assertTrue(cluster.nodes["c"].apart)
        cluster.connect("a", "c")
        self.assertTrue(cluster.nodes["c"].apart, "it has not heard how far a is")
        cluster.deliver()
        self.assertFalse(cluster.nodes["c"].apart)

    def test_who_knows_of_a_dead_one_tells_those_who_never_met_it(self) -> None:
        cluster = Cluster("a", "b")
        cluster.nodes["a"].died("b", cluster.now)
        cluster.start("c")
        cluster.connect("a", "c")
        cluster.deliver()
        self.assertTrue(cluster.nodes["c"].apart)
        cluster.nodes["a"].left("b", cluster.now)
        cluster.wait(LEASE)
        self.assertFalse(cluster.nodes["c"].apart)


class HostileTests(SynchronousTestCase):
    """Whatever a member says."""

    def test_anything_that_decodes_does_no_harm_and_nothing_grows(self) -> None:
        random = Random(11)
        attacker = Attacker(random, known=["shop", "b", 1, 2, KEPT, 1 << 47])
        cluster = Cluster("a", "b")
        node, decoded = cluster.nodes["a"], 0
        for _ in range(4000):
            try:
                message = decode_group_message(attacker.message(GroupMessage))
            except GossipError:
                continue
            decoded += 1
            cluster.now += 0.01
            node.receive(random.choice("bbbcd"), message, cluster.now)
            node.tick(cluster.now)
            self.assertLess(len(node.outputs()), 3 + KEPT)
        self.assertGreater(decoded, 400)
        self.assertLessEqual(len(node.neighbours), 3)
        for neighbour in node.neighbours.values():
            self.assertLessEqual(len(neighbour.ahead), 1024)
            self.assertLessEqual(len(neighbour.asked), 4)

    def test_who_asks_for_everything_again_and_again_gets_it_a_few_times(self) -> None:
        cluster = Cluster("a", "b")
        for number in range(200):
            cluster.change("a", f"{number}")
        cluster.deliver()
        cluster.collect()
        node, told = cluster.nodes["a"], 0
        for _ in range(1000):
            cluster.now += 0.001
            node.receive("b", Greeting(1, 0, 1, 0), cluster.now)
            told += len(node.outputs())
        self.assertLess(told, 1000 + 5 * 201)

    def test_a_position_that_nobody_reaches_only_ends_the_lease(self) -> None:
        cluster = Cluster("a", "b")
        node = cluster.nodes["a"]
        for _ in range(10):
            cluster.now += LEASE / 4
            node.tick(cluster.now)
            for output in node.outputs():
                if isinstance(output, Tell) and isinstance(output.message, Ask):
                    node.receive("b", Position(1, output.message.number, 1 << 40), cluster.now)
        self.assertLess(node.sure_until() or 0.0, cluster.now)
        node.receive("b", Forgotten(1, 1 << 40), cluster.now)
        self.assertEqual(cluster.applied["a"], [None])
