"""TLS 1.3 of our node beside that of nginx: same certificate, same core, in turns.

``make bench BENCH=tls`` runs all of :data:`TLS`.  Where a goal is that of the native fast path, this is what
it costs over TLS; :mod:`benchmarks.beside_nginx` says what it costs without.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import client, memory, servers
from benchmarks.beside_nginx import TURNS, Work, closing, not_modified, ratios
from benchmarks.rows import Place, Row
from benchmarks.servers import SERVER_CORE, Server
from benchmarks.tls_client import Shaking

#: Handshakes that are begun before the first of them goes on.
AT_ONCE = 4000
#: Connections that shake hands at the same time.
CLIENTS = 6
#: Of ours: files of a mebibyte are served from memory; slow clients may shake hands as long as with nginx.
_OPTIONS = ("--body-limit-kib", "1024", "--head-seconds", "60")


def _ten(server: Server) -> str:
    return client.request("/ten.html")


def _mebibyte(server: Server) -> str:
    return client.request("/mebibyte.bin")


WORKS = (
    Work("TLS: 304, keep-alive, browser-like headers", 0.75, not_modified),
    Work("TLS: 304, 16 pipelined", 0.10, not_modified, pipeline=16),
    Work("TLS: 200, 10 KiB compressed body", 0.90, _ten),
    Work("TLS: 200, 1 MiB file (--body-limit-kib 1024), per MiB", 1.0, _mebibyte, connections=16),
)


@contextlib.contextmanager
def both(place: Place, name: str) -> Iterator[tuple[Server, Server]]:
    """Ours and nginx over TLS, with the site and a file of one mebibyte."""
    secure = servers.certificate(place.directory / "certificate")
    site = place.directory / "site"
    if not site.exists():
        shutil.copytree(place.webroot, site)
        (site / "mebibyte.bin").write_bytes(b"0123456789abcdef" * (1 << 16))
    with (
        servers.edge(site, place.directory / f"{name}-edge", "native", *_OPTIONS, secure=secure) as ours,
        servers.nginx(site, place.directory / f"{name}-nginx", secure) as nginx,
    ):
        servers.settle(ours)
        yield ours, nginx


def openssl() -> str:
    """The version that both servers use."""
    from edge.tls.native import version

    built = subprocess.run([servers.nginx_program(), "-V"], capture_output=True, text=True).stderr
    running = re.search(r"running with (OpenSSL [\w.]+)|built with (OpenSSL [\w.]+)", built)
    theirs = (running[1] or running[2]) if running else "?"
    return f"{version()}; nginx {theirs}"


def _ratios(place: Place) -> list[Row]:
    print(openssl(), flush=True)
    with both(place, "ratios") as (ours, nginx):
        pair = ours.over_tls(), nginx.over_tls()
        rows = ratios(WORKS, *pair, place.seconds, place.rounds)
        return [
            *rows,
            shaken("full", 0.95, *pair, place.seconds, place.rounds),
            shaken("resumed", 1.0, *pair, place.seconds, place.rounds),
        ]


def _turns(place: Place) -> list[Row]:
    """Few connections, each waiting for its answer: the price of one wake-up."""
    works = [Work(f"TLS: {work.name}", work.goal, work.request, work.connections) for work in TURNS[:-1]]
    with both(place, "turn") as (ours, nginx):
        return ratios(works, ours.over_tls(), nginx.over_tls(), 1.0, place.some(3, 9))


def _client(what: str, server: Server, seconds: float, request: str) -> subprocess.Popen[str]:
    """One of :mod:`benchmarks.tls_client`, on the clients' core."""
    command = [
        "taskset", "-c", str(SERVER_CORE + 1), sys.executable, "-m", "benchmarks.tls_client",
        what, str(server.port), str(seconds), request,
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])


def _figures(process: subprocess.Popen[str]) -> dict[str, float]:
    output, _ = process.communicate(timeout=300)
    if process.returncode:
        raise SystemExit("a client of the benchmark failed, see above")
    found: dict[str, float] = json.loads(output)
    return found


def _idle(server: Server) -> float:
    """CPU seconds a second of a server that nobody asks anything."""
    before = server.cpu_seconds()
    time.sleep(2)
    return (server.cpu_seconds() - before) / 2


class Shaken:
    """What connections cost a server that shake hands, ask once and end.

    Clients of our own: wrk resumes wherever it gets tickets.
    """

    def __init__(self, kind: str, server: Server, request: str) -> None:
        """*kind*: "full" or "resumed"; *request*: the last of its connection."""
        self._kind, self._server, self._request = kind, server, request
        self._idle = _idle(server)  # few connections a second: it would count
        #: CPU seconds of a connection, for each round.
        self.costs: list[float] = []
        #: Handshakes of the other kind.
        self.missed = 0.0

    def round(self, seconds: float) -> None:
        """One more."""
        before = self._server.cpu_seconds()
        clients = [_client(self._kind, self._server, seconds, self._request) for _ in range(CLIENTS)]
        found = [_figures(one) for one in clients]
        used = self._server.cpu_seconds() - before - self._idle * max(one["seconds"] for one in found)
        self.costs.append(used / sum(one["done"] for one in found))
        for one in found:
            self.missed += abs((one["done"] - 1 if self._kind == "resumed" else 0) - one["resumed"])


def shaken(kind: str, goal: float, ours: Server, nginx: Server, seconds: float, rounds: int) -> Row:
    """A *kind* of handshake, a 304, and the end of the connection."""
    both = [Shaken(kind, server, closing(server)) for server in (ours, nginx)]
    for _ in range(rounds):
        for one in both:
            one.round(seconds)
    missed = sum(one.missed for one in both)
    mine, theirs = (statistics.median(one.costs) * 1e6 for one in both)
    note = f" ({missed:.0f} otherwise!)" if missed else ""
    return Row(
        f"TLS: {kind} handshake + 304 + close", f"{mine:.2f} us", f"nginx {theirs:.2f} us",
        f"{mine / theirs:.3f} x{note}", f"<= {goal:.2f} x", mine / theirs <= goal and not missed,
    )  # fmt: skip


# Memory


def _resting(server: Server, count: int) -> float:
    """Private bytes that each of *count* resting connections adds; each has asked once."""
    request = client.request("/small.html").encode()
    with contextlib.ExitStack() as held:
        for number in range(count + 500):
            if number == 500:  # what is allocated once is not per connection
                before = server.private_bytes()
            one = Shaking(server.port, f"127.0.0.{2 + number // 5000}")
            held.enter_context(one.socket)
            one.hello()
            one.finish(request)
        return max(0, server.private_bytes() - before) / count


def _silent(server: Server, count: int) -> float:
    """The same of connections that have said nothing yet."""
    with contextlib.ExitStack() as held:
        for number in range(count + 500):
            if number == 500:
                time.sleep(0.2)
                before = server.private_bytes()
            held.enter_context(Shaking(server.port, f"127.0.0.{2 + number // 5000}").socket)
        time.sleep(0.2)
        return max(0, server.private_bytes() - before) / count


def _left(server: Server, count: int) -> float:
    """Private bytes left of each of *count* handshakes that were under way at once, after all have gone."""
    request = client.request("/small.html").encode()
    for _ in range(200):
        one = Shaking(server.port)
        one.hello()
        one.finish(request)
        one.socket.close()
    time.sleep(2)
    before = server.private_bytes()
    with contextlib.ExitStack() as held:
        all_of_them = [Shaking(server.port) for _ in range(count)]
        for one in all_of_them:
            held.enter_context(one.socket)
            one.hello()
        for one in all_of_them:
            one.finish(request)
    time.sleep(4)  # a look at the deadlines, after which the heap gives back
    return max(0, server.private_bytes() - before) / count


def _memory(place: Place) -> list[Row]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = place.some(3000, memory.CONNECTIONS)
    rows = []
    for name, measure, number, goal in (
        ("resting TLS connection", _resting, count, 240),
        ("connected and silent", _silent, place.some(3000, memory.CONNECTIONS), 32),
        ("left of a handshake", _left, place.some(1000, AT_ONCE), 200),
    ):
        with both(place, "memory") as (ours, nginx):  # anew for each: what one leaves is not the other's
            mine, theirs = (measure(server.over_tls(), number) for server in (ours, nginx))
        text = f"user memory: {name} ({number:,})"
        rows.append(
            Row(text, f"{mine:.0f} B", f"nginx {theirs:.0f} B", f"{mine:.0f} B", f"<= {goal} B", mine <= goal)
        )
    return rows


# Handoffs, latency


def _handoffs(place: Place) -> list[Row]:
    """A request that Twisted answers: the connection moves there and back each time."""
    text = client.request("/.edge/health")
    with both(place, "handoff") as (ours, _):
        costs: dict[Server, list[float]] = {ours: [], ours.over_tls(): []}
        for _round in range(place.rounds):
            for server, found in costs.items():
                found.append(client.wrk(server, text, place.seconds).microseconds)
    plain, sealed = (statistics.median(found) for found in costs.values())
    return [
        Row("request handed off to Twisted, over TLS", f"{sealed:.1f} us", f"plain {plain:.1f} us",
            f"{sealed / plain:.3f} x", "<= 1.15 x", sealed / plain <= 1.15)
    ]  # fmt: skip


def _latency(place: Place) -> list[Row]:
    """304s on open connections while others shake hands on the same core."""
    seconds = place.either(3.0, 15.0)
    with both(place, "latency") as (ours, nginx):
        found = [_beside_handshakes(server.over_tls(), seconds) for server in (ours, nginx)]
    (mine, rate), (theirs, _) = found
    return [
        Row("p99 of 304s beside TLS handshakes", f"{mine['p99']:.1f} ms", f"nginx {theirs['p99']:.1f} ms",
            f"{rate:.0f} new a second; median {mine['median']:.2f}", "<= 10 ms", mine["p99"] <= 10)
    ]  # fmt: skip


def _beside_handshakes(server: Server, seconds: float) -> tuple[dict[str, float], float]:
    """What the probe saw, and how many connections a second there were beside it."""
    probing = _client("probe", server, seconds, not_modified(server))
    time.sleep(0.3)
    run = client.wrk(server, closing(server), max(1, seconds - 1), 16)
    return _figures(probing), run.requests / max(1, seconds - 1)


FORMS = {
    "tls-ratios": _ratios,
    "tls-turn": _turns,
    "tls-memory": _memory,
    "tls-handoff": _handoffs,
    "tls-latency": _latency,
}
#: What BENCH=tls runs.
TLS = tuple(FORMS)
