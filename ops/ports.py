"""Loopback addresses and TCP ports that the staging cluster can listen on."""

from __future__ import annotations

import errno
import fcntl
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path


def loopback_addresses() -> tuple[str, ...]:
    """127.0.0.1, and ::1 where this machine has IPv6: browsers may try either for localhost."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ("127.0.0.1",)
    return ("127.0.0.1", "::1")


def is_taken(address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Whether another program listens there, over TCP, or for datagrams."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def taken_ports(ports: Iterable[int], gossip: Iterable[int], folders: Sequence[Path]) -> list[str]:
    """A sentence for each port that cannot be had.

    *ports*: those of HTTP; *gossip*: those of gossip, over TCP and UDP; *folders*: states of the nodes.
    """
    problems = []
    for port, other, folder in zip(ports, gossip, folders, strict=True):
        taken = [str(port)] if any(is_taken(address, port) for address in loopback_addresses()) else []
        if any(is_taken("127.0.0.1", other, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            taken.append(f"{other} (for gossip)")
        pid = holder(folder) if taken else None
        who = f"{folder.name} of an earlier start: kill {pid}" if pid else "another program; stop it"
        problems += [f"port {one} is in use by {who}" for one in taken]
    return problems


def holder(folder: Path) -> int | None:
    """The process id of the node that runs with this state directory; None: there is none."""
    try:
        with (folder / "lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
    except (OSError, ValueError):
        pass
    return None
