"""Simulated clusters under faults.  A failure names its seed: `World(seed, ...)` repeats it."""

from __future__ import annotations

import os
import sys

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Record
from edge.gossip.members import GossipConfig, rank
from edge.gossip.packet import DEAD, LEFT, Packet
from simulation import faults
from simulation.world import World
from tests import processes

#: Prints the trace of a cluster in which nodes crash and come back.
CRASHES = """
from simulation.world import World
world = World(3, 12, loss=0.05, tables=True)
for name in ("n3", "n5", "n7"):
    world.run(4)
    world.crash(name)
    world.run(2)
    world.start(name)
world.run(4)
print(world.trace, len(world.changes))
"""
NAMES = [f"n{number}" for number in range(1, 5)]


class FaultTests(SynchronousTestCase):
    """A few seeds of what `make sim` does with thousands."""

    def test_the_same_seed_gives_the_same_trace(self) -> None:
        traces = []
        for _ in range(2):
            world = World(7, 50, loss=0.05)
            world.run(8)
            traces.append((world.trace, len(world.changes)))
        self.assertEqual(traces[0], traces[1])
        self.assertGreater(traces[0][1], 2000)

    def test_the_trace_is_the_same_in_another_process_too(self) -> None:
        """Whatever the interpreter makes of the order of sets: a seed repeats a failure anywhere."""
        traces = set()
        for seed in ("1", "2"):
            environment = {**os.environ, "PYTHONHASHSEED": seed}
            command = [sys.executable, "-c", CRASHES]
            traces.add(processes.run(command, env=environment, check=True, capture_output=True).stdout)
        self.assertEqual(len(traces), 1)

    def test_a_cluster_finds_itself_from_one_seed_address(self) -> None:
        world = World(1, 30)
        world.run(5)
        self.assertTrue(world.agrees(), world.views())

    def test_loss_kills_nobody(self) -> None:
        for seed in range(3):
            self.assertEqual(faults.loss(seed, 300.0)[0], 0, f"seed {seed}")

    def test_starved_nodes_kill_nobody_healthy_as_plain_swim_does(self) -> None:
        self.assertEqual(faults.starvation(3, True, count=16, seconds=60), 0)
        self.assertGreater(faults.starvation(3, False, count=16, seconds=60), 10)

    def test_a_bad_link_changes_the_view_once_and_back(self) -> None:
        for seed in range(3):
            changes, agreed = faults.bad_link(seed, 60.0)
            self.assertLessEqual(changes, 2, f"seed {seed}")
            self.assertTrue(agreed, f"seed {seed}")

    def test_one_way_loss_does_not_flap(self) -> None:
        changes, agreed = faults.flip_flop(2, faults=2)
        self.assertLessEqual(changes, 2)
        self.assertTrue(agreed)

    def test_a_partition_heals_with_one_table(self) -> None:
        for seed, seconds in ((0, 10.0), (1, 45.0), (2, 600.0)):
            self.assertIsNotNone(faults.partition(seed, seconds), f"seed {seed}, {seconds} s")

    def test_a_partition_heals_after_the_dead_were_forgotten(self) -> None:
        world = World(5, 4, GossipConfig(forget_dead=60.0))
        world.run(10)
        world.split({"n1", "n2"}, {"n3", "n4"})
        world.run(200)
        self.assertEqual(world.views()["n1"], frozenset({"n1", "n2"}))
        node = world.nodes["n1"].membership
        assert node is not None
        self.assertNotIn("n3", node.members)
        world.heal()
        world.run(10)
        self.assertTrue(world.agrees(), world.views())

    def test_a_vanished_node_is_seen_by_all_within_three_seconds(self) -> None:
        for seed in range(5):
            self.assertLess(max(faults.crash(seed)), 3.0, f"seed {seed}")

    def test_a_node_that_was_stopped_for_30_seconds_comes_back_and_blames_nobody(self) -> None:
        world = World(4, 4)
        world.run(10)
        world.stop("n2", 30)
        world.run(29)
        self.assertNotIn("n2", world.views()["n1"])
        world.run(10)
        self.assertTrue(world.agrees(), world.views())
        self.assertEqual({whom for _, _, whom, _, state in world.changes if state == DEAD}, {"n2"})

    def test_memory_stays_flat_while_burst_nodes_come_and_go(self) -> None:
        world = World(6, 2, GossipConfig(forget_left=1.0))
        world.run(5)
        first = world.nodes["n1"].membership
        assert first is not None
        for number in range(300):
            first.connected(f"burst{number}", 1, "10.1.0.1", 7000, "", world.now)
            leaver = first.members[f"burst{number}"].latest
            goodbye = Packet(updates=(msgspec.structs.replace(leaver, state=LEFT),))
            first.receive(leaver.name, goodbye, world.now)
            first.disconnected(f"burst{number}", world.now)
            world.run(0.1)
        world.run(5)
        self.assertEqual(set(first.members), {"n2"})
        self.assertLess(first.piggyback.queue, 40)


class ClusterMachine(RuleBasedStateMachine):
    """Any order of faults: incarnations only grow, and in the end all agree."""

    @initialize(seed=st.integers(0, 10_000))
    def begin(self, seed: int) -> None:
        self.world = World(seed, 4, tables=True)
        self.world.run(6)
        self.seen: dict[tuple[str, str], tuple[int, int]] = {}

    @rule(seconds=st.floats(0.1, 15))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(name=st.sampled_from(NAMES))
    def crash(self, name: str) -> None:
        if self.world.nodes[name].runs:
            self.world.crash(name)

    @rule(name=st.sampled_from(NAMES), keep=st.booleans())
    def start(self, name: str, keep: bool) -> None:
        if not self.world.nodes[name].runs:
            self.world.run(0.01)
            self.world.start(name, keep)

    @rule(name=st.sampled_from(NAMES), seconds=st.floats(0.1, 20))
    def starve(self, name: str, seconds: float) -> None:
        self.world.starve(name, seconds)

    @rule(name=st.sampled_from(NAMES), seconds=st.floats(0.1, 20))
    def stop(self, name: str, seconds: float) -> None:
        self.world.stop(name, seconds)

    @rule(groups=st.sampled_from([({"n1"}, {"n2", "n3", "n4"}), ({"n1", "n2"}, {"n3", "n4"})]))
    def split(self, groups: tuple[set[str], set[str]]) -> None:
        self.world.split(*groups)

    @rule(pair=st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)))
    def block_one_way(self, pair: tuple[str, str]) -> None:
        self.world.blocked.add(pair)

    @rule()
    def heal(self) -> None:
        self.world.heal()

    @rule(name=st.sampled_from(NAMES), number=st.integers(0, 3), remove=st.booleans())
    def publish(self, name: str, number: int, remove: bool) -> None:
        world = self.world
        if world.nodes[name].runs:
            path = b"/%d" % number
            record = Record(0, world.random.randbytes(32), 1, b"Content-Type: text/html\r\n", b"")
            if remove:
                world.publish(name, lambda replica, now_ms: replica.remove(path, now_ms))
            else:
                world.publish(name, lambda replica, now_ms: replica.put(path, 0, (record,), now_ms))

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def incarnations_only_grow(self) -> None:
        for node in self.world.nodes.values():
            if node.membership is None:
                self.seen = {key: value for key, value in self.seen.items() if key[0] != node.name}
                continue
            for member in node.membership.members.values():
                key = (node.name, member.name)
                version = rank(member.latest)[:2]
                assert version >= self.seen.get(key, (0, 0)), key
                self.seen[key] = version

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        world.heal()
        for name in NAMES:
            if not world.nodes[name].runs:
                world.start(name)
        world.run(25)  # starved nodes recover
        for _ in range(120):
            if world.agrees() and world.tables_agree():
                return
            world.run(0.5)
        raise AssertionError(f"seed {world.seed}: {world.views()}, tables agree: {world.tables_agree()}")


class MachineTests(SynchronousTestCase):
    """Runs :class:`ClusterMachine`."""

    def test_any_order_of_faults_ends_in_one_view_and_one_table(self) -> None:
        run_state_machine_as_test(
            ClusterMachine,
            settings=settings(
                max_examples=25,
                stateful_step_count=15,
                suppress_health_check=list(HealthCheck),
            ),
        )
