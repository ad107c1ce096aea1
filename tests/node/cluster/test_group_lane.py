"""The shell of cache groups: what a change does here, whom it waits for, and the lease of stored answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import Change
from edge.cache.groups import Groups
from edge.errors import EdgeError
from edge.gossip.invalidation import PATIENCE, Invalidation
from edge.gossip.packet import ALIVE, DEAD, LEFT
from edge.node.cluster.group_lane import GroupLane, changes_to

LEASE_SECONDS = 10.0
X = Change("shop", frozenset({"x"}))


class Answers:
    """Stored answers, by their numbers."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.longest: float | None = None
        #: Until when they are fresh at most.
        self.until: float | None = 0.0
        self.stored: set[int] = set()
        self.doubted: list[str | None] = []
        self.invalidated: list[bytes] = []
        self.cluster: object = None

    def take_back(self, numbers: Iterable[int]) -> None:
        self.stored -= set(numbers)

    def body_of(self, name: bytes, variant: int, digest: bytes) -> bytes | None:
        return None

    def hold(self, seconds: float | None) -> None:
        self.until = None if seconds is None else self.clock.seconds() + seconds

    def doubt(self, application: str | None) -> None:
        self.doubted.append(application)

    def invalidate(self, address: bytes) -> None:
        self.invalidated.append(address)


class Cluster:
    """Lanes of nodes, whose messages arrive when they are delivered."""

    def __init__(self, *names: str) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.wires: list[tuple[str, str, bytes]] = []
        self.answers = {name: Answers(self.clock) for name in names}
        self.groups = {name: Groups() for name in names}
        self.lanes = {name: self.lane(name) for name in names}
        for name in names:
            self.lanes[name].start()
            for other in names:
                if other != name:
                    self.lanes[name].up(other, True)
        self.deliver()

    def lane(self, name: str) -> GroupLane:
        apply = changes_to(self.groups[name], self.answers[name])
        core = Invalidation(name, 1, 0, apply, LEASE_SECONDS, self.clock.seconds())

        def send(to: str, payload: bytes) -> bool:
            self.wires.append((name, to, payload))
            return True

        return GroupLane(  # type: ignore[arg-type]
            core, self.groups[name], self.answers[name], LEASE_SECONDS, send, self.clock.seconds, self.clock
        )

    def deliver(self, without: str = "") -> None:
        while self.wires:
            source, target, payload = self.wires.pop(0)
            if without not in (source, target):
                self.lanes[target].receive(source, payload)

    def store(self, name: str, number: int, *groups: str) -> None:
        self.answers[name].stored.add(number)
        self.groups[name].put(number, "shop", groups)


class GroupLaneTests(SynchronousTestCase):
    """Changes and leases."""

    def test_a_node_alone_is_settled_at_once(self) -> None:
        cluster = Cluster("a")
        cluster.store("a", 4, "x")
        cluster.store("a", 5, "y")
        self.assertEqual(self.successResultOf(cluster.lanes["a"].changed(X)), 0)
        self.assertEqual(cluster.answers["a"].stored, {5})
        self.assertEqual((cluster.answers["a"].until, cluster.answers["a"].longest), (None, None))

    def test_it_is_in_force_here_before_and_everywhere_when_it_has_fired(self) -> None:
        cluster = Cluster("a", "b", "c")
        for name in "abc":
            cluster.store(name, 4, "x")
        settled: Deferred[int] = cluster.lanes["a"].changed(X)
        self.assertEqual(cluster.answers["a"].stored, set())
        self.assertNoResult(settled)
        cluster.deliver()
        self.assertEqual(self.successResultOf(settled), 0)
        self.assertEqual(cluster.answers["b"].stored | cluster.answers["c"].stored, set())

    def test_who_does_not_settle_is_waited_for_no_longer_than_patience_and_said(self) -> None:
        cluster = Cluster("a", "b", "c")
        settled = cluster.lanes["a"].changed(X)
        cluster.deliver(without="c")
        cluster.clock.advance(PATIENCE)
        self.assertEqual(self.successResultOf(settled), 1)
        self.assertEqual(cluster.lanes["a"].metrics()["groups_unsettled_total"], 1.0)

    def test_what_cannot_be_read_makes_everything_of_its_application_doubtful_everywhere(self) -> None:
        cluster = Cluster("a", "b")
        cluster.lanes["a"].changed(Change("shop", None))
        cluster.deliver()
        self.assertEqual([one.doubted for one in cluster.answers.values()], [["shop"], ["shop"]])
        for groups in ({"a\n"}, {"a" * 129}, {""}, {f"{number}" for number in range(65)}):
            cluster.lanes["a"].changed(Change("blog", frozenset(groups), (b"/cart",)))
            cluster.deliver()
            self.assertEqual([one.doubted.pop() for one in cluster.answers.values()], ["blog", "blog"])

    def test_addresses_go_with_it(self) -> None:
        cluster = Cluster("a", "b")
        cluster.lanes["a"].changed(Change("shop", frozenset(), (b"/cart", b"/cart?all")))
        cluster.deliver()
        self.assertEqual(
            [one.invalidated for one in cluster.answers.values()], [[b"/cart", b"/cart?all"]] * 2
        )

    def test_a_lease_lasts_as_long_as_the_others_answer(self) -> None:
        cluster = Cluster("a", "b")
        for _ in range(40):
            cluster.clock.advance(LEASE_SECONDS / 8)
            cluster.deliver()
        self.assertGreater(cluster.answers["a"].until or 0, cluster.clock.seconds() + LEASE_SECONDS / 2)
        for _ in range(10):
            cluster.clock.advance(LEASE_SECONDS / 8)
            cluster.deliver(without="b")
        self.assertLess(cluster.answers["a"].until or 0, cluster.clock.seconds())

    def test_deaths_make_lifetimes_short_until_the_dead_are_forgotten(self) -> None:
        cluster = Cluster("a", "b", "c")
        lane, answers = cluster.lanes["a"], cluster.answers["a"]
        lane.down("c")
        lane.see("c", DEAD)
        self.assertEqual((answers.doubted, answers.longest), ([None], LEASE_SECONDS))
        self.assertIn("c is dead", lane.troubles()["c"])
        lane.keep({"b", "c"})
        self.assertEqual(answers.longest, LEASE_SECONDS)
        lane.keep({"b"})
        self.assertEqual((lane.troubles(), answers.longest), ({}, None))

    def test_a_node_that_was_expelled_makes_everything_doubtful(self) -> None:
        cluster = Cluster("a", "b", "c")
        cluster.lanes["a"].down("c")
        cluster.lanes["a"].keep({"b"})
        self.assertEqual(cluster.answers["a"].doubted, [None])

    def test_a_goodbye_changes_nothing(self) -> None:
        cluster = Cluster("a", "b")
        cluster.lanes["b"].leave()
        cluster.deliver()
        cluster.lanes["a"].down("b")
        cluster.lanes["a"].see("b", LEFT)
        self.assertEqual((cluster.answers["a"].doubted, cluster.answers["a"].longest), ([], None))
        self.assertIsNone(cluster.answers["a"].until)

    def test_nodes_that_speak_no_groups_are_not_waited_for(self) -> None:
        cluster = Cluster("a")
        lane = cluster.lanes["a"]
        lane.see("old", ALIVE)
        lane.up("old", False)
        lane.see("old", ALIVE)
        self.assertEqual(self.successResultOf(lane.changed(X)), 0)
        self.assertIsNone(lane.core.sure_until())

    def test_what_is_no_message_is_refused(self) -> None:
        lane = Cluster("a", "b").lanes["a"]
        for wrong in (b"", b"\x91\xa3ask", b"\x92\xa3ask\xa1x", b"\xc1"):
            self.assertRaises(EdgeError, lane.receive, "b", wrong)

    def test_who_waits_when_the_node_stops_is_answered(self) -> None:
        cluster = Cluster("a", "b")
        settled = cluster.lanes["a"].changed(X)
        cluster.lanes["a"].stop()
        self.assertEqual(self.successResultOf(settled), 0)
