"""Channels for tests: a site, a clock, and answers taken apart."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

from twisted.internet.task import Clock
from twisted.web.resource import Resource

from edge.logs.record import Record
from edge.networks import NOWHERE, Networks
from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.process.channel_limits import ChannelLimits
from edge.shares import Pools
from edge.sites import ALONE, SiteHosts
from edge.table.counters import COUNTERS
from tests.node.transports import PeerTransport

#: 2025-06-15 06:13:20 GMT.
NOW = 1_750_000_000


class Answer(NamedTuple):
    """One answer as a strict client would read it."""

    status: int
    #: Lower-case name -> value, repeated lines joined by ", ".
    fields: dict[str, str]
    body: bytes


class Counts:
    """Counters in a list."""

    def __init__(self) -> None:
        self.values = dict.fromkeys(COUNTERS, 0)

    def add(self, index: int, n: int = 1) -> None:
        """Count."""
        self.values[COUNTERS[index]] += n


class Log:
    """An access log in a list."""

    def __init__(self) -> None:
        self.lines: list[tuple[bytes, bytes, int, int]] = []
        self.records: list[Record] = []

    def write(self, record: Record) -> None:
        """One answer."""
        self.records.append(record)
        self.lines.append((record.method, record.target, record.status, record.sent))


class Connection:
    """One connection to a site, whose peer is the test; with *handshake* that of TLS is over at once."""

    def __init__(
        self,
        root: Resource,
        *,
        limits: ChannelLimits | None = None,
        secure: bool = False,
        handshake: bool = True,
        returns: bool = False,
        clock: Clock | None = None,
        hsts: str = "",
        pools: Pools | None = None,
        sites: Sequence[SiteHosts] = ALONE,
        trusted: Networks = NOWHERE,
    ) -> None:
        self.clock = clock or Clock()
        self.clock.rightNow = float(NOW)
        self.counts = Counts()
        self.log = Log()
        self.site = EdgeSite(root, self.clock, self.counts, self.log, limits, hsts, pools, sites, trusted)
        self._begin(secure, handshake, returns)

    def another(self, address: str, *, secure: bool = False, handshake: bool = True) -> Connection:
        """One more connection of the same site, from *address*."""
        connection = copy.copy(self)
        connection._begin(secure, handshake, False, address)
        return connection

    def _begin(self, secure: bool, handshake: bool, returns: bool, address: str = "192.0.2.1") -> None:
        self.transport = PeerTransport(self.clock, returns, address)
        self.channel = ChannelFactory(self.site, secure).buildProtocol(None)
        self.transport.connect(self.channel)
        if secure and handshake:
            self.channel.handshakeCompleted()

    def send(self, *pieces: bytes) -> None:
        """The peer sends."""
        for piece in pieces:
            self.transport.protocol.dataReceived(piece)

    def turn(self, times: int = 5) -> None:
        """Let the reactor turn."""
        for _ in range(times):
            self.clock.advance(0)

    def pass_time(self, seconds: float) -> None:
        """Time passes, in small steps."""
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)

    def answers(self, methods: str = "") -> list[Answer]:
        """What was written so far; *methods*: "H" where an answer is one to HEAD."""
        return parse_answers(self.transport.written, methods)


def parse_answers(data: bytes, methods: str = "") -> list[Answer]:
    """The answers in *data*, which has to hold nothing else."""
    found: list[Answer] = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, f"no end of head: {head!r}"
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1", status_line
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            name = name.lower()
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        is_head = methods[len(found) : len(found) + 1] == "H"
        if is_head or status in ("100", "204", "304"):
            body = b""
        elif "transfer-encoding" in fields:
            body, data = _unchunk(data)
        elif "content-length" in fields:
            length = int(fields["content-length"])
            body, data = data[:length], data[length:]
            assert len(body) == length, "the body is short"
        else:
            assert fields.get("connection") == "close"
            body, data = data, b""
        found.append(Answer(int(status), fields, body))
    return found


def _unchunk(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        assert data[length : length + 2] == b"\r\n"
        body, data = body + data[:length], data[length + 2 :]
        if not length:
            return body, data
