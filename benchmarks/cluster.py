"""Four real nodes: how soon nobody confirms an old version, how soon a dead node gets no clients."""

from __future__ import annotations

import time
from typing import NamedTuple

from tests.end_to_end.cluster import RunningCluster, load
from tests.end_to_end.node import RunningNode, exchange

#: Seconds after which something counts as never.
NEVER = 20.0


class Convergence(NamedTuple):
    """How long the cluster took to agree after each publish and each kill, in seconds, ascending."""

    #: From the return of a publish to the last confirmation of the old version, by any other node; 0: none.
    stale: list[float]
    #: From a kill to the weight 0 in the load documents of all others.
    weightless: list[float]


def measure(publishes: int, kills: int) -> Convergence:
    """Publish and kill so many times."""
    cluster = RunningCluster(4)
    try:
        first = cluster.nodes[0]
        first.options.append("--no-watch")
        first.write("index.html", b"<p>0")
        cluster.start()
        stale = sorted(_publish(cluster, number) for number in range(publishes))
        weightless = sorted(_kill(cluster, cluster.nodes[1 + number % 3]) for number in range(kills))
        return Convergence(stale, weightless)
    finally:
        cluster.clean_up()


def _publish(cluster: RunningCluster, number: int) -> float:
    first, *others = cluster.nodes
    connections = [node.connect() for node in others]
    etag = first.ask("/")[1]["ETag"]
    first.write("index.html", b"<p>%d %d" % (number, time.time_ns()))
    first.admin("POST", "/publish", {})
    began = last = time.monotonic()
    until = began + 0.2
    while time.monotonic() < until:
        for connection in connections:
            asked = time.monotonic()
            if exchange(connection, "/", {"If-None-Match": etag}, keep=True)[0] == 304:
                last = asked
                until = max(until, asked + 0.2)
        if last - began > NEVER:
            break
    for connection in connections:
        connection.close()
    return last - began


def _kill(cluster: RunningCluster, node: RunningNode) -> float:
    name = next(option for option in node.options if option.startswith("--node=")).removeprefix("--node=")
    others = [one for one in cluster.nodes if one is not node]
    assert node.process is not None
    node.process.kill()
    began = time.monotonic()
    waiting = list(others)
    while waiting and time.monotonic() - began < NEVER:
        waiting = [one for one in waiting if load(one)[name]["weight"] > 0]
        time.sleep(0.01)
    took = time.monotonic() - began
    node.process.wait(20)
    node.start()
    for one in others:
        one.wait_for(lambda one=one: load(one)[name]["weight"] > 0, f"{name} is back")
    return took
