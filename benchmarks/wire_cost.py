"""What the wire of the load generator costs: client CPU per request beside wrk's, and memory that stays.

Both clients ask the same node for the same 304, one after the other, on the core that the node does not use.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks import client
from benchmarks.servers import SERVER_CORE, Server
from loadgen.wire import select
from loadgen.wire.interface import Limits

CONNECTIONS = 64
#: Of the wire: so many users ask again as soon as they are answered.
USERS = 64
_PINNED = ("taskset", "-c", str(SERVER_CORE + 1))


@dataclass(frozen=True)
class Costs:
    """Microseconds of client CPU per 304, medians of all rounds."""

    wrk: float
    wire: float


@dataclass(frozen=True)
class Growth:
    """Resident memory of one process, in bytes: after the first fifth of its requests, and at the end."""

    requests: int
    before: int
    after: int

    @property
    def share(self) -> float:
        """How much it has grown, relative."""
        return self.after / self.before - 1


def costs(server: Server, seconds: float, rounds: int) -> Costs:
    """Rounds interleaved, so that a noisy machine disturbs all alike."""
    etag = server.head("/small.html", **{"Accept-Encoding": "gzip, deflate, br, zstd"})["etag"].strip('"')
    text = client.request("/small.html", If_None_Match=f'"{etag}"')
    found: dict[str, list[float]] = {"wrk": [], "wire": []}
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = client.wrk(server, text, seconds, CONNECTIONS)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found["wrk"].append(cpu / result.requests * 1e6)
        found["wire"].append(_own("wire", server, text, seconds)["microseconds"])
    return Costs(statistics.median(found["wrk"]), statistics.median(found["wire"]))


def growth(server: Server, seconds: float) -> Growth:
    """Resident memory of a wire that asks for *seconds*."""
    text = client.request("/ten.html")
    found = _own("memory", server, text, seconds)
    return Growth(int(found["requests"]), int(found["before"]), int(found["after"]))


def _own(what: str, server: Server, text: str, seconds: float) -> dict[str, float]:
    """What this module measures as a process on the clients' core."""
    command = [*_PINNED, sys.executable, "-m", "benchmarks.wire_cost", what, str(server.port), f"{seconds:g}"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell the resident memory of a process")


def _ask(what: str, port: int, seconds: float, request: bytes) -> dict[str, float]:
    """Users of a wire who ask again when they are answered; every answer is looked at in Python."""
    wire = select("native", USERS, Limits())
    node = wire.node("127.0.0.1", port)
    tokens = count()
    begin, before, requests = time.monotonic_ns(), 0, 0
    usage = resource.getrusage(resource.RUSAGE_SELF)
    for user in range(USERS):
        wire.send(next(tokens) * USERS + user, user, node, begin, request)
    end = begin + int(seconds * 1e9)
    while (now := time.monotonic_ns()) < end:
        for answer in wire.run(now + 500_000):
            if answer.error or answer.status not in (200, 304):
                raise SystemExit(f"not what was asked for: {answer}")
            requests += 1
            wire.send(next(tokens) * USERS + answer.token % USERS, answer.token % USERS, node, now, request)
        if not before and now > begin + (end - begin) // 5:
            before = _resident()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    wire.close()
    return {
        "requests": requests, "microseconds": cpu / requests * 1e6, "before": before, "after": _resident(),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(_ask(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.stdin.buffer.read())))
