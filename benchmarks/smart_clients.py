"""``loadgen run`` measured: what it costs, and whether its figures are true.

Servers run on one core and the generator on another; costs are CPU time, from each process's own account.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import servers
from benchmarks.servers import SERVER_CORE, Server
from loadgen.results import Result, load
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import UnixConnection, exchange

PAGES, ASSETS = 8, 6
#: (sample, kind) of the nodes' metrics that are compared with.
_OF_METRIC = {
    ("edge_fast_responses_total", "304"): "not_modified",
    ("edge_fast_responses_total", "200"): "ok",
    ("edge_validators_total", ""): "validators",
}
#: Seconds that the target is stopped.
STOP = 3.0


def site(folder: Path) -> Path:
    """Pages that all link to each other and have the same style sheets."""
    folder.mkdir(parents=True, exist_ok=True)
    head = "".join(f'<link rel="stylesheet" href="/{number}.css">' for number in range(ASSETS))
    links = "".join(f'<a href="/page-{number}.html">{number}</a>' for number in range(PAGES))
    for number in range(PAGES):
        text = f"<!doctype html><title>{number}</title>{head}{links}" + f"<p>page {number}" * 200
        (folder / f"page-{number}.html").write_text(text)
    for number in range(ASSETS):
        (folder / f"{number}.css").write_text(f".c{number} {{ color: #{number:06x} }}\n" * 40)
    return folder


def scenario(
    folder: Path, users: int, seconds: float, think: float, *, warm: float = 1.0, kind: str = "exponential"
) -> Path:
    """Users who all read when the run begins, and go on to its end."""
    path = folder / "scenario.toml"
    path.write_text(f"""
v = 1
title = "benchmark"
users = {users}
duration_s = {seconds}
policy = "smart"
arrivals = {{ kind = "constant", present = 1.0 }}
session = {{ pages_mean = 60000, think = {{ kind = "{kind}", mean_s = {think} }} }}
site = {{ start = "/page-0.html", pages = {PAGES} }}
cache = {{ warm = {warm}, pages = 12 }}
sockets = {{ share = 0.0 }}
""")
    return path


def run(
    folder: Path,
    url: str,
    file: Path,
    core: int | None = None,
    during: Callable[[], None] | None = None,
    options: Sequence[str] = (),
    where: str = "--cluster",
) -> Result:
    """``loadgen run`` as a process; *during* is called in a thread when it has begun."""
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    command = [*pinned, sys.executable, "-m", "loadgen.cli", "run", str(file), where, url, *options]
    command += ["--out", str(folder / "out"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    thread: threading.Thread | None = None
    for line in process.stdout:
        if thread is None and during is not None and '"event":"second"' in line:
            thread = threading.Thread(target=during)
            thread.start()
    if thread is not None:
        thread.join()
    if process.wait() not in (0, 2, 3) or not (folder / "out").exists():
        raise SystemExit(f"loadgen run ended with {process.returncode}")
    return load(folder / "out")


@contextlib.contextmanager
def node(folder: Path) -> Iterator[Server]:
    """One of ours with the site."""
    with servers.edge(site(folder / "site"), folder / "edge", "native", "--node", "n1") as server:
        yield server


def url_of(server: Server) -> str:
    """Where it is."""
    return f"http://localhost:{server.port}"


def per_core(folder: Path, seconds: float) -> Result:
    """An open loop that a core of the generator can just about offer."""
    folder.mkdir(parents=True, exist_ok=True)
    with node(folder) as server:
        file = scenario(folder, 1_000, seconds, 0.05)
        return run(folder, url_of(server), file, SERVER_CORE + 1)


def per_core_over_tls(folder: Path, seconds: float) -> Result:
    """The same over HTTPS; users who are fewer, so that the node's handshakes are not what is measured."""
    folder.mkdir(parents=True, exist_ok=True)
    secure = servers.certificate(folder / "certificate")
    with servers.edge(
        site(folder / "site"), folder / "edge", "native", "--node", "n1", secure=secure, public=True
    ) as server:
        file = scenario(folder, 200, seconds, 0.01)
        trusted = ("--cafile", str(secure / "cert.pem"))
        return run(folder, server.over_tls().url.rstrip("/"), file, SERVER_CORE + 1, options=trusted)


class Shares(NamedTuple):
    """Of confirmations, as both sides counted them."""

    generator: float
    nodes: float


def shares(folder: Path, seconds: float) -> Shares:
    """Four nodes, users of whom a half come for the first time; nothing changes meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = RunningCluster(4)
    try:
        site(cluster.nodes[0].site)
        cluster.start()
        for one in cluster.nodes:
            one.wait_for(lambda one=one: one.ask("/5.css")[0] == 200, "it has the site")
        before = _counters(cluster)
        file = scenario(folder, 2_000, seconds, 2.0, warm=0.5)
        result = run(folder, f"http://127.0.0.1:{cluster.nodes[0].port}", file)
        after = _counters(cluster)
    finally:
        cluster.clean_up()
    grown = {name: after[name] - before[name] for name in after}
    confirmed = grown["not_modified"] + grown["validators"]
    # What crawled the site beforehand, and load documents, are no answers to readers.
    crawled = PAGES + ASSETS + 1
    bodies = grown["ok"] - result.counts.get("load_polls", 0) - crawled
    return Shares(result.measures["share_304"], confirmed / max(1, confirmed + bodies))


def _counters(cluster: RunningCluster) -> dict[str, int]:
    """What the fast paths of all nodes have answered."""
    found = dict.fromkeys(("not_modified", "validators", "ok"), 0)
    for one in cluster.nodes:
        connection = UnixConnection(str(one.state / "admin.sock"))
        text = exchange(connection, "/.edge/metrics")[2].decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = _OF_METRIC.get((sample.name, sample.labels.get("kind", "")))
                if name is not None:
                    found[name] += int(sample.value)
    return found


def idle_user(users: int) -> float:
    """Bytes of resident memory for each idle user of one process."""
    command = [sys.executable, "-m", "benchmarks.idle_users", str(users)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(json.loads(output)["bytes_per_user"])


def memory(folder: Path, seconds: float) -> tuple[int, int]:
    """Resident bytes of the generator after a quarter of a run, when all users have come, and at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    with node(folder) as server:
        result = run(folder, url_of(server), scenario(folder, 3_000, seconds, 1.0), SERVER_CORE + 1)
    of_seconds = [second.memory_bytes for second in result.series if second.memory_bytes]
    return of_seconds[len(of_seconds) // 4], of_seconds[-1]


def stopped(folder: Path, seconds: float) -> tuple[float, float]:
    """(measured, theory): corrected p99 in ms when the target is stopped for :data:`STOP` seconds.

    Requests planned evenly over T seconds, of which those in the D seconds of the stop wait until its
    end: a share (D - x) / T of them waits longer than x, so the p99 is D - T / 100.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with node(folder) as server:
        worker = server.processes()[-1].pid

        def stop() -> None:
            time.sleep(2.0)
            os.kill(worker, signal.SIGSTOP)
            time.sleep(STOP)
            os.kill(worker, signal.SIGCONT)

        file = scenario(folder, 4_000, seconds, 10.0)
        result = run(folder, url_of(server), file, SERVER_CORE + 1, stop)
    return result.measures["p99"], (STOP - seconds / 100) * 1000
