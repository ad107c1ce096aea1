"""A cluster that fails as told, as a process: ``python -m benchmarks.faulty_target FAULT NODES SINCE``.

NODES: numbers from 0 on, with commas, of those of the four nodes that have the fault; SINCE: seconds after
the first request of a user.  It prints the origins of its nodes, serves until its standard input ends, and
prints what it did then (:class:`Record`).  Crawlers, which are no browsers and say so, meet no fault.

Faults, beside the statuses 404, 500 and 503:

===========  ===============================================================================================
refuse       nothing listens any more, and what is open is reset
hang         takes requests and answers none
reset        resets the connection instead of an answer
garbage      something that is no HTTP
slow         each answer after 700 ms
wrong body   one byte is missing at its end
no etag      200 without a validator
empty body   200 with nothing
wrong batch  half of the answer to a batch
stale        does not hear of a new version, and goes on confirming the old one
===========  ===============================================================================================
"""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import struct
import sys
import time
from hashlib import sha256
from typing import NamedTuple

import msgspec

from edge.resource import etag_of

NODES = 4
SLOW_S = 0.7
#: Faults of connections; load documents suffer them, too.
BELOW = ("refuse", "hang", "reset", "garbage")
_LOAD = "/.edge/load"
_LINKS = b"<link rel=stylesheet href=/style.css><script src=/app.js></script><a href=/about.html>about</a>"
SITE = {
    "/": b"<!doctype html>" + _LINKS + b"<h1>home</h1>" * 40,
    "/about.html": b"<!doctype html>" + _LINKS + b"<h1>about</h1>" * 40,
    "/style.css": b"h1 { color: red }" * 20,
    "/app.js": b"'app'" * 20,
}
TYPES = {"css": "text/css", "js": "text/javascript"}


class Record(msgspec.Struct):
    """What was done to users."""

    requests: int = 0
    #: Answers that no node may give, and that were given.
    lies: int = 0
    #: A new version was published; confirmations of the old one since then.
    published: bool = False
    stale: int = 0


class Request(NamedTuple):
    """What somebody asks."""

    method: str
    path: str
    validator: str
    body: bytes
    is_user: bool


def tag(body: bytes) -> str:
    """Its ETag, without quotes."""
    return etag_of(sha256(body).digest()).decode("ascii")


class Cluster:
    """Four nodes with the same site."""

    def __init__(self, fault: str, faulty: frozenset[int], since_s: float) -> None:
        self.fault, self.faulty, self.since_s = fault, faulty, since_s
        self.record = Record()
        self.sites = [dict(SITE) for _ in range(NODES)]
        self.urls: list[str] = []
        self.servers: list[asyncio.Server] = []
        self.connections: list[set[asyncio.StreamWriter]] = [set() for _ in range(NODES)]
        self._began = 0.0

    async def start(self) -> None:
        """Listen."""
        for number in range(NODES):
            serve = functools.partial(self.serve, number)
            server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
            self.servers.append(server)
            self.urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    def is_faulty(self, number: int) -> bool:
        """Whether the fault of that node shows now."""
        return bool(self._began) and number in self.faulty and time.monotonic() - self._began >= self.since_s

    def _begin(self) -> None:
        """The first user has come."""
        self._began = time.monotonic()
        if self.fault in ("refuse", "stale"):
            happen = self._refuse if self.fault == "refuse" else self._publish
            asyncio.get_running_loop().call_later(self.since_s, happen)

    def _refuse(self) -> None:
        for number in self.faulty:
            self.servers[number].close()
            for writer in list(self.connections[number]):
                reset(writer)

    def _publish(self) -> None:
        self.record.published = True
        for number in set(range(NODES)) - self.faulty:
            self.sites[number]["/style.css"] = b"h1 { color: green }" * 20

    async def serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to that node."""
        self.connections[number].add(writer)
        try:
            while (request := await read_request(reader)) is not None:
                if request.is_user and not self._began:
                    self._begin()
                self.record.requests += request.is_user
                if not await self._answer(number, request, writer):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:  # the end
            reset(writer)
        finally:
            self.connections[number].discard(writer)
            writer.close()

    async def _answer(self, number: int, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer it, or not; whether the connection is still of use."""
        fault = self.fault if request.is_user and self.is_faulty(number) else ""
        if fault == "hang":
            await asyncio.sleep(60)
            return False
        if fault in ("reset", "refuse"):
            reset(writer)
            return False
        if fault == "garbage":
            writer.write(b"SSH-2.0-faulty\r\n\r\n")
            await writer.drain()
            return False
        if fault == "slow":
            await asyncio.sleep(SLOW_S)
        status, body, etag = self._made(number, request)
        if fault.isdigit() and request.path != _LOAD:
            status, body, etag = int(fault), b"", ""
        if (lie := _lie(fault, request, status, body, etag)) is not None:
            body, etag = lie
            self.record.lies += 1
        kind = TYPES.get(request.path.rpartition(".")[2], "text/html")
        head = f"HTTP/1.1 {status} \r\nContent-Type: {kind}\r\n" + (f'ETag: "{etag}"\r\n' if etag else "")
        head += "" if status == 304 else f"Content-Length: {len(body)}\r\n"
        writer.write(head.encode("ascii") + b"\r\n" + body)
        await writer.drain()
        return True

    def _made(self, number: int, request: Request) -> tuple[int, bytes, str]:
        """Status, body and ETag of what the node has."""
        site = self.sites[number]
        if request.path == _LOAD:
            return 200, self._load(), ""
        if request.method == "POST":
            stale = []
            for place, line in enumerate(request.body.decode("ascii").split("\n")):
                etag, _, path = line.partition(" ")
                if path not in site or etag != tag(site[path]):
                    stale.append(place)
                else:
                    self._confirmed(path, etag)
            return 200, json.dumps({"v": 1, "seq": 1, "stale": stale}, separators=(",", ":")).encode(), ""
        if request.path not in site:
            return 404, b"none", ""
        body = site[request.path]
        if request.validator == tag(body):
            self._confirmed(request.path, tag(body))
            return 304, b"", tag(body)
        return 200, body, tag(body)

    def _confirmed(self, path: str, etag: str) -> None:
        self.record.stale += self.record.published and path == "/style.css" and etag == tag(SITE[path])

    def _load(self) -> bytes:
        nodes = [
            {
                "id": f"n{number}", "url": url, "state": "alive", "weight": 0.9, "utilization": 0.1,
                "rps": 0.0, "eps": 0.0, "connections": 0, "egress_bps": 0, "lag_ms": 0.0,
            }
            for number, url in enumerate(self.urls, 1)
        ]  # fmt: skip
        document = {"v": 1, "cluster": "faulty", "seq": 1, "at": 1, "ttl_ms": 5000, "nodes": nodes}
        return json.dumps(document).encode()


def _lie(fault: str, request: Request, status: int, body: bytes, etag: str) -> tuple[bytes, str] | None:
    """Body and ETag instead of the true ones; None: this answer is true."""
    if request.path == _LOAD:
        return None
    if request.method == "POST":
        return (body[:3], etag) if fault == "wrong batch" else None
    lies = {"wrong body": (body[:-1], etag), "empty body": (b"", etag), "no etag": (body, "")}
    return lies.get(fault) if status == 200 else None


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side hears of an error."""
    made = writer.get_extra_info("socket")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request; None: there is none."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(fields.get("content-length", 0)))
    path, _, query = target.partition("?")
    validator = query.partition("~etag=")[2] or fields.get("if-none-match", "").strip('"')
    return Request(method, path, validator, body, "user-agent" in fields)


async def _main(fault: str, nodes: str, since: str) -> None:
    cluster = Cluster(fault, frozenset(int(one) for one in nodes.split(",") if one), float(since))
    await cluster.start()
    print(" ".join(cluster.urls), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(msgspec.json.encode(cluster.record).decode("ascii"), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
