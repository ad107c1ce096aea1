"""kill -9 of workers under load: no request on another worker's connection may fail."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from dataclasses import dataclass

import psutil

from benchmarks.client import request
from benchmarks.servers import Server

CONNECTIONS = 64
#: Seconds of load before and after each kill.
_BEFORE, _AFTER = 0.3, 0.7


@dataclass
class KillOutcome:
    """How the connections fared while workers were killed."""

    kills: int = 0
    #: Answers received, on all connections.
    answered: int = 0
    #: Connections that broke: of the killed workers, and of others (which must not happen).
    broken_with_worker: int = 0
    broken_without: int = 0
    #: Requests answered with something else than 200.
    wrong: int = 0


class _Load:
    """Keep-alive connections that ask again as soon as they are answered."""

    def __init__(self, server: Server, outcome: KillOutcome) -> None:
        self._server = server
        self._outcome = outcome
        self._text = request("/small.html").encode()
        self._poll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        #: Local ports of the connections that broke since :meth:`forget`.
        self.broken: set[int] = set()

    def fill(self) -> None:
        """Opens what is missing."""
        while len(self._open) < CONNECTIONS:
            connection = socket.create_connection(("127.0.0.1", self._server.port), 10)
            connection.sendall(self._text)
            self._open[connection.fileno()] = connection
            self._poll.register(connection, select.EPOLLIN)

    def run(self, seconds: float) -> None:
        """Answers are awaited and asked for again, for so long."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for number, _ in self._poll.poll(end - now):
                connection = self._open[number]
                data = b""
                with contextlib.suppress(OSError):
                    data = connection.recv(65536)
                if not data:
                    self.broken.add(connection.getsockname()[1])
                    del self._open[number]
                    connection.close()
                    continue
                self._outcome.answered += data.count(b"HTTP/1.1 200 OK\r\n")
                self._outcome.wrong += data.startswith(b"HTTP/") and not data.startswith(b"HTTP/1.1 200 OK")
                with contextlib.suppress(OSError):
                    connection.sendall(self._text)

    def close(self) -> None:
        """Ends the load."""
        for connection in self._open.values():
            connection.close()
        self._poll.close()


def _ports_of(process: psutil.Process) -> set[int]:
    """Remote ports of the connections that a worker holds."""
    return {each.raddr.port for each in process.net_connections("tcp4") if each.raddr}


def _workers(server: Server, count: int) -> list[psutil.Process]:
    """The workers, when all of them hold a listener again."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.Error):
            found = [each for each in server.processes() if "edge.node.worker" in " ".join(each.cmdline())]
            if len(found) == count and all(
                any(each.status == psutil.CONN_LISTEN for each in one.net_connections("tcp4"))
                for one in found
            ):
                return found
        time.sleep(0.05)
    raise SystemExit("not all workers came back within 60 s")


def kill_workers(server: Server, kills: int, workers: int) -> KillOutcome:
    """Kills *kills* times one worker in turn, under load."""
    outcome = KillOutcome()
    load = _Load(server, outcome)
    try:
        for kill in range(kills):
            victim = _workers(server, workers)[kill % workers]
            load.fill()
            load.run(_BEFORE)
            load.broken.clear()
            theirs = _ports_of(victim)
            os.kill(victim.pid, signal.SIGKILL)
            load.run(_AFTER)
            outcome.kills += 1
            outcome.broken_with_worker += len(load.broken & theirs)
            outcome.broken_without += len(load.broken - theirs)
    finally:
        load.close()
    return outcome
