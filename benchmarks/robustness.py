"""What a node holds out: a busy writer, killed processes, attackers, very many sockets and files.

``make bench BENCH=robustness`` runs those of :data:`SOUND`: what strangers, clocks, other nodes and disks may
do to a node.  One more is a file beside this one that measures, a function here that makes its rows
(with their goals), a line in :data:`FORMS`, and its name in :data:`SOUND`.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from benchmarks import (
    attack,
    hostile,
    robust_costs,
    robust_publishing,
    robust_shares,
    robust_sites,
    servers,
    siege,
    sockets,
    table_kill,
    warm_start,
    worker_kill,
)
from benchmarks.rows import Place, Row
from benchmarks.servers import SERVER_CORE, Server

HERE = Path(__file__).parent
WORKERS = 4


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


def hostile_bodies(server: Server, rounds: int) -> list[Row]:
    """Bodies that were made to be costly, posted to a path where nobody asks for them."""
    cost = hostile.measure(server, rounds)
    name, per_kib, frozen = (
        "hostile bodies of 1 MiB",
        f"{cost.per_kib * 1e6:.1f} us",
        f"{cost.frozen * 1e3:.0f} ms",
    )
    return [
        Row(
            f"{name}: CPU of a KiB beyond reading it", per_kib, f"worst: {cost.work}", per_kib, "<= 2 us",
            cost.per_kib <= 2e-6,
        ),
        Row(
            f"{name}: others wait, of {hostile.BYSTANDERS} lost", frozen, "", f"{frozen}, {cost.lost} lost",
            "<= 20 ms, 0 lost", cost.frozen <= 0.02 and not cost.lost,
        ),
    ]  # fmt: skip


def besieged(messages: int) -> list[Row]:
    """Messages made from the schema, by a node with a valid certificate."""
    effects = siege.measure(messages)
    name = f"{effects.sent:,} hostile messages of a node with a certificate"
    lasting = f"{len(effects.lasting)} lasting"
    return [
        Row(
            f"{name}: effects that last", lasting, f"{effects.decoded:,} of them decoded",
            effects.lasting[0][:80] if effects.lasting else lasting, "0", not effects.lasting,
        ),
        Row(
            f"{name}: memory and database, from a quarter to the end", f"{effects.growth:.2f} x", "",
            f"{effects.growth:.2f} x", "<= 1.5 x", effects.growth <= 1.5,
        ),
    ]  # fmt: skip


def _sockets(place: Place) -> list[Row]:
    with servers.edge(place.webroot, place.directory / "sockets") as server:
        return open_sockets(server, place.either(5.0, 20.0))


def _workers(place: Place) -> list[Row]:
    options = ("--workers", str(WORKERS))
    with servers.edge(place.webroot, place.directory / "workers", "native", *options) as server:
        return [workers_killed(server, place.some(4, 20))]


def _attack(place: Place) -> list[Row]:
    with servers.edge(place.webroot, place.directory / "attack") as server:
        return [attacked(server, place.directory)]


def _hostile(place: Place) -> list[Row]:
    with servers.edge(place.webroot, place.directory / "hostile") as server:
        return hostile_bodies(server, place.some(3, 20))


FORMS = {
    "sockets": _sockets,
    "reads": lambda place: [reads(place.directory, place.some(10**7, 10**9))],
    "kills": lambda place: [kills(place.some(50, 1000))],
    "workers": _workers,
    "attack": _attack,
    "hostile": _hostile,
    "shares": robust_shares.rows,
    "publishing": robust_publishing.rows,
    "costs": lambda place: [robust_costs.row(place.some(20, 500))],
    "siege": lambda place: besieged(place.some(10_000, 100_000)),
    "sites": lambda place: [robust_sites.row(place.some(500, 10_000))],
    "start": lambda place: [started(place.directory / "start")],
}
#: What ``robustness`` stands for on the command line.
SOUND = ("hostile", "shares", "costs", "publishing", "siege", "sites")
