"""Slow-header attackers (slowhttptest) beside legitimate requests, none of which may fail."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import SERVER_CORE, Server

ATTACKERS = 4_000


@dataclass(frozen=True)
class AttackOutcome:
    """How many attackers the server held, and how legitimate requests fared meanwhile."""

    #: Attacking connections that the server held at the same time, at most.
    attackers: int
    legitimate: int
    failed: int


def slow_headers(
    server: Server, directory: Path, seconds: int = 20, attackers: int = ATTACKERS
) -> AttackOutcome | None:
    """Runs the attack; None where slowhttptest is not installed."""
    program = shutil.which("slowhttptest")
    if program is None:
        return None
    with (directory / "slowhttptest.log").open("wb") as log:
        attack = subprocess.Popen(
            [
                "taskset", "-c", str(SERVER_CORE + 1), program, "-H", "-c", str(attackers), "-r", "2000",
                "-i", "2", "-l", str(seconds), "-x", "20", "-p", "3",
                "-u", f"http://127.0.0.1:{server.port}/small.html",
            ],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return _legitimate(server, attack, seconds)
        finally:
            attack.kill()
            attack.wait()


def _legitimate(server: Server, attack: subprocess.Popen[bytes], seconds: int) -> AttackOutcome:
    deadline = time.monotonic() + seconds
    asked = failed = held = 0
    while time.monotonic() < deadline and attack.poll() is None:
        asked += 1
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.request("GET", "/small.html")
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read():
                failed += 1
        except (OSError, http.client.HTTPException):
            failed += 1
        finally:
            connection.close()
        if asked % 50 == 0:
            held = max(held, _established(server.port))
        time.sleep(0.01)
    return AttackOutcome(held, asked, failed)


def _established(port: int) -> int:
    """Connections of the listening port in state ESTABLISHED, from the kernel's table."""
    local = f"0100007F:{port:04X}"
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for row in rows if row.split()[1] == local and row.split()[3] == "01")
