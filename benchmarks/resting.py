"""Memory of connections that have been used and rest: in the node's processes, and in the kernel."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import client
from benchmarks.exchange import Handshake, answer, connected, tls_context
from benchmarks.servers import Server

#: Connections held, and TLS connections; before them so many that what is allocated once is there.
HELD, HELD_TLS = 10_000, 2_000
_BEFORE = 500
#: Connections from one loopback address, so that ephemeral ports suffice.
_PER_ADDRESS = 5_000
#: Kinds of kernel objects that sockets are made of.
_OF_SOCKETS = (
    "TCP", "sock_inode_cache", "filp", "dentry", "ep_head", "eventpoll_epi", "eventpoll_pwq",
    "lsm_inode_cache", "lsm_file_cache",
)  # fmt: skip


def source(number: int) -> str:
    """The loopback address of a connection."""
    return f"127.0.0.{2 + number // _PER_ADDRESS}"


def connections(server: Server, use: Callable[[socket.socket], object] | None = None) -> tuple[float, float]:
    """Bytes of each: private to the processes, and of the kernel.

    *use*: what is done with each before it rests; None: a page is asked for.  *server* has had none before:
    what was used once and is free again hides what is needed.
    """
    text = client.request("/small.html")
    use = use or (lambda stream: answer(stream, text))
    with contextlib.ExitStack() as held:

        def hold(first: int, last: int) -> None:
            for number in range(first, last):
                use(held.enter_context(connected(server, source(number))))

        hold(0, _BEFORE)
        time.sleep(1)
        before, slabs = server.private_bytes(), _slabs()
        hold(_BEFORE, _BEFORE + HELD)
        time.sleep(1)
        pages = server.private_bytes() - before
        # Both ends are on this machine, and only one is the node's.
        return pages / HELD, _grown(slabs, _slabs(), HELD) / 2


def encrypted(server: Server) -> float:
    """Bytes of each TLS connection, private to the processes."""
    context, text = tls_context(), client.request("/small.html")
    made: list[Handshake] = []
    with contextlib.ExitStack() as held:

        def hold(count: int) -> None:
            for _ in range(count):
                made.append(Handshake(held.enter_context(connected(server)), context))
                made[-1].answer(text)

        hold(_BEFORE)
        before = server.private_bytes()
        hold(HELD_TLS)
        return (server.private_bytes() - before) / HELD_TLS


def _slabs() -> dict[str, tuple[int, float]]:
    """Of each kind of kernel object: how many there are, and the memory that one takes."""
    try:
        lines = Path("/proc/slabinfo").read_text().splitlines()[2:]
    except OSError as error:
        raise SystemExit(
            f"/proc/slabinfo: {error.strerror}; memory of the kernel is measured as root"
        ) from None
    found = {}
    for line in lines:
        name, _, there, _, in_slab, pages = line.split()[:6]
        found[name] = int(there), int(pages) * resource.getpagesize() / max(1, int(in_slab))
    return found


def _grown(before: dict[str, tuple[int, float]], after: dict[str, tuple[int, float]], count: int) -> float:
    """Bytes that each of *count* connections has added, at both ends.

    An end takes one object of each kind, or none: rounding leaves out what others on the machine did.
    """
    return sum(
        min(2, max(0, round((after[name][0] - before[name][0]) / count))) * after[name][1]
        for name in _OF_SOCKETS
        if name in before and name in after
    )
