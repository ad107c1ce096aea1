"""``loadgen flood``: a closed loop of keep-alive connections, for looking at one node.

Each connection sends *pipeline* requests, awaits all their answers, and sends again.  Closed loops
hide queueing (a slow server is simply asked less), so this measures a server's cost and not what its
users would feel: the figure to look at is requests per second at full use of the server's core.
"""

from __future__ import annotations

import select
import socket
import time
from collections import Counter
from dataclasses import dataclass, field

from loadgen.answers import AnswerError, AnswerReader
from loadgen.targets import Target


@dataclass
class Flood:
    """What a run did."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    #: Seconds from sending a batch to its last answer, a sample of at most 100,000.
    latencies: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """Answers received."""
        return self.statuses.total()

    def percentile(self, share: float) -> float:
        """The latency in seconds that *share* (0..1) of the batches did not exceed; 0 without any."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Connection:
    def __init__(self, target: Target) -> None:
        self.socket = socket.socket(target.family, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(target.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = AnswerReader()
        self.waiting = 0
        self.sent_at = 0.0


_LATENCIES = 100_000


def flood(target: Target, request: bytes, connections: int, seconds: float, pipeline: int) -> Flood:
    """Sends *request* for *seconds*; :exc:`OSError` when not even the first connection opens."""
    batch = request * pipeline
    result = Flood()
    poll = select.epoll()
    open_ones: dict[int, _Connection] = {}

    def send(connection: _Connection) -> None:
        connection.socket.sendall(batch)
        result.bytes_out += len(batch)
        connection.waiting = pipeline
        connection.sent_at = time.monotonic()

    def connect() -> None:
        connection = _Connection(target)
        open_ones[connection.socket.fileno()] = connection
        poll.register(connection.socket, select.EPOLLIN)
        send(connection)

    def replace(number: int, why: str | None) -> None:
        open_ones.pop(number).socket.close()
        if why is not None:
            result.errors[why] += 1
        try:
            connect()
        except OSError as error:
            result.errors[error.strerror or str(error)] += 1

    begin = time.monotonic()
    try:
        for _ in range(connections):
            connect()
        while open_ones and (now := time.monotonic()) < begin + seconds:
            for number, _events in poll.poll(begin + seconds - now):
                connection = open_ones[number]
                try:
                    data = connection.socket.recv(1 << 18)
                    statuses = connection.reader.receive(data)
                    if not data:
                        replace(number, None if connection.reader.closing else "closed by the server")
                        continue
                    result.bytes_in += len(data)
                    result.statuses.update(statuses)
                    connection.waiting -= len(statuses)
                    if not connection.waiting and not connection.reader.closing:
                        if len(result.latencies) < _LATENCIES:
                            result.latencies.append(time.monotonic() - connection.sent_at)
                        send(connection)
                except AnswerError as error:
                    replace(number, str(error))
                except OSError as error:
                    replace(number, error.strerror or str(error))
    finally:
        result.seconds = time.monotonic() - begin
        for connection in open_ones.values():
            connection.socket.close()
        poll.close()
    return result
