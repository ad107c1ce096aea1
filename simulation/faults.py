"""What can happen to a cluster, each with what is counted; all take a seed and return plain numbers."""

from __future__ import annotations

import gc
import tracemalloc
from functools import partial
from pathlib import Path

import edge.gossip
from edge.gossip.changes import Record
from edge.gossip.members import GossipConfig
from edge.gossip.packet import ALIVE, DEAD, SUSPECT
from simulation.world import World

#: Seconds until a new cluster has found itself.
SETTLING = 10.0


def deaths(world: World, since: float) -> int:
    """Declarations of death, by whomever, from then on; of one death at several nodes only the first."""
    return len(
        {(whom, round(at / 10)) for at, _, whom, _, state in world.changes if state == DEAD and at >= since}
    )


def loss(seed: int, seconds: float, rate: float = 0.1, lifeguard: bool = True) -> tuple[int, float]:
    """(false deaths, node-seconds) of four nodes that lose a tenth of all datagrams."""
    world = World(seed, 4, GossipConfig(lifeguard=lifeguard), loss=rate)
    world.run(SETTLING)
    world.run(seconds)
    return deaths(world, SETTLING), 4 * seconds


def starvation(seed: int, lifeguard: bool, count: int = 32, seconds: float = 120.0) -> int:
    """False deaths of healthy nodes while a quarter of the nodes is starved, for seconds at a time."""
    world = World(seed, count, GossipConfig(lifeguard=lifeguard))
    world.run(SETTLING)
    sick = set(world.random.sample(sorted(world.nodes), count // 4))
    until = world.now + seconds

    def again(name: str) -> None:
        if world.now < until:
            world.starve(name, world.random.uniform(0.5, 4.0))
            world.at(world.random.uniform(0.6, 5.0), lambda: again(name))

    for name in sorted(sick):
        again(name)
    world.run(seconds + 10)
    return len({(whom, round(at / 10)) for at, _, whom, _, state in world.changes
                if state == DEAD and at >= SETTLING and whom not in sick})  # fmt: skip


def view_changes(world: World, whom: str, since: float) -> int:
    """The most changes of being there or not, of *whom*, that another node saw."""
    seen: dict[str, int] = {}
    for at, observer, name, before, state in world.changes:
        if name == whom and at >= since and before is not None and (before <= SUSPECT) != (state <= SUSPECT):
            seen[observer] = seen.get(observer, 0) + 1
    return max(seen.values(), default=0)


def agreed(world: World, whom: str) -> bool:
    """Whether all others think the same of *whom*."""
    views = {name: view for name, view in world.views().items() if name != whom}
    return len({whom in view for view in views.values()}) == 1


def flip_flop(seed: int, faults: int = 5) -> tuple[int, bool]:
    """(view changes per fault, agreed): nothing reaches one of eight nodes, on and off every 20 seconds."""
    world = World(seed, 8)
    world.run(SETTLING)
    since, together = world.now, True
    others = [name for name in world.nodes if name != "n5"]
    for _ in range(faults):
        world.blocked = {(name, "n5") for name in others}
        world.run(20)
        together = together and agreed(world, "n5")
        world.heal()
        world.run(20)
        together = together and agreed(world, "n5")
    return -(-view_changes(world, "n5", since) // faults), together


def bad_link(seed: int, seconds: float = 120.0) -> tuple[int, bool]:
    """(view changes, agreed after 30 s): one of eight nodes loses 80 % in both directions."""
    world = World(seed, 8)
    world.run(SETTLING)
    since = world.now
    world.loss = lambda source, target: 0.8 if "n5" in (source, target) else 0.0
    world.run(seconds)
    before = agreed(world, "n5")
    world.loss = lambda source, target: 0.0
    world.run(30)
    return view_changes(world, "n5", since), before and agreed(world, "n5") and world.agrees()


def partition(seed: int, seconds: float) -> float | None:
    """Seconds from the end of a partition to one view and one table; None: not within 10."""
    world = World(seed, 4, tables=True)
    world.run(SETTLING)
    world.split({"n1", "n2"}, {"n3", "n4"})
    for _ in range(20):
        _publish_something(world, f"n{world.random.randint(1, 4)}")
        world.run(min(seconds / 20, 1.0))
    world.run(max(0.0, seconds - 20))
    world.heal()
    return _seconds_to_agree(world, 10)


def _seconds_to_agree(world: World, patience: float) -> float | None:
    """Seconds until there is one view and one table; None: not within *patience*."""
    began = world.now
    while world.now - began < patience:
        world.run(0.25)
        if world.agrees() and world.tables_agree():
            return world.now - began
    return None


def _publish_something(world: World, name: str) -> None:
    path = b"/%d" % world.random.randint(0, 5)
    record = Record(0, world.random.randbytes(32), 5, b"Content-Type: text/html\r\n", b"")
    records = () if world.random.random() < 0.2 else (record,)
    world.publish(name, lambda replica, now_ms: replica.put(path, 0, records, now_ms))


def restarts(seed: int) -> float | None:
    """Seconds to one view and one table after kills, stops and restarts with or without state."""
    world = World(seed, 4, tables=True)
    random = world.random
    world.run(SETTLING)
    for _ in range(10):
        name = random.choice(sorted(world.nodes))
        if random.random() < 0.3:
            world.stop(name, random.choice((1.0, 10.0, 30.0)))
        else:
            world.crash(name)
            world.at(random.uniform(0.05, 8), partial(_revive, world, name, random.random() < 0.7))
        for other in sorted(world.nodes):
            if world.nodes[other].runs and world.now >= world.nodes[other].stopped_until:
                _publish_something(world, other)
        world.run(random.uniform(0.1, 10))
    world.run(30)  # whoever is stopped goes on
    return _seconds_to_agree(world, 10)


def _revive(world: World, name: str, keep: bool) -> None:
    if not world.nodes[name].runs:
        world.start(name, keep)


def clock_jump(seed: int) -> float | None:
    """Seconds to one view and one table after one node's date jumped by up to a year and back again."""
    world = World(seed, 4, tables=True)
    random = world.random
    world.run(SETTLING)
    jump = random.uniform(-1, 1) * 365 * 86_400
    world.nodes["n2"].ahead_ms = int(jump * 1000)
    for name in ("n2", "n1", "n3", "n2"):
        _publish_something(world, name)
        world.run(random.uniform(0.1, 5))
    world.nodes["n2"].ahead_ms = 0
    return _seconds_to_agree(world, 10)


def burst(seed: int, count: int) -> tuple[int, int, bool]:
    """(bytes of memory after a half, at the end, agreed): nodes that join a cluster of two, and leave."""
    world = World(seed, 2, tables=True)
    world.run(SETTLING)
    ours = tracemalloc.Filter(True, str(Path(edge.gossip.__file__).parent / "*"))
    sizes = []
    tracemalloc.start()
    for number in range(count):
        name = f"burst{number}"
        world.add(name)
        world.run(1.5)
        world.leave(name)
        world.run(0.5)
        world.changes.clear()
        if number + 1 in (count // 2, count):
            gc.collect()
            found = tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename")
            sizes.append(sum(one.size for one in found))
    tracemalloc.stop()
    return sizes[0], sizes[1], world.agrees()


def crash(seed: int) -> list[float]:
    """Seconds until each of the other three sees that a node of four is not alive any more."""
    world = World(seed, 4)
    world.run(SETTLING + world.random.random())
    began = world.now
    # A machine that vanishes: no stream breaks.
    world.blocked = {pair for name in ("n1", "n3", "n4") for pair in (("n2", name), (name, "n2"))}
    world.run(20)
    first: dict[str, float] = {}
    for at, observer, whom, _, state in world.changes:
        if whom == "n2" and state > ALIVE and at > began:
            first.setdefault(observer, at - began)
    return [first.get(name, 20.0) for name in ("n1", "n3", "n4")]


def idle_bytes(seed: int) -> float:
    """Bytes of datagrams a second that one node of four sends when nothing happens."""
    world = World(seed, 4, tables=True)
    world.run(SETTLING)
    for node in world.nodes.values():
        node.bytes_out = 0
    world.run(60)
    return max(node.bytes_out for node in world.nodes.values()) / 60
