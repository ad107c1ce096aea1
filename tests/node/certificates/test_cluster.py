"""Several keepers that tell each other what they know, and die, in simulated time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.node.certificates import keeper as module
from edge.node.certificates.challenges import Challenges
from edge.node.certificates.keeper import Keeper
from edge.trust.automatic import HTTP_01, TLS_ALPN_01
from edge.trust.automatic_files import AutomaticFiles
from tests.node.certificates.test_keeper import DIRECTORY, NAMES, Authority, Table, in_thread

#: Simulated clusters.
SEEDS = int(os.environ.get("EDGE_CERTIFICATE_SEEDS", "15"))
STEP = 0.5


class World:
    """Nodes on one clock; who is alive is seen by all others, unless they are on another side."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = Random(seed)
        self.clock = Clock()
        self.clock.rightNow = time.time()
        self.table = Table()
        self.authority = Authority(self.table, self.clock)
        self.folder = folder
        self.names = ["a", "b", "c", "d"][: self.random.randint(2, 4)]
        self.side = dict.fromkeys(self.names, 0)
        self.alive: dict[str, Keeper] = {}

    def reach(self, name: str) -> list[str]:
        """The live nodes that *name* sees, itself too."""
        return [one for one in self.alive if self.side[one] == self.side[name]]

    def start(self, name: str) -> None:
        state = self.folder / name
        state.mkdir(exist_ok=True, parents=True)
        files = AutomaticFiles(state, DIRECTORY, NAMES)
        files.prepare()
        keeper = Keeper(
            node=name,
            files=files,
            email=None,
            kinds=(HTTP_01, TLS_ALPN_01),
            challenges=Challenges(self.table, lambda one: None, lambda: True, self.clock),
            live=lambda: self.reach(name),
            is_ready=lambda: True,
            renewed=lambda: None,
            user_agent="test",
            random=self.random,
            share=lambda: self.share(name),
            in_thread=in_thread(self.clock),
            reactor=self.clock,
        )
        self.alive[name] = keeper
        keeper.start()

    def share(self, name: str, losses: float = 0.2) -> None:
        """What *name* knows reaches who it sees, mostly; one in five messages is lost."""
        keeper = self.alive.get(name)
        for other in self.reach(name) if keeper is not None else ():
            if other != name and self.random.random() >= losses:
                assert keeper is not None
                self.alive[other].merge(keeper.encode())

    def step(self) -> None:
        self.clock.advance(STEP)
        for name in self.random.sample(list(self.alive), min(1, len(self.alive))):
            self.share(name)

    def kill(self, name: str) -> None:
        self.alive.pop(name).stop()

    def agree(self) -> bool:
        records = {keeper.encode() for keeper in self.alive.values()}
        return len(records) == 1 and next(iter(self.alive.values())).record.attempt.orderer == ""

    def stop(self) -> None:
        for keeper in self.alive.values():
            keeper.stop()


class ClusterTests(SynchronousTestCase):
    """Clusters from seeds."""

    def world(self, seed: int) -> World:
        world = World(seed, Path(self.mktemp()))
        self.patch(module, "open_session", world.authority)
        self.addCleanup(world.stop)
        for name in world.names:
            world.start(name)
        return world

    def run_until(self, world: World, done: Any, seconds: float) -> None:
        for _ in range(int(seconds / STEP)):
            if done():
                return
            world.step()
        self.fail(f"not within {seconds} s: {[one.record.attempt for one in world.alive.values()]}")

    def test_whoever_dies_when_there_is_a_certificate_on_all_soon(self) -> None:
        for seed in range(SEEDS):
            world = self.world(seed)
            for _ in range(world.random.randint(1, 3)):
                for _ in range(world.random.randint(0, 12)):
                    world.step()
                orderer = next((k.record.attempt.orderer for k in world.alive.values()), "")
                victim = orderer if orderer in world.alive else world.random.choice(list(world.alive))
                if len(world.alive) > 1:
                    world.kill(victim)
            dead = [name for name in world.names if name not in world.alive]
            for name in dead:
                if world.random.random() < 0.5:
                    world.start(name)
            self.run_until(world, lambda w=world: w.agree() and self.has_certificate(w), 120)
            self.assertLessEqual(len(world.authority.replaced), 2 + len(dead), seed)
            for name in dead:
                if name not in world.alive:
                    world.start(name)
            self.run_until(world, lambda w=world: w.agree() and not w.table.entries, 60)

    def test_a_healthy_cluster_orders_once(self) -> None:
        for seed in range(SEEDS):
            world = self.world(seed)
            self.run_until(world, lambda w=world: w.agree() and self.has_certificate(w), 60)
            for _ in range(200):
                world.step()
            self.assertEqual(len(world.authority.replaced), 1, seed)

    def test_each_side_of_a_partition_gets_one_and_afterwards_all_have_the_same(self) -> None:
        for seed in range(SEEDS):
            world = self.world(seed)
            world.side = {name: number % 2 for number, name in enumerate(world.names)}
            self.run_until(world, lambda w=world: self.has_certificate(w), 120)
            world.side = dict.fromkeys(world.names, 0)
            self.run_until(world, lambda w=world: w.agree(), 120)
            self.assertLessEqual(len(world.authority.replaced), 2, seed)

    def has_certificate(self, world: World) -> bool:
        return all(keeper.record.issued is not None for keeper in world.alive.values())
