"""What the bytes of one stranger cost a worker: CPU time of a request, and what others notice meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass

from benchmarks.servers import Server

#: Octets of a body: the default of ``--body-max-mib``.
BODY = 1024 * 1024
#: Other connections that are open meanwhile.
BYSTANDERS = 20


@dataclass(frozen=True)
class Cost:
    """What the worst of the requests did."""

    #: Its name.
    work: str
    #: CPU seconds for a KiB more than a body costs that nobody could want to parse.
    per_kib: float
    #: The longest that somebody else waited for an answer, in seconds.
    frozen: float
    #: Bystanders whose connection was lost.
    lost: int


def _post(content_type: bytes, body: bytes) -> bytes:
    head = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (content_type, len(body)) + body


def requests(size: int) -> dict[str, bytes]:
    """Requests by name, each with a body of about *size* bytes that a parser of forms would choke on."""
    multipart, urlencoded = b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded"
    part = b"--x\r\nContent-Disposition: form-data; name=%b\r\n\r\n\r\n--x--\r\n"
    semicolons, quotes = b'"%b"' % (b";" * size), b'"%b"' % (b'";' * (size // 2))
    long_type = b'multipart/form-data; a="' + b';"x' * 5000 + b"; boundary=x"
    return {
        "semicolons in a disposition": _post(multipart, part % semicolons),
        "quotes in a disposition": _post(multipart, part % quotes),
        "header lines of a part": _post(multipart, b"--x\r\n" + b"A: b\r\n" * (size // 6)),
        "escapes": _post(urlencoded, b"a=" + b"%41" * (size // 3)),
        "ampersands": _post(urlencoded, b"&" * size),
        "a Content-Type of 15 KB": _post(long_type, b"x" * size),
    }


def measure(server: Server, rounds: int) -> Cost:
    """Send each of :func:`requests` *rounds* times; the cost of the worst one."""
    plain = min(_cpu(server, _post(b"text/plain", b"x" * BODY)) for _ in range(rounds))
    costs = []
    with contextlib.ExitStack() as open_ones:
        others = [open_ones.enter_context(_connection(server)) for _ in range(BYSTANDERS)]
        for work, request in requests(BODY).items():
            measured = []
            for _ in range(rounds):
                with _Bystander(others[0]) as bystander:
                    cost = _cpu(server, request)
                measured.append((cost, bystander.worst))
            cost, frozen = (min(values) for values in zip(*measured, strict=True))
            costs.append((max(0.0, cost - plain) / (BODY / 1024), frozen, work))
        lost = sum(not _answered(other) for other in others)
    per_kib, _, work = max(costs)
    return Cost(work, per_kib, max(frozen for _, frozen, _ in costs), lost)


def _connection(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def _cpu(server: Server, request: bytes) -> float:
    before = server.cpu_seconds()
    with _connection(server) as connection:
        connection.sendall(request)
        connection.recv(4096)
    return server.cpu_seconds() - before


def _answered(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"HEAD /.edge/health HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


class _Bystander(threading.Thread):
    """Asks again and again on a connection of its own."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(daemon=True)
        self.worst = 0.0
        self._connection = connection
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.002):
            asked = time.monotonic()
            if not _answered(self._connection):
                return
            self.worst = max(self.worst, time.monotonic() - asked)

    def __enter__(self) -> _Bystander:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self.join()
