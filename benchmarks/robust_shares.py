"""The rows of shares: one address, or two hundred, take all that they can; what others get meanwhile."""

from __future__ import annotations

import contextlib
import socket
import time

from benchmarks.rows import Place, Row
from benchmarks.servers import Server, edge

#: Others who come meanwhile.
OTHERS = 20
#: Connections of the one who hoards, and addresses of the many.
HOARDED, ADDRESSES = 730, 200
#: Descriptors of the node that has few.
DESCRIPTORS = 1400
#: A batch of 60 KiB that does not come at once: half of it is in a buffer meanwhile.
_LINES = b"x /small.html?%b\n" % (b"a" * 80) * 600
_BATCH = (
    b"POST /.edge/revalidate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(_LINES)
    + _LINES[:40_000],
    _LINES[40_000:],
)
_GET = b"GET /small.html HTTP/1.1\r\nHost: x\r\n\r\n"
_OPTIONS = ("--connections-per-address", "1000")


def rows(place: Place) -> list[Row]:
    """The memory that one address takes, and how many of the others are served beside it."""
    with _node(place, "buffers") as server, contextlib.ExitStack() as held:
        before = server.private_bytes()
        batch = (
            b"POST /.edge/revalidate HTTP/1.1\r\nHost: x\r\nContent-Length: 131072\r\n\r\n" + b"a" * 131_000
        )
        _hoard(held, server, HOARDED, 1, batch)
        time.sleep(1)
        grown = (server.private_bytes() - before) / 2**20
        whole = sum(_served(server, *_BATCH) for _ in range(OTHERS))
    with _node(place, "files", DESCRIPTORS) as server, contextlib.ExitStack() as held:
        upload = (
            b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n18000\r\n" + b"a" * 0x11000
        )
        _hoard(held, server, 1000, ADDRESSES, upload)
        time.sleep(1)
        served = sum(_served(server, _GET) for _ in range(OTHERS))
    memory = f"+{grown:.0f} MiB"
    return [
        Row(
            f"{HOARDED} partial batches of 129 KiB of one address: memory", memory, "", memory, "<= 40 MiB",
            grown <= 40,
        ),
        _others("meanwhile, batches of others in two pieces: answered", whole),
        _others(f"1,000 long uploads, {DESCRIPTORS:,} descriptors: others served", served),
    ]  # fmt: skip


def _others(work: str, served: int) -> Row:
    result, goal = (f"{count} of {OTHERS}" for count in (served, OTHERS))
    return Row(work, result, "", result, goal, served == OTHERS)


def _node(place: Place, name: str, descriptors: int = 0) -> contextlib.AbstractContextManager[Server]:
    return edge(place.webroot, place.directory / name, "native", *_OPTIONS, descriptors=descriptors)


def _hoard(held: contextlib.ExitStack, server: Server, count: int, addresses: int, data: bytes) -> None:
    """Open *count* connections of so many addresses, and send *data* on each as far as it is taken."""
    for number in range(count):
        connection = held.enter_context(socket.socket())
        connection.bind((f"127.0.0.{2 + number % addresses}", 0))
        connection.settimeout(5)
        with contextlib.suppress(OSError):
            connection.connect(("127.0.0.1", server.port))
            connection.setblocking(False)
            connection.send(data)


def _served(server: Server, *pieces: bytes) -> bool:
    """Whether somebody else who sends these *pieces* gets an answer 200."""
    try:
        with socket.create_connection(("127.0.0.1", server.port), 5, ("127.0.0.250", 0)) as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.05)
            return connection.recv(100).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
