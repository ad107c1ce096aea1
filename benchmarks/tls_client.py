"""Clients of TLS: connections that keep no TLS state of their own, resumption, and a probe of latency.

``python -m benchmarks.tls_client WHAT PORT SECONDS REQUEST`` runs one as a process, on a core of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Sequence

from benchmarks.servers import UNVERIFIED

#: Between two questions of the probe on one connection, seconds.
_PAUSE = 0.005


class Shaking:
    """One connection while it shakes hands; afterwards the socket alone is kept."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.socket()
        self.socket.bind((source, 0))
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = UNVERIFIED.wrap_bio(self._in, self._out)

    def hello(self) -> None:
        """Sends the ClientHello."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        self.socket.sendall(self._out.read())

    def _receive(self) -> bytes:
        data = self.socket.recv(1 << 16)
        if not data:
            raise SystemExit("the server closed a connection")
        return data

    def finish(self, request: bytes = b"") -> bytes:
        """Reads the server's flight, sends what ends the handshake, and asks *request*; its answer."""
        while True:
            self._in.write(self._receive())
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                continue
        if request:
            self._tls.write(request)
        self.socket.sendall(self._out.read())
        answer = b""
        while request and not answer:
            self._in.write(self._receive())
            with contextlib.suppress(ssl.SSLWantReadError):
                answer = self._tls.read(1 << 16)
        return answer


def shake(port: int, seconds: float, request: bytes, resuming: bool) -> dict[str, float]:
    """Connections one after the other that ask *request* and read up to the end.

    *resuming*: each with the ticket that the one before has got.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    session: ssl.SSLSession | None = None
    done = resumed = 0
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            connection = context.wrap_socket(plain, session=session)
            connection.sendall(request)
            with contextlib.suppress(ssl.SSLError):
                while connection.recv(65536):
                    pass
            done += 1
            resumed += bool(connection.session_reused)
            session = connection.session if resuming else None
    return {"done": done, "resumed": resumed, "seconds": time.monotonic() - begun}


def _open(port: int) -> ssl.SSLSocket:
    """A connection that does not hold small requests back until all before is acknowledged (Nagle)."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return UNVERIFIED.wrap_socket(plain)


def probe(port: int, seconds: float, request: bytes, connections: int = 4) -> dict[str, float]:
    """Asks *request* now and then on open connections; milliseconds of answers, median and p99."""
    with contextlib.suppress(OSError):
        # What is measured is the server's wait, not this process's beside those that shake hands.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    opened = [_open(port) for _ in range(connections)]
    times = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for connection in opened:
            begun = time.perf_counter()
            connection.sendall(request)
            if not connection.recv(65536):
                raise SystemExit("the server closed a connection")
            times.append((time.perf_counter() - begun) * 1e3)
            time.sleep(_PAUSE)
    times.sort()
    return {
        "median": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
        "worst": times[-1],
        "count": len(times),
    }


def main(arguments: Sequence[str]) -> None:
    """One of them as a process; its figures as JSON."""
    what, port, seconds, request = arguments
    given = int(port), float(seconds), request.encode()
    found = probe(*given) if what == "probe" else shake(*given, what == "resumed")
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
