"""``loadgen flood``: a closed loop of keep-alive connections, for looking at one node.

Each connection sends *pipeline* requests, awaits all their answers, and sends again.  Closed loops
hide queueing (a slow server is simply asked less), so this measures a server's cost and not what its
users would feel: the figure to look at is requests per second at full use of the server's core.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from loadgen.answers import UNTIL_CLOSED, AnswerError, AnswerReader
from loadgen.targets import Target, resolve


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
        self.reader = AnswerReader(BODY_BYTES)
        self.waiting = 0
        self.sent_at = 0.0
        self.closing = False

    def receive(self, data: bytes) -> list[int]:
        """Statuses of the answers that *data* completes; :exc:`AnswerError`."""
        statuses: list[int] = []
        if not data and self.reader.state == UNTIL_CLOSED and self.reader.ended():
            statuses.append(self.reader.status)
        while data:
            data = data[self.reader.receive(data) :]
            if self.reader.done:
                statuses.append(self.reader.status)
                self.closing |= self.reader.closing
                self.reader = AnswerReader(BODY_BYTES)
        self.closing |= self.reader.state == UNTIL_CLOSED
        return statuses


_LATENCIES = 100_000
#: Of one answer's body; a longer one ends its connection.
BODY_BYTES = 64 << 20


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
                    statuses = connection.receive(data)
                    result.bytes_in += len(data)
                    result.statuses.update(statuses)
                    if not data:
                        replace(number, None if connection.closing else "closed by the server")
                        continue
                    connection.waiting -= len(statuses)
                    if not connection.waiting and not connection.closing:
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


_LIMITS = {"connections": 10_000, "pipeline": 64, "duration": 3_600}


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument("url", help="like http://localhost:8001/")
    parser.add_argument("-c", "--connections", type=int, default=64, help="connections held (default 64)")
    parser.add_argument(
        "-d", "--duration", type=float, default=10.0, metavar="S", help="seconds (default 10)"
    )
    parser.add_argument(
        "-p", "--pipeline", type=int, default=1, metavar="N", help="requests sent at once (default 1)"
    )
    parser.add_argument(
        "--validator", metavar="ETAG", help="send If-None-Match with this ETag, without quotes"
    )
    parser.add_argument(
        "--header", action="append", default=[], metavar="LINE", help="another header line; repeatable"
    )
    parser.add_argument("--i-own-this-target", action="append", default=[], metavar="HOST",
                        help="allow a host that is not this machine")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _request(host: str, path: str, validator: str | None, lines: list[str]) -> bytes:
    fields = [f"Host: {host}", *([f'If-None-Match: "{validator}"'] if validator else []), *lines]
    text = "".join([f"GET {path} HTTP/1.1\r\n", *(f"{line}\r\n" for line in fields), "\r\n"])
    return text.encode("latin-1")


def _summary(result: Flood) -> dict[str, object]:
    seconds = result.seconds or 1.0
    return {
        "requests": result.requests,
        "seconds": round(result.seconds, 3),
        "requests_per_second": round(result.requests / seconds, 1),
        "statuses": {str(status): count for status, count in sorted(result.statuses.items())},
        "bytes_in": result.bytes_in,
        "bytes_out": result.bytes_out,
        "batch_latency_ms": {
            f"p{share:g}": round(result.percentile(share / 100) * 1e3, 3) for share in (50, 99, 99.9)
        },
        "errors": dict(result.errors),
    }


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Exit codes: 0 done, 1 no connection or errors during the run."""
    for name, most in _LIMITS.items():
        if not 0 < getattr(options, name) <= most:
            parser.error(f"--{name} {getattr(options, name):g}: give a number above 0 and up to {most:,}")
    for line in [*options.header, options.validator or "", options.url]:
        if any(ord(character) < 32 or ord(character) > 255 for character in line):
            parser.error(f"{line!r}: control characters cannot be sent in a request")
    target = resolve(options.url, tuple(options.i_own_this_target))
    request = _request(target.host, target.path, options.validator, options.header)
    try:
        result = flood(target, request, options.connections, options.duration, options.pipeline)
    except OSError as error:
        print(
            f"loadgen: {options.url}: no connection: {error.strerror or error}; is the node running?",
            file=sys.stderr,
        )
        return 1
    summary = _summary(result)
    if options.json:
        print(json.dumps(summary))
    else:
        table = Table(title=f"loadgen flood {options.url}", show_header=False)
        for name, value in summary.items():
            table.add_row(
                name.replace("_", " "), f"{value:,}" if isinstance(value, (int, float)) else str(value)
            )
        Console().print(table)
    return 1 if result.errors or not result.requests else 0
