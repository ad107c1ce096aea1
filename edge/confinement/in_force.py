"""What the kernel says is in force for a process: ``/proc/PID/status``."""

from __future__ import annotations

import pwd
from contextlib import suppress
from typing import NamedTuple


class InForce(NamedTuple):
    """Who a process is, and what it cannot do any more."""

    #: Real, effective, saved and file system user.
    users: tuple[int, ...]
    groups: tuple[int, ...]
    #: Permitted, effective, inheritable and ambient capabilities, one bit each.
    capabilities: int
    #: Capabilities that executing a file could give.
    bounding: int
    no_new_privileges: bool
    #: Whether its system calls are filtered.
    filters_system_calls: bool


def in_force(pid: int) -> InForce | None:
    """What is in force for the process *pid*; None: it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        return None
    capabilities = 0
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        capabilities |= int(fields.get(name, "0"), 16)
    return InForce(
        users=tuple(map(int, fields["Uid"].split())),
        groups=tuple(map(int, fields["Groups"].split())),
        capabilities=capabilities,
        bounding=int(fields.get("CapBnd", "0"), 16),
        no_new_privileges=fields.get("NoNewPrivs") == "1",
        filters_system_calls=fields.get("Seccomp") == "2",
    )


def name_of(uid: int) -> str:
    """The user *uid* as people know it."""
    with suppress(KeyError):
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    return str(uid)
