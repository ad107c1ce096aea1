"""User memory of idle keep-alive connections: hold many, look at the server's private pages."""

from __future__ import annotations

import contextlib
import resource
import socket

from benchmarks.client import request
from benchmarks.servers import Server

#: Connections held, from several loopback addresses so that ephemeral ports suffice.
CONNECTIONS = 15_000
_PER_ADDRESS = 5_000


def bytes_per_connection(server: Server, count: int = CONNECTIONS) -> float:
    """Private bytes of the server's processes that each of *count* resting connections adds.

    Each connection asks once, so that it rests as a used keep-alive connection, not as a new one.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    text = request("/small.html").encode()
    with contextlib.ExitStack() as held:

        def connect(number: int) -> None:
            connection = held.enter_context(socket.socket())
            connection.bind((f"127.0.0.{2 + number // _PER_ADDRESS}", 0))
            connection.settimeout(10)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(text)
            while True:
                data = connection.recv(65536)
                if not data or len(data) < 65536:
                    return

        for number in range(500):  # what is allocated once is not per connection
            connect(number)
        before = server.private_bytes()
        for number in range(500, count + 500):
            connect(number)
        return max(0, server.private_bytes() - before) / count
