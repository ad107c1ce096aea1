"""Our node and nginx on the same core, one after the other: the rows that the README quotes."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import client, memory, servers
from benchmarks.rows import Place, Row
from benchmarks.servers import Server


@dataclass(frozen=True)
class Work:
    """One kind of request, sent to our node and to nginx."""

    name: str
    goal: float
    #: Makes the request's text for a server.
    request: Callable[[Server], str]
    connections: int = 64
    pipeline: int = 1
    #: Units of work in one request of ours (validators of a batch).
    units: int = 1
    #: What nginx gets where it has no equivalent.
    reference: Callable[[Server], str] | None = None


def not_modified(server: Server) -> str:
    """What is answered with 304."""
    etag = server.head("/small.html", **{"Accept-Encoding": "gzip, deflate, br, zstd"})["etag"]
    return client.request("/small.html", If_None_Match=etag)


def _ten(server: Server) -> str:
    return client.request("/ten.html")


def closing(server: Server) -> str:
    """The same, as the last of its connection."""
    return not_modified(server).replace("Connection: keep-alive", "Connection: close")


def _revalidate(server: Server) -> str:
    lines = (f"{server.head(f'/asset-{n}.css')['etag'].strip(chr(34))} /asset-{n}.css" for n in range(50))
    return client.request("/.edge/revalidate", "POST", "\n".join(lines), Content_Type="text/plain")


WORKS = (
    Work("304, keep-alive, browser-like headers", 0.90, not_modified),
    Work("304, 16 pipelined", 0.15, not_modified, pipeline=16),
    Work("200, 10 KiB compressed body", 1.0, _ten),
    Work("new connection + one 304 + close", 1.1, closing, connections=32),
    Work(
        "50 validators by /.edge/revalidate, per validator",
        0.08,
        _revalidate,
        units=50,
        reference=not_modified,
    ),
)


#: What one turn of the loop costs, from a client that waits for each answer to many at once.
TURNS = (
    *(
        Work(f"304, keep-alive, {count} connection{'s' if count > 1 else ''}", 0.90, not_modified, count)
        for count in (1, 2, 4, 16, 64)
    ),
    Work("connections one after the other, a 304 each, close", 0.95, closing, 1),
)


@contextmanager
def both(place: Place, name: str) -> Iterator[tuple[Server, Server]]:
    """Ours and nginx, both with the site."""
    with (
        servers.edge(place.webroot, place.directory / f"{name}-edge") as ours,
        servers.nginx(place.webroot, place.directory / f"{name}-nginx") as nginx,
    ):
        yield ours, nginx


def ratios(works: Sequence[Work], ours: Server, nginx: Server, seconds: float, rounds: int) -> list[Row]:
    """Each of *works* on both servers, rounds interleaved; medians compared, and the ratios of the rounds."""
    rows = []
    for work in works:
        texts = (work.request(ours), (work.reference or work.request)(nginx))
        pipelines = (work.pipeline, work.pipeline if work.reference is None else 1)
        figures: tuple[list[float], list[float]] = ([], [])
        errors = 0
        for _ in range(rounds):
            for index, server in enumerate((ours, nginx)):
                result = client.wrk(server, texts[index], seconds, work.connections, pipelines[index])
                figures[index].append(result.microseconds / (work.units if index == 0 else 1))
                # A server that closes makes wrk count a read error now and then: not an answer missed.
                errors += result.errors if "close" not in work.name else 0
        mine, theirs = statistics.median(figures[0]), statistics.median(figures[1])
        ratio = mine / theirs
        each = sorted(one / other for one, other in zip(*figures, strict=True))
        note = f" ({each[0]:.2f} .. {each[-1]:.2f})" + (f" ({errors} errors!)" if errors else "")
        rows.append(
            Row(work.name, f"{mine:.2f} us", f"nginx {theirs:.2f} us", f"{ratio:.3f} x{note}",
                f"<= {work.goal:.2f} x", ratio <= work.goal and not errors)
        )  # fmt: skip
    return rows


def twin(server: Server, seconds: float) -> Row:
    """The Python build of the fast path, per 304."""
    result = client.wrk(server, not_modified(server), seconds)
    cost = result.microseconds
    return Row("Python twin, 304", f"{cost:.1f} us", "", f"{cost:.1f} us", "<= 25 us", cost <= 25)


def idle(ours: Server, nginx: Server) -> Row:
    """User memory per idle keep-alive connection."""
    mine, theirs = memory.bytes_per_connection(ours), memory.bytes_per_connection(nginx)
    return Row(
        f"user memory per idle connection ({memory.CONNECTIONS:,} held)",
        f"{mine:.0f} B", f"nginx {theirs:.0f} B", f"{mine:.0f} B", "<= 32 B", mine <= 32,
    )  # fmt: skip


def wire(ours: Server, nginx: Server) -> Row:
    """Bytes of a 304 above TCP."""
    sizes = [_raw_size(server) for server in (ours, nginx)]
    return Row(
        "304 on the wire",
        f"{sizes[0]} B",
        f"nginx {sizes[1]} B",
        f"{sizes[0]} B",
        "<= 200 B",
        sizes[0] <= 200,
    )


def _raw_size(server: Server) -> int:
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(not_modified(server).encode())
        answer = connection.recv(65536)
    if not answer.startswith(b"HTTP/1.1 304"):
        raise SystemExit(f"{server.name} did not answer 304: {answer[:80]!r}")
    return len(answer)


def _ratios(place: Place) -> list[Row]:
    with both(place, "ratios") as (ours, nginx):
        return ratios(WORKS, ours, nginx, place.seconds, place.rounds)


def _turns(place: Place) -> list[Row]:
    """Many short rounds: what else runs on the machine disturbs both servers alike."""
    with both(place, "turn") as (ours, nginx):
        return ratios(TURNS, ours, nginx, 1.0, place.some(3, 11))


def _wire(place: Place) -> list[Row]:
    with both(place, "wire") as (ours, nginx):
        return [wire(ours, nginx)]


def _memory(place: Place) -> list[Row]:
    with both(place, "idle") as (ours, nginx):
        return [idle(ours, nginx)]


def _twin(place: Place) -> list[Row]:
    with servers.edge(place.webroot, place.directory / "twin", "python") as server:
        return [twin(server, place.seconds)]


FORMS = {"ratios": _ratios, "turn": _turns, "twin": _twin, "memory": _memory, "wire": _wire}
