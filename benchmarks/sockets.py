"""What idle WebSockets cost a node: hold many, look at the server's private pages and CPU time.

Idle: the client says nothing, but gets what it has subscribed to, as a browser with an open page does.
"""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import time
from dataclasses import dataclass

from benchmarks.client import request
from benchmarks.servers import Server

#: Connections held; the goal speaks of so many.
SOCKETS = 1000
#: Of a connection from one loopback address, so that ephemeral ports suffice.
_PER_ADDRESS = 5000
#: Opened before the first look: what is allocated once is not per connection.
_BEFORE = 100


@dataclass(frozen=True)
class Cost:
    """What one idle WebSocket costs its node."""

    #: Private bytes of the server.
    memory: float
    #: Share of a core that all of them take, beyond what the node takes by itself.
    core: float
    #: Messages that one of them has got in a second.
    messages: float


def _open(server: Server, number: int) -> socket.socket:
    connection = socket.socket()
    connection.bind((f"127.0.0.{2 + number // _PER_ADDRESS}", 0))
    connection.settimeout(10)
    connection.connect(("127.0.0.1", server.port))
    fields = {
        "Host": f"localhost:{server.port}",
        "Origin": f"http://localhost:{server.port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    connection.sendall(request("/.edge/socket", **fields).encode())
    answer = connection.recv(65536)
    if not answer.startswith(b"HTTP/1.1 101"):
        raise SystemExit(f"{server.name} refused a WebSocket: {answer[:80]!r}")
    connection.setblocking(False)
    return connection


def _read(selector: selectors.BaseSelector, seconds: float) -> int:
    """Take what is pushed for *seconds*; how many pieces came."""
    pieces, until = 0, time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            if not key.fileobj.recv(1 << 20):  # type: ignore[union-attr]
                raise SystemExit("the server closed an idle WebSocket")
            pieces += 1
    return pieces


def measure(server: Server, count: int = SOCKETS, seconds: float = 20.0) -> Cost:
    """Hold *count* WebSockets, and look at the server for *seconds*."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    alone = server.cpu_seconds()
    time.sleep(seconds)
    alone = server.cpu_seconds() - alone
    with contextlib.ExitStack() as held, selectors.EpollSelector() as selector:

        def opened(first: int, last: int) -> None:
            for number in range(first, last):
                connection = held.enter_context(_open(server, number))
                selector.register(connection, selectors.EVENT_READ)
                if number % 100 == 0:
                    _read(selector, 0.05)

        opened(0, _BEFORE)
        _read(selector, 3.0)
        before = server.private_bytes()
        opened(_BEFORE, _BEFORE + count)
        _read(selector, 3.0)
        memory = max(0, server.private_bytes() - before) / count
        used = server.cpu_seconds()
        pieces = _read(selector, seconds)
        used = server.cpu_seconds() - used
    held_now = count + _BEFORE
    return Cost(memory, (used - alone) / seconds * count / held_now, pieces / held_now / seconds)
