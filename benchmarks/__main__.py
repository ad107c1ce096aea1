"""Runs the benchmarks and prints the table that the README quotes.  See the package's docstring."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import (
    attack,
    client,
    cluster,
    constants,
    flood,
    memory,
    million,
    replica,
    servers,
    sockets,
    subscribers,
    table_kill,
    warm_start,
    worker_kill,
)
from benchmarks.servers import SERVER_CORE, Server

HERE = Path(__file__).parent
FORMS = (
    "ratios",
    "twin",
    "memory",
    "sockets",
    "subscribers",
    "wire",
    "reads",
    "kills",
    "workers",
    "attack",
    "start",
    "cluster",
    "replica",
    "million",
    "constants",
    "flood",
)
WORKERS = 4


@dataclass(frozen=True)
class Row:
    """One line of the printed table."""

    work: str
    ours: str
    reference: str
    result: str
    goal: str
    reached: bool


@dataclass(frozen=True)
class Work:
    """One kind of request, sent to our node and to nginx."""

    name: str
    goal: float
    #: Makes the request's text for a server.
    request: Callable[[Server], str]
    connections: int = 64
    pipeline: int = 1
    #: Units of work in one request of ours (validators of a batch).
    units: int = 1
    #: What nginx gets where it has no equivalent.
    reference: Callable[[Server], str] | None = None


def _not_modified(server: Server) -> str:
    etag = server.head("/small.html", **{"Accept-Encoding": "gzip, deflate, br, zstd"})["etag"]
    return client.request("/small.html", If_None_Match=etag)


def _ten(server: Server) -> str:
    return client.request("/ten.html")


def _closing(server: Server) -> str:
    return _not_modified(server).replace("Connection: keep-alive", "Connection: close")


def _revalidate(server: Server) -> str:
    lines = (f"{server.head(f'/asset-{n}.css')['etag'].strip(chr(34))} /asset-{n}.css" for n in range(50))
    return client.request("/.edge/revalidate", "POST", "\n".join(lines), Content_Type="text/plain")


WORKS = (
    Work("304, keep-alive, browser-like headers", 0.90, _not_modified),
    Work("304, 16 pipelined", 0.15, _not_modified, pipeline=16),
    Work("200, 10 KiB compressed body", 1.0, _ten),
    Work("new connection + one 304 + close", 1.1, _closing, connections=32),
    Work(
        "50 validators by /.edge/revalidate, per validator",
        0.08,
        _revalidate,
        units=50,
        reference=_not_modified,
    ),
)


def ratios(ours: Server, nginx: Server, seconds: float, rounds: int) -> list[Row]:
    """Each work on both servers, rounds interleaved, medians compared."""
    rows = []
    for work in WORKS:
        texts = (work.request(ours), (work.reference or work.request)(nginx))
        pipelines = (work.pipeline, work.pipeline if work.reference is None else 1)
        figures: tuple[list[float], list[float]] = ([], [])
        errors = 0
        for _ in range(rounds):
            for index, server in enumerate((ours, nginx)):
                result = client.wrk(server, texts[index], seconds, work.connections, pipelines[index])
                figures[index].append(result.microseconds / (work.units if index == 0 else 1))
                # A server that closes makes wrk count a read error now and then: not an answer missed.
                errors += result.errors if "close" not in work.name else 0
        mine, theirs = statistics.median(figures[0]), statistics.median(figures[1])
        ratio = mine / theirs
        note = f" ({errors} errors!)" if errors else ""
        rows.append(
            Row(work.name, f"{mine:.2f} us", f"nginx {theirs:.2f} us", f"{ratio:.3f} x{note}",
                f"<= {work.goal:.2f} x", ratio <= work.goal and not errors)
        )  # fmt: skip
    return rows


def twin(server: Server, seconds: float) -> Row:
    """The Python build of the fast path, per 304."""
    result = client.wrk(server, _not_modified(server), seconds)
    cost = result.microseconds
    return Row("Python twin, 304", f"{cost:.1f} us", "", f"{cost:.1f} us", "<= 25 us", cost <= 25)


def idle(ours: Server, nginx: Server) -> Row:
    """User memory per idle keep-alive connection."""
    mine, theirs = memory.bytes_per_connection(ours), memory.bytes_per_connection(nginx)
    return Row(
        f"user memory per idle connection ({memory.CONNECTIONS:,} held)",
        f"{mine:.0f} B", f"nginx {theirs:.0f} B", f"{mine:.0f} B", "<= 32 B", mine <= 32,
    )  # fmt: skip


def open_sockets(ours: Server, seconds: float) -> list[Row]:
    """WebSockets that only listen."""
    cost = sockets.measure(ours, sockets.SOCKETS, seconds)
    name = f"{sockets.SOCKETS:,} idle WebSockets"
    pushes = f"{cost.messages:.1f} pushes/s each"
    return [
        Row(
            f"{name}: CPU", f"{cost.core:.1%} of a core", pushes, f"{cost.core:.1%}", "<= 2 %",
            cost.core <= 0.02,
        ),
        Row(
            f"{name}: user memory of each", f"{cost.memory:.0f} B", "", f"{cost.memory:.0f} B", "<= 4 KiB",
            cost.memory <= 4096,
        ),
    ]  # fmt: skip


def wire(ours: Server, nginx: Server) -> Row:
    """Bytes of a 304 above TCP."""
    sizes = [_raw_size(server) for server in (ours, nginx)]
    return Row(
        "304 on the wire",
        f"{sizes[0]} B",
        f"nginx {sizes[1]} B",
        f"{sizes[0]} B",
        "<= 200 B",
        sizes[0] <= 200,
    )


def _raw_size(server: Server) -> int:
    import socket

    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(_not_modified(server).encode())
        answer = connection.recv(65536)
    if not answer.startswith(b"HTTP/1.1 304"):
        raise SystemExit(f"{server.name} did not answer 304: {answer[:80]!r}")
    return len(answer)


def reads(directory: Path, count: int) -> Row:
    """Table reads against a writer that never rests."""
    program = directory / "table_reads"
    sources = sorted((HERE.parent / "edge/fastpath/src").glob("*.c"))
    includes = [f"-I{HERE.parent / 'tests/native'}", f"-I{HERE.parent / 'edge/fastpath/src'}"]
    inputs = [str(HERE / "table_reads.c"), *map(str, sources)]
    subprocess.run(
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", *includes, *inputs, "-o", str(program)], check=True
    )
    output = subprocess.run(
        [str(program), str(count), str(SERVER_CORE), str(SERVER_CORE + 1)], capture_output=True, text=True
    ).stdout
    result = json.loads(output)
    torn = f"{result['torn']} torn"
    work = f"{result['reads']:.0e} table reads against {result['writes']:,} writes"
    return Row(work, torn, "", f"{torn}, {result['missed']} missed", "0 torn", not result["torn"])


def kills(count: int) -> Row:
    """kill -9 of the table's writer at random points."""
    wrong = table_kill.run(count)
    return Row(
        f"{count:,} kill -9 of the writer", f"{wrong} wrong", "", f"{wrong} wrong answers", "0", wrong == 0
    )


def workers_killed(server: Server, count: int) -> Row:
    """kill -9 of workers under load."""
    done = worker_kill.kill_workers(server, count, WORKERS)
    bad = done.broken_without + done.wrong
    return Row(
        f"{done.kills} kill -9 of workers under load",
        f"{bad} failed",
        "",
        f"{bad} of {done.answered:,} failed on other workers ({done.broken_with_worker} ended with theirs)",
        "0 failed",
        bad == 0 and done.broken_with_worker > 0,
    )


def started(directory: Path) -> Row:
    """Publishing many files at start, with everything compressed before."""
    first, again = warm_start.seconds(directory)
    name = f"warm start with {warm_start.FILES:,} files"
    return Row(name, f"{again:.1f} s", f"first start {first:.1f} s", f"{again:.1f} s", "< 2 s", again < 2)


def attacked(server: Server, directory: Path) -> Row:
    """Slow-header attackers beside legitimate requests."""
    outcome = attack.slow_headers(server, directory)
    goal = f"0 failed, {attack.ATTACKERS} attackers"
    if outcome is None:
        return Row("slow-header attackers", "", "", "slowhttptest is not installed", goal, False)
    return Row(
        f"{outcome.attackers} slow-header attackers held at once", f"{outcome.failed} failed", "",
        f"{outcome.failed} of {outcome.legitimate:,} legitimate requests failed", goal,
        outcome.failed == 0 and outcome.legitimate > 0,
    )  # fmt: skip


def clustered(publishes: int, kills: int) -> list[Row]:
    """Four real nodes as one."""
    found = cluster.measure(publishes, kills)
    late, gone = found.stale, found.weightless
    return [
        Row(
            f"{publishes} publishes: old version confirmed elsewhere", f"max {late[-1] * 1000:.1f} ms", "",
            f"p99 {late[len(late) * 99 // 100] * 1000:.1f} ms", "p99 <= 100 ms, max 1 s",
            late[len(late) * 99 // 100] <= 0.1 and late[-1] <= 1.0,
        ),
        Row(
            f"{kills} kill -9 of a node: weight 0 on all others", f"p50 {gone[len(gone) // 2]:.2f} s", "",
            f"max {gone[-1]:.2f} s", "p99 <= 3 s", gone[-1] <= 3.0,
        ),
    ]  # fmt: skip


def joined(directory: Path, entries: int) -> list[Row]:
    """The cores of a cold join, without table and TLS."""
    found = replica.measure(directory, entries)
    return [
        Row(
            f"cold join of {entries:,} entries, cores", f"{found.receiver * 1e6:.1f} us an entry", "",
            f"sender {found.sender * 1e6:.1f} us, {found.wire:.0f} B on the wire", "<= 60 us",
            found.receiver <= 60e-6,
        ),
        Row(
            "memory of the change log", f"{found.memory:.0f} B an entry", "", "", "<= 250 B",
            found.memory <= 250,
        ),
        Row("repair between equals", f"{found.repair} B", "", "", "<= 64 KiB", found.repair <= 65536),
    ]  # fmt: skip


def large(entries: int, seconds: int) -> list[Row]:
    """Four real nodes with a large table."""
    found = million.measure(entries, seconds)
    return [
        Row(
            f"cold join of {entries:,} entries, real nodes: load figures", f"{found.load:.2f} s from exec",
            f"a node alone is ready after {found.boot:.2f} s", f"{found.load:.2f} s", "<= 1 s",
            found.load <= 1.0,
        ),
        Row(
            f"cold join of {entries:,} entries, real nodes: table", f"{found.table:.1f} s", "",
            f"{found.memory:.0f} B an entry beyond the table", "<= 60 s, <= 250 B",
            found.table <= 60 and found.memory <= 250,
        ),
        Row(
            f"{found.changes:,} changes in {seconds} s to {entries:,} entries", "4 nodes",
            f"lag p99 {found.lag_p99_ms:.0f} ms", f"a reactor late by {found.stall_ms:.0f} ms",
            "<= 1 s, <= 20 ms", found.lag_p99_ms <= 1000 and found.stall_ms <= 20,
        ),
    ]  # fmt: skip


def measured(directory: Path, quick: bool) -> Row:
    """What simulate and plan reckon with, written where they find it."""
    found = constants.measure(directory, quick)
    constants.write(found)
    return Row(
        "constants of loadgen simulate and plan", f"{len(found.constants)} measured", "",
        f"{constants.PATH.name} written", "all", True,
    )  # fmt: skip


def subscribed(count: int, publishes: int) -> list[Row]:
    """Very many subscribers of four nodes, in processes of the load generator."""
    found = subscribers.measure(count, publishes)
    pushes = f"{found.pushes:,} of {found.expected:,} pushes, {found.cpu:.0f} us of the nodes for each"
    errors = ", ".join(f"{number} {why}" for why, number in found.errors.items()) or "no failures"
    return [
        Row(
            f"{count:,} WebSocket subscribers of 4 nodes: push latency", f"p50 {found.p50:.0f} ms",
            f"generators behind by {found.lag:.0f} ms", f"p99 {found.p99:.0f} ms; {pushes}", "all of them",
            found.pushes == found.expected,
        ),
        Row(
            "user memory of each on the generator", f"{found.generator:.0f} B",
            f"on its node {found.node:.0f} B", errors, "<= 2 KiB", found.generator <= 2048,
        ),
        Row(
            "requests beside them", f"{found.requests:,}", f"p99 {found.request_p99:.0f} ms",
            f"{found.failed} failed", "0 failed", found.failed == 0,
        ),
    ]  # fmt: skip


def flooded(server: Server, seconds: float, rounds: int) -> list[Row]:
    """What the load generator costs beside wrk, and whether its memory stays."""
    found = flood.costs(server, seconds, rounds)
    grown = flood.growth(server, 3 * seconds)
    ratio, note = found.flood / found.wrk, f" ({found.errors} errors!)" if found.errors else ""
    return [
        Row(
            "loadgen flood, 304 keep-alive: client CPU", f"{found.flood:.2f} us", f"wrk {found.wrk:.2f} us",
            f"{ratio:.2f} x{note}; 16 pipelined {found.flood_pipelined:.2f} us", "<= 1.30 x",
            ratio <= 1.3 and not found.errors,
        ),
        Row(
            "many users' wire, 304: client CPU, Python included", f"{found.wire:.2f} us",
            f"wrk {found.wrk:.2f} us", f"wrk's + {found.wire - found.wrk:.2f} us", "<= wrk's + 3 us",
            found.wire <= found.wrk + 3,
        ),
        Row(
            f"memory of the load generator, {grown.requests:,} answers of 10 KiB",
            f"{grown.after / 2**20:.1f} MiB", f"after a fifth {grown.before / 2**20:.1f} MiB",
            f"{grown.share:+.1%}", "within 5 %", abs(grown.share) <= 0.05,
        ),
    ]  # fmt: skip


def measure(forms: list[str], quick: bool) -> list[Row]:
    """All rows for *forms*; *quick* shortens every part (for a look, not for figures)."""
    seconds, rounds = (1.0, 1) if quick else (4.0, 3)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as name, ExitStack() as running:
        directory = Path(name)
        directory.chmod(0o755)
        webroot = client.site(directory / "site")
        if {"ratios", "wire", "attack"} & set(forms):
            ours = running.enter_context(servers.edge(webroot, directory / "edge"))
            nginx = running.enter_context(servers.nginx(webroot, directory / "nginx"))
            if "ratios" in forms:
                rows += ratios(ours, nginx, seconds, rounds)
            if "wire" in forms:
                rows.append(wire(ours, nginx))
            if "attack" in forms:
                rows.append(attacked(ours, directory))
        if "memory" in forms:  # servers of its own: memory that was used before would hide what is needed
            with (
                servers.edge(webroot, directory / "idle") as ours,
                servers.nginx(webroot, directory / "idle-nginx") as nginx,
            ):
                rows.append(idle(ours, nginx))
        if "sockets" in forms:
            with servers.edge(webroot, directory / "sockets") as ours:
                rows += open_sockets(ours, 5.0 if quick else 20.0)
        if "start" in forms:
            rows.append(started(directory / "start"))
        if "twin" in forms:
            with servers.edge(webroot, directory / "twin", "python") as server:
                rows.append(twin(server, seconds))
        if "flood" in forms:
            with servers.edge(webroot, directory / "flood") as server:
                rows += flooded(server, seconds, rounds)
        if "workers" in forms:
            options = ("--workers", str(WORKERS))
            with servers.edge(webroot, directory / "workers", "native", *options) as server:
                rows.append(workers_killed(server, 4 if quick else 20))
        if "cluster" in forms:
            rows += clustered(20 if quick else 200, 4 if quick else 20)
        if "replica" in forms:
            rows += joined(directory / "replica", 50_000 if quick else 1_000_000)
        if "million" in forms:
            rows += large(50_000 if quick else 1_000_000, 5 if quick else 30)
        if "subscribers" in forms:
            rows += subscribed(4_000 if quick else 100_000, 2 if quick else 5)
        if "reads" in forms:
            rows.append(reads(directory, 10**7 if quick else 10**9))
        if "kills" in forms:
            rows.append(kills(50 if quick else 1000))
        if "constants" in forms:
            rows.append(measured(directory / "constants", quick))
    return rows


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("form", nargs="*", help=f"some of {', '.join(FORMS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="short runs, for a look")
    options = parser.parse_args()
    unknown = set(options.form) - set(FORMS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(FORMS)}")
    if psutil.cpu_count() == 1:
        parser.error("these benchmarks need two cores: one for the server, one for the client")
    rows = measure(options.form or list(FORMS), options.quick)
    table = Table(title="server CPU per request, one pinned core each, same run")
    for heading in ("work", "ours", "reference", "result", "goal", ""):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            row.work, row.ours, row.reference, row.result, row.goal, "reached" if row.reached else "MISSED"
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
