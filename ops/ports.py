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


def is_taken(address: str, port: int) -> bool:
    """Whether another program listens there."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def taken_ports(ports: Iterable[int], folders: Sequence[Path]) -> list[str]:
    """A sentence for each of *ports* that cannot be had; *folders*: states of the nodes meant for them."""
    problems = []
    for port, folder in zip(ports, folders, strict=True):
        if any(is_taken(address, port) for address in loopback_addresses()):
            pid = holder(folder)
            who = f"{folder.name} of an earlier start: kill {pid}" if pid else "another program; stop it"
            problems.append(f"port {port} is in use by {who}")
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
