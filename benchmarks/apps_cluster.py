"""Applications behind four real nodes: who has written reads what it wrote; a cold key is asked for once.

And without sockets: histories of fills, changes, failures and delays (:mod:`simulation.fills`), on all cores.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import resource
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from benchmarks.rows import Place, Row
from simulation.fills import run
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import RunningNode, UnixConnection, exchange
from tests.end_to_end.ranking import Ranking

#: Clients of a cold key on four nodes; writes; histories.
CLIENTS, WRITES, HISTORIES = 10_000, 2_000, 1_000_000
_P99 = re.compile(r"^edge_gossip_groups_settled_p99_seconds (\S+)", re.MULTILINE)


class _Cluster(RunningCluster):
    def __init__(self, application: Ranking) -> None:
        self.application = application
        super().__init__(4)

    def make(self, number: int, *options: str) -> RunningNode:
        node = RunningNode(*options, "--connections-per-address=0", workers=1)
        file = node.directory / "edge.toml"
        file.write_text(f'[[app]]\nname = "shop"\nat = "/"\nto = "{self.application.url}"\nshare = ["/**"]\n')
        node.options += ["--config", str(file)]
        return node


@contextmanager
def _nodes() -> Iterator[tuple[Ranking, list[RunningNode]]]:
    application = Ranking()
    cluster = _Cluster(application)
    try:
        cluster.start()
        yield application, cluster.nodes
    finally:
        cluster.clean_up()
        application.stop()


def written(place: Place) -> list[Row]:
    """Writes at any of four nodes, each followed by a read at all of them."""
    count, seed = place.some(100, WRITES), 1
    chance, old = random.Random(seed), 0
    with _nodes() as (_, nodes):
        connections = [node.connect() for node in nodes]
        for _ in range(count):
            path = chance.choice(("/a", "/b", "/c"))
            value = int(exchange(chance.choice(connections), path, method="POST", keep=True)[2])
            for connection in chance.sample(connections, 4):
                old += int(exchange(connection, path, keep=True)[2]) < value
        for connection in connections:
            connection.close()
        settled = max(_settled_p99(node) for node in nodes)
    return [
        Row(f"{count:,} writes, read on all of 4 nodes", f"{old} old answers", "", "", "0", not old),
        Row("until a write was settled", f"p99 {settled * 1000:.1f} ms", "", "", "<= 100 ms", settled <= 0.1),
    ]


def _settled_p99(node: RunningNode) -> float:
    connection = UnixConnection(str(node.state / "admin.sock"))
    found = _P99.search(exchange(connection, "/.edge/metrics")[2].decode())
    return float(found[1]) if found is not None else 0.0


def cold(place: Place) -> list[Row]:
    """Very many clients of a key that nobody has asked for, on four nodes at once."""
    count = place.some(500, CLIENTS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 500)), hard))
    with _nodes() as (application, nodes):
        application.delay = 1.0
        answered = asyncio.run(_ask([node.port for node in nodes], count))
        calls = application.calls["GET", "/cold"]
    work = f"{count:,} clients of a cold key, 4 nodes: calls of the application"
    return [
        Row(work, f"{calls}", "nginx: 4", f"{answered:,} answered", "1", calls == 1 and answered == count)
    ]


async def _ask(ports: list[int], count: int) -> int:
    """How many of *count* clients are answered 200."""
    connections = []
    for number in range(count):
        connections.append(await asyncio.open_connection("127.0.0.1", ports[number % len(ports)]))
    for _, writer in connections:
        writer.write(b"GET /cold HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answers = await asyncio.gather(*(asyncio.wait_for(reader.read(), 60) for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    return sum(answer.startswith(b"HTTP/1.1 200") for answer in answers)


def wrong(seed: int) -> tuple[int, list[str]]:
    """*seed*, and what was wrong in its history."""
    try:
        return seed, [f"{trouble.rule}: {trouble.text}" for trouble in run(seed).troubles]
    except Exception as error:
        return seed, [repr(error)]


def orders(place: Place) -> list[Row]:
    """Fills, changes, failures and delays in any order."""
    count = place.some(2_000, HISTORIES)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(wrong, range(1, count + 1), chunksize=100)
        seeds = [seed for seed, troubles in found if troubles]
    first = f"seeds {', '.join(map(str, seeds[:10]))} (EDGE_FILL_FIRST=N of the tests)" if seeds else ""
    work = f"{count:,} orders of fill, change, failure, delay: stale stored, old answers"
    return [Row(work, f"{len(seeds)}", "", first, "0", not seeds)]


FORMS = {"apps-written": written, "apps-cold": cold, "apps-orders": orders}
