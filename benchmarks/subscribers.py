"""Very many WebSocket subscribers of four real nodes, beside a trickle of requests.

The subscribers live in several processes of the load generator.  A change is published on the first node
every few seconds; a push counts from the call that publishes to the receipt by each subscriber, so what the
nodes need to look, to gossip and to write, and what the cores of this machine have beside that to do, is all
in it.
"""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np
import psutil

from edge.descriptors import connection_limit, raise_descriptor_limit
from loadgen.histogram import Histogram
from loadgen.subscribers import Subscribers
from loadgen.targets import resolve
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import RunningNode

#: Processes of subscribers, unless they may not have descriptors enough; nodes.
PROCESSES, NODES = 4, 4
#: Calls a second, of all processes.
PER_SECOND = 1500
#: Seconds between two publishes: more than the nodes take for a round of all their connections.
PERIOD = 8.0
#: Seconds before a publish at which the subscribers are told of it.
NOTICE = 0.5
#: Seconds between two requests of the trickle.
PAUSE = 0.02
#: Seconds after which something counts as never: that all are connected, that all have heard of a change.
NEVER, LATEST = 300.0, 60.0


class PushFigures(NamedTuple):
    """How soon pushes arrived at all subscribers, and what these cost; times in ms, sizes in bytes."""

    p50: float
    p99: float
    highest: float
    #: Pushes that came, and that were to come.
    pushes: int
    expected: int
    #: User memory of a subscriber: on the generator; on its node.
    generator: float
    node: float
    #: Generators: the longest time that one of them was behind; failures by reason.
    lag: float
    errors: Counter[str]
    #: Requests of the trickle, how many of them failed, the 99th percentile of the others.
    requests: int
    failed: int
    request_p99: float
    #: CPU microseconds of the nodes for a push, beyond what they take without any.
    cpu: float


class SubscriberReport(NamedTuple):
    """What one process of subscribers says of itself."""

    held: int
    #: Resident bytes that subscribers have added.
    memory: int
    #: Changes heard of, and the encoded :class:`Histogram` of when.
    pushes: int
    latency: str
    lag_ns: int
    errors: dict[str, int]


def _subscribe(pipe: Connection, count: int, urls: list[str], per_second: float) -> None:
    """One process.  It is told when a change will be published, or asked for its report by a 0."""
    subscribers = Subscribers()
    nodes = [resolve(url) for url in urls]
    memory = psutil.Process().memory_info
    before = memory().rss
    subscribers.open(count, nodes, per_second)
    while True:
        subscribers.run(time.monotonic_ns() + 20_000_000)
        while pipe.poll():
            asked = pipe.recv()
            if asked is None:
                subscribers.close()
                return
            if asked:
                subscribers.expect(asked)
                subscribers.lag_ns = 0
                continue
            grown, heard = memory().rss - before, subscribers.latency["changed"]
            errors = dict(subscribers.errors)
            pipe.send(
                SubscriberReport(
                    subscribers.count(), grown, heard.count, heard.encode(), subscribers.lag_ns, errors
                )
            )


class _Trickle:
    """Requests beside the subscribers, one after the other, to the nodes in turn."""

    def __init__(self, ports: list[int]) -> None:
        self.latency = Histogram()
        self.failed = 0
        self._ports = ports
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> _Trickle:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        nodes = [http.client.HTTPConnection("127.0.0.1", port, timeout=5) for port in self._ports]
        turn = 0
        while not self._stop.wait(PAUSE):
            node = nodes[turn % len(nodes)]
            turn += 1
            began = time.monotonic_ns()
            try:
                node.request("GET", "/")
                answer = node.getresponse()
                answer.read()
                self.failed += answer.status != 200
            except (OSError, http.client.HTTPException):
                self.failed += 1
                node.close()
            self.latency.record(np.array([(time.monotonic_ns() - began) // 1000]))


@contextlib.contextmanager
def _crowds(count: int, urls: list[str]) -> Iterator[list[Connection]]:
    """Processes with *count* subscribers in all."""
    number = max(PROCESSES, -(-count // connection_limit(raise_descriptor_limit(count))))
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes = []
    try:
        for place in range(number):
            mine, theirs = context.Pipe()
            part = (count * (place + 1)) // number - (count * place) // number
            process = context.Process(
                target=_subscribe, args=(theirs, part, urls, PER_SECOND / number), daemon=True
            )
            process.start()
            theirs.close()
            pipes.append(mine)
            processes.append(process)
        yield pipes
    finally:
        for pipe in pipes:
            with contextlib.suppress(OSError):
                pipe.send(None)
        for process in processes:
            process.join(30)
            if process.is_alive():
                process.kill()


def _reports(pipes: list[Connection]) -> list[SubscriberReport]:
    for pipe in pipes:
        pipe.send(0)
    return [pipe.recv() for pipe in pipes]


def measure(count: int, publishes: int) -> PushFigures:
    """Hold *count* subscribers and publish so many times."""
    cluster = RunningCluster(NODES)
    try:
        first = cluster.nodes[0]
        first.options.append("--no-watch")
        each = count // NODES * 5 // 4 + 100
        workers = -(-each // connection_limit(raise_descriptor_limit(each)))
        for node in cluster.nodes:
            node.options += ["--connections", str(each), "--connections-per-address", "0"]
            node.options += ["--workers", str(workers)]
        first.write("index.html", b"<p>0")
        cluster.start()
        for node in cluster.nodes:
            node.wait_for(lambda node=node: node.ask("/")[0] == 200, "it has the page")
        pids = [node.process.pid for node in cluster.nodes if node.process is not None]
        alone = sum(map(_private_bytes, pids))
        ports = [node.port for node in cluster.nodes]
        with _crowds(count, [f"http://127.0.0.1:{port}/" for port in ports]) as pipes:
            _await_all(pipes, count)
            with _Trickle(ports) as trickle:
                idle = _spent(pids, partial(time.sleep, PERIOD)) / PERIOD
                held = sum(map(_private_bytes, pids)) - alone
                memory = sum(report.memory for report in _reports(pipes))
                began = time.monotonic()
                busy = _spent(pids, partial(_publish, first, pipes, publishes))
                busy -= idle * (time.monotonic() - began)
            reports = _reports(pipes)
        latency = Histogram()
        errors: Counter[str] = Counter()
        for report in reports:
            latency.add(Histogram.decode(report.latency))
            errors.update(report.errors)
        p50, p99 = latency.percentiles((50.0, 99.0))
        cpu = max(0.0, busy) / max(1, latency.count) * 1e6
        return PushFigures(
            p50 / 1000, p99 / 1000, latency.highest / 1000, latency.count, count * publishes, memory / count,
            held / count, max(report.lag_ns for report in reports) / 1e6, errors, trickle.latency.count,
            trickle.failed, trickle.latency.percentile(99) / 1000, cpu,
        )  # fmt: skip
    finally:
        cluster.clean_up()


def _publish(node: RunningNode, pipes: list[Connection], times: int) -> None:
    """Change the page so many times, say so before, and wait until everybody has heard of it."""
    for number in range(times):
        at = time.monotonic_ns() + int(NOTICE * 1e9)
        for pipe in pipes:
            pipe.send(at)
        node.write("index.html", b"<p>%d" % (number + 1))
        time.sleep((at - time.monotonic_ns()) / 1e9)
        node.admin("POST", "/publish", {})
        time.sleep(PERIOD - NOTICE)
        until = time.monotonic() + LATEST
        while time.monotonic() < until:
            reports = _reports(pipes)
            if sum(report.pushes for report in reports) >= (number + 1) * sum(one.held for one in reports):
                break
            time.sleep(1)


def _await_all(pipes: list[Connection], count: int) -> None:
    until = time.monotonic() + NEVER
    while True:
        reports = _reports(pipes)
        held = sum(report.held for report in reports)
        if held >= count:
            return
        if time.monotonic() > until:
            errors = sum((Counter(report.errors) for report in reports), Counter())
            raise SystemExit(f"only {held} of {count} subscribers could connect: {dict(errors)}")
        time.sleep(0.5)


def _tree(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _private_bytes(pid: int) -> int:
    """Of a node's processes, without what they share."""
    return sum(int(process.memory_full_info().uss) for process in _tree(pid))


def _spent(pids: list[int], work: Callable[[], None]) -> float:
    """CPU seconds of these processes and their children while *work* is done."""
    processes = [process for pid in pids for process in _tree(pid)]
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    work()
    return sum(sum(process.cpu_times()[:2]) for process in processes) - before
