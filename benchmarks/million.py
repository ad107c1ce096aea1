"""Four real nodes with a large table: a cold join, then a stream of changes.

The table is put into n1's change log before it starts, as if a node n0 had published it and left: a million
small files would measure the file system.  All changes come from n1, which publishes a folder of which
every file has changed, again and again.  All processes share this machine's cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.replica import keyring_of
from edge.gossip.changes import Record
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.publish.blobs import Blobs
from tests.end_to_end.cluster import RunningCluster, states
from tests.end_to_end.node import RunningNode

#: Distinct bodies, and bytes of each.
BODIES, BODY_BYTES = 1000, 100
#: Files that change in one publish; seconds between two publishes.
FILES, PERIOD = 1000, 1.0
#: Seconds after which something counts as never.
NEVER = 300.0
_LINES = b"Content-Type: text/html; charset=utf-8\r\nCache-Control: no-cache\r\n"


class LargeTableFigures(NamedTuple):
    """What a cold join and a stream of changes cost over a large table; times in seconds."""

    #: From the start of an empty node's process: until it knows the load of the other; until it has all.
    load: float
    table: float
    #: Until a node alone, with an empty table, was ready: for comparison.
    boot: float
    #: Resident bytes an entry of the node that joined, without the shared table.
    memory: float
    #: Changes published; lag p99 in ms, the worst of any node and second; how late reactors were at most.
    changes: int
    lag_p99_ms: float
    stall_ms: float


def measure(entries: int, seconds: int) -> LargeTableFigures:
    """Join a table of *entries*, then publish changes for *seconds*."""
    boot, bare = _boot()
    cluster = RunningCluster(4, lease=60)
    try:
        for node in cluster.nodes:
            node.options += [
                "--table-entries",
                str(entries * 2),
                "--arena-mib",
                str(64 + entries * 700 >> 20),
            ]
            node.options += ["--no-watch"]
        first, second, *others = cluster.nodes
        _seed(first, cluster.folder / "ca", entries)
        _change(first, 0)
        first.spawn()
        _until(first, lambda: first.state_of() == "ready", "n1 has loaded its table")
        began = time.monotonic()
        second.spawn()
        _until(second, lambda: _knows_load(second), "n2 knows the load of n1")
        load = time.monotonic() - began
        _until(second, lambda: _has_all(second, entries), "n2 has the table")
        table = time.monotonic() - began
        assert second.process is not None
        memory = _private_bytes(second.process.pid)
        for node in others:
            node.spawn()
        for node in others:
            _until(node, partial(_has_all, node, entries), "it has the table")
            _until(node, partial(_sees_all, node), "all are alive")
        lag, stall = _changes(cluster, seconds)
        return LargeTableFigures(load, table, boot, (memory - bare) / entries, FILES * seconds, lag, stall)
    finally:
        cluster.clean_up()


def _boot() -> tuple[float, int]:
    """(seconds until an empty node is ready, its private bytes)."""
    cluster = RunningCluster(1)
    try:
        began = time.monotonic()
        cluster.start()
        process = cluster.nodes[0].process
        assert process is not None
        return time.monotonic() - began, _private_bytes(process.pid)
    finally:
        cluster.clean_up()


def _seed(node: RunningNode, authority: Path, entries: int) -> None:
    """Give *node* a change log that it has from a node n0, which has left, and its bodies."""
    node.state.mkdir(mode=0o700, exist_ok=True)
    bodies = [(b"<p>%d " % number).ljust(BODY_BYTES) for number in range(BODIES)]
    digests = [sha256(body).digest() for body in bodies]
    with Blobs(str(node.state / "cache")) as blobs:
        for body in bodies:
            blobs.put(body)
    rows = Rows(str(node.state / "replica.sqlite"), keyring_of(authority, "n0", "test"))
    now_ms = int(time.time() * 1000)
    log = Replica("n0", rows, now_ms)
    for number in range(entries):
        record = Record(0, digests[number % BODIES], BODY_BYTES, _LINES, _LINES)
        log.put(b"/page/%d" % number, now_ms // 1000, (record,), now_ms)
        if number % 1000 == 0:
            log.save(now_ms)
    log.save(now_ms)
    proof = log.seal()
    rows.set_position("n0", proof.generation, proof.head, proof)
    rows.close()


def _change(node: RunningNode, turn: int) -> None:
    """All files of its folder are new: all the same, so that the table is measured and not the bodies."""
    folder = node.site / "changing"
    folder.mkdir(exist_ok=True)
    for number in range(FILES):
        (folder / f"{number}.bin").write_bytes(b"%d" % turn)


def _until(node: RunningNode, condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + NEVER
    while True:
        try:
            node.wait_for(condition, what)
            return
        except AssertionError:
            assert node.process is not None
            if time.monotonic() > until or node.process.poll() is not None:
                raise


def _knows_load(node: RunningNode) -> bool:
    members = node.admin("GET", "/members")[1]["members"]
    others = [one for one in members if not one["this"]]
    return bool(others) and all(one["utilization"] is not None for one in others)


def _has_all(node: RunningNode, entries: int) -> bool:
    log = node.admin("GET", "/log")[1]
    logs = {one["origin"]: one for one in log["logs"]}
    return log["queue"] == 0 and "n0" in logs and logs["n0"]["sequence"] == entries


def _private_bytes(pid: int) -> int:
    """Of the process alone: without shared memory."""
    memory = psutil.Process(pid).memory_info()
    return int(memory.rss - memory.shared)


def _changes(cluster: RunningCluster, seconds: int) -> tuple[float, float]:
    """(worst lag p99 in ms, worst stall in ms) while n1 publishes :data:`FILES` changes a second."""
    first, *others = cluster.nodes
    lag = stall = 0.0
    for turn in range(1, seconds + 1):
        until = time.monotonic() + PERIOD
        _change(first, turn)
        first.admin("POST", "/publish", {})
        time.sleep(max(0.0, until - time.monotonic()))
        for node in others:
            log = node.admin("GET", "/log")[1]
            lag = max(lag, log["lag_p99_ms"])
            stall = max(stall, log["stall_ms"])
    for node in others:  # nothing may be missing
        _until(node, partial(_serves, node, "/changing/7.bin", b"%d" % seconds), "it has the last")
    return lag, stall


def _sees_all(node: RunningNode) -> bool:
    return list(states(node).values()) == ["alive"] * 4


def _serves(node: RunningNode, path: str, body: bytes) -> bool:
    return bool(node.ask(path)[2] == body)
