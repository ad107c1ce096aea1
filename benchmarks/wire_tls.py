"""What TLS costs the load generator's wire: client CPU of a 304 and of handshakes, memory of connections.

One node over TLS on a core of its own; the wire on the other one, in a process of its own::

    python -m benchmarks.wire_tls WHAT PORT SECONDS CAFILE < REQUEST
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks import client
from benchmarks.servers import SERVER_CORE, Server
from loadgen.trust import Trust
from loadgen.wire import select
from loadgen.wire.interface import Limits, Wire

#: Users who ask again as soon as they are answered; each of a handshake leaves first.
USERS = 64
_PINNED = ("taskset", "-c", str(SERVER_CORE + 1))
_NAME = "127.0.0.1"


class Cost(NamedTuple):
    """What one process of the wire did."""

    answers: int
    full: int
    resumed: int
    #: CPU of the client.
    seconds: float
    #: Of private memory for each connection that was open.
    bytes_each: float


def measure(what: str, server: Server, seconds: float, certificate: Path) -> Cost:
    """*what*: "answers" (on connections that stay), "resumed", "full" (a connection for each), "memory"."""
    etag = server.head("/small.html", **{"Accept-Encoding": "gzip, deflate, br, zstd"})["etag"].strip('"')
    text = client.request("/small.html", If_None_Match=f'"{etag}"')
    command = [*_PINNED, sys.executable, "-m", "benchmarks.wire_tls", what, str(server.secure_port)]
    command += [f"{seconds:g}", str(certificate / "cert.pem")]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    return Cost(*json.loads(done.stdout))


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell the resident memory of a process")


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class _Asking:
    """Users of a wire who ask for the same thing."""

    def __init__(self, users: int, port: int, request: bytes, trust: Trust) -> None:
        self.wire: Wire = select("native", users, Limits(), trust, is_secure=True)
        self._node = self.wire.node("127.0.0.1", port, _NAME)
        self._users, self._request, self._tokens = users, request, count()
        self.shaken = [0, 0]
        self.answers = 0

    def ask(self, user: int) -> None:
        token = next(self._tokens) * self._users + user
        self.wire.send(token, user, self._node, time.monotonic_ns(), self._request)

    def run(self) -> list[int]:
        """A turn; the users who were answered in it."""
        found = []
        for answer in self.wire.run(time.monotonic_ns() + 500_000):
            if answer.error or answer.status not in (200, 304):
                raise SystemExit(f"not what was asked for: {answer}")
            found.append(answer.token % self._users)
        self.answers += len(found)
        for one in self.wire.handshakes():
            self.shaken[one.resumed] += 1
        return found


def _costs(what: str, port: int, seconds: float, request: bytes, trust: Trust) -> Cost:
    # Whoever shakes hands in full is new each time.
    users = 1_000_000 if what == "full" else USERS
    asking = _Asking(users, port, request, trust)
    for user in range(USERS):
        asking.ask(user)
    while asking.answers < USERS:
        for user in asking.run():
            if what != "answers":
                asking.wire.leave(user)
    for user in range(USERS):
        asking.ask(user)
    asking.answers, asking.shaken = 0, [0, 0]
    began, end, fresh = _cpu(), time.monotonic() + seconds, USERS
    while time.monotonic() < end:
        for user in asking.run():
            if what != "answers":
                asking.wire.leave(user)
            fresh += 1
            asking.ask(fresh % users if what == "full" else user)
    return Cost(asking.answers, asking.shaken[0], asking.shaken[1], _cpu() - began, 0)


def _memory(port: int, request: bytes, trust: Trust) -> Cost:
    """Connections at rest, opened some at a time."""
    users = 2000
    asking = _Asking(users, port, request, trust)
    for user in range(USERS):
        asking.ask(user)
    while asking.answers < USERS:
        asking.run()
    before = _resident()
    for first in range(USERS, users, USERS):
        wanted = asking.answers + min(USERS, users - first)
        for user in range(first, min(first + USERS, users)):
            asking.ask(user)
        while asking.answers < wanted:
            asking.run()
    each = (_resident() - before) / (users - USERS)
    return Cost(asking.answers, asking.shaken[0], asking.shaken[1], 0, each)


def _main(what: str, port: int, seconds: float, cafile: str) -> Cost:
    trust = Trust(Path(cafile).read_text("ascii"))
    request = sys.stdin.buffer.read()
    if what == "memory":
        return _memory(port, request, trust)
    return _costs(what, port, seconds, request, trust)


if __name__ == "__main__":
    print(json.dumps(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])))
