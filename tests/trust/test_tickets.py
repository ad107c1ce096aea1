"""Keys of session tickets: rotation, and agreement after partitions, restarts and clocks that are off."""

from __future__ import annotations

import os
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.trust.tickets import (
    EPOCHS,
    PER_EPOCH,
    PERIOD,
    TURN,
    Key,
    KeyRing,
    Rotation,
    decode,
    encode,
    make_key,
)

#: Simulated clusters; two hundred take a minute.
SEEDS = int(os.environ.get("EDGE_TICKET_SEEDS", "12"))
KEYS = st.builds(
    lambda epoch, name: Key(epoch, bytes([name]) * 16, bytes(32), bytes(32)),
    st.integers(1, 6),
    st.integers(0, 9),
)
RINGS = st.lists(KEYS, max_size=20).map(KeyRing().merged)


class RingTests(SynchronousTestCase):
    """What a node has."""

    @given(RINGS, RINGS, RINGS)
    def test_whoever_tells_whom_all_have_the_same(self, one: KeyRing, two: KeyRing, three: KeyRing) -> None:
        self.assertEqual(one.merged(two.keys), two.merged(one.keys))
        self.assertEqual(one.merged(two.keys).merged(three.keys), one.merged(two.merged(three.keys).keys))
        self.assertEqual(one.merged(one.keys), one)

    @given(RINGS)
    def test_it_has_three_epochs_newest_first_and_is_bounded(self, ring: KeyRing) -> None:
        self.assertEqual([key.epoch for key in ring.keys], sorted((k.epoch for k in ring.keys), reverse=True))
        self.assertLessEqual(len(ring.keys), EPOCHS * PER_EPOCH)
        for key in ring.keys:
            self.assertGreater(key.epoch, ring.epoch - EPOCHS)

    def test_each_new_key_seals_and_two_old_ones_open(self) -> None:
        ring = KeyRing()
        made = []
        for _ in range(5):
            ring = ring.with_next(os.urandom)
            made.insert(0, ring.keys[0])
        self.assertEqual(list(ring.keys), made[:3])

    @given(RINGS)
    def test_it_is_passed_on_whole(self, ring: KeyRing) -> None:
        self.assertEqual(decode(encode(ring)), ring)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_ring_or_refused(self, data: bytes) -> None:
        try:
            ring = decode(data)
        except ValueError:
            return
        self.assertLessEqual(len(ring.keys), EPOCHS * PER_EPOCH)

    def test_what_is_no_ring_is_refused(self) -> None:
        whole = encode(KeyRing().with_next(os.urandom))
        huge = encode(KeyRing(tuple(make_key(n, os.urandom) for n in range(1, 50))))
        short = encode(KeyRing((Key(1, b"short", bytes(32), bytes(32)),)))
        far = encode(KeyRing((Key(1 << 41, bytes(16), bytes(32), bytes(32)),)))
        for data in (b"", whole[:-1], whole + b"\0", huge, huge * 3, short, far, b"\x91\x94\x00"):
            with self.assertRaises(ValueError):
                decode(data)

    def test_no_key_is_in_a_text_about_it(self) -> None:
        key = Key(1, b"n" * 16, b"SECRET--" * 4, b"SECRET--" * 4)
        self.assertNotIn("SECRET", repr(KeyRing((key,))))


class RotationTests(SynchronousTestCase):
    """When the next key is made, and by whom."""

    def test_the_first_by_name_makes_it_and_the_others_step_in_if_it_does_not(self) -> None:
        first, third = Rotation("a", 0.0), Rotation("c", 0.0)
        self.assertFalse(first.is_due("abc", PERIOD - 1))
        self.assertTrue(first.is_due("abc", PERIOD))
        self.assertFalse(third.is_due("abc", PERIOD + 2 * TURN - 1))
        self.assertTrue(third.is_due("abc", PERIOD + 2 * TURN))
        self.assertTrue(third.is_due("c", PERIOD), "the others are dead")

    def test_a_newer_epoch_begins_the_time_anew(self) -> None:
        rotation = Rotation("a", 0.0)
        rotation.learnt(PERIOD - 1)
        self.assertFalse(rotation.is_due("a", PERIOD))
        self.assertEqual(rotation.age(PERIOD), 1.0)

    def test_after_a_restart_the_age_counts_on_whatever_the_clock_says(self) -> None:
        self.assertEqual(Rotation("a", 5.0, 100.0).age(6.0), 101.0)
        for age in (PERIOD * 1000, PERIOD):
            self.assertTrue(Rotation("a", 5.0, age).is_due("a", 5.0))
        self.assertEqual(Rotation("a", 5.0, -1e9).age(5.0), 0.0, "the clock was set back")


class Node:
    """A simulated node with a clock of its own."""

    def __init__(self, name: str, offset: float, random: Random) -> None:
        self.name, self.offset, self.random = name, offset, random
        self.ring = KeyRing().with_next(self.random.randbytes)
        self.rotation = Rotation(name, 0.0)
        self.started = 0.0

    def turn(self, live: list[str], now: float) -> None:
        """Make a key if it is time; *now*: true time, of which a node measures spans only."""
        if self.rotation.is_due(live, now):
            self.take(self.ring.with_next(self.random.randbytes).keys, now)

    def take(self, keys: tuple[Key, ...], now: float) -> None:
        before, self.ring = self.ring, self.ring.merged(keys)
        if self.ring.epoch > before.epoch:
            self.rotation.learnt(now)

    def restart(self, now: float, jump: float) -> None:
        """Come back after a while, by what was written down; the date was set by *jump* seconds meanwhile."""
        age = self.rotation.age(now) + jump
        self.ring = decode(encode(self.ring))
        self.rotation = Rotation(self.name, now, age)


class World:
    """Nodes that meet each other unless they are apart."""

    STEP = 300.0

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        names = "abcdefg"[: self.random.randint(1, 7)]
        self.nodes = [Node(name, self.random.uniform(-1e8, 1e8), self.random) for name in names]
        self.side = dict.fromkeys(names, 0)
        self.now = 0.0
        #: (when, epoch, name) of keys that sealed tickets.
        self.tickets: list[tuple[float, Key]] = []

    def together(self, node: Node) -> list[Node]:
        return [one for one in self.nodes if self.side[one.name] == self.side[node.name]]

    def step(self, lossy: bool = True) -> None:
        self.now += self.STEP
        for node in self.nodes:
            before = node.ring
            node.turn([one.name for one in self.together(node)], self.now)
            told = self.together(node) if node.ring != before else [self.random.choice(self.together(node))]
            for other in told:
                if lossy and self.random.random() < 0.3:
                    continue
                other.take(node.ring.keys, self.now)
                node.take(other.ring.keys, self.now)
            self.tickets.append((self.now, node.ring.keys[0]))

    def split(self) -> None:
        self.side = {name: self.random.randint(0, 2) for name in self.side}

    def heal(self) -> None:
        self.side = dict.fromkeys(self.side, 0)
        for _ in range(3):
            for node in self.nodes:
                for other in self.nodes:
                    other.take(node.ring.keys, self.now)


class SimulationTests(SynchronousTestCase):
    """Clusters that live for weeks, from seeds."""

    def run_world(self, seed: int, jumps: bool) -> World:
        world = World(seed)
        for _ in range(world.random.randint(2, 6)):
            world.split()
            for _ in range(world.random.randint(1, 500)):
                world.step()
                if world.random.random() < 0.01:
                    jump = world.random.choice([0.0, -1e9, 1e9, 3600.0]) if jumps else 0.0
                    world.random.choice(world.nodes).restart(world.now, jump)
            if world.random.random() < 0.5:
                world.heal()
        world.heal()
        return world

    def test_after_a_partition_all_have_one_set_and_open_what_is_sealed_under_it(self) -> None:
        """Restarts and clocks that jump included."""
        for seed in range(SEEDS):
            world = self.run_world(seed, jumps=True)
            [ring] = {node.ring for node in world.nodes}
            self.assertLessEqual(len({key.epoch for key in ring.keys}), EPOCHS, seed)
            for _ in range(int(2.5 * PERIOD / World.STEP)):
                world.step(lossy=False)
            rings = [set(node.ring.keys) for node in world.nodes]
            for when, key in world.tickets:
                if when > world.now - 2 * PERIOD + 5 * (TURN + World.STEP):
                    self.assertTrue(all(key in one for one in rings), (seed, when, key))

    def test_tickets_of_the_last_hours_of_a_partition_are_opened_by_all(self) -> None:
        """As long as no clock jumped: the sides have made as many keys each, or one more."""
        for seed in range(SEEDS):
            world = self.run_world(seed, jumps=False)
            for when, key in world.tickets:
                if when > world.now - PERIOD / 2:
                    for node in world.nodes:
                        self.assertIn(key, node.ring.keys, (seed, when, key))

    def test_a_cluster_makes_a_key_each_half_day(self) -> None:
        for seed in range(SEEDS):
            world = World(seed)
            days = 5
            for _ in range(int(days * 86_400 / World.STEP)):
                world.step(lossy=False)
            self.assertIn(world.nodes[0].ring.epoch, (2 * days, 2 * days + 1), seed)
