"""What protects this node from its own workers, as it is in force now: ``edgectl check --security``.

Workers read what strangers send.  Each line tells one thing that a worker which a stranger has taken over
could not do, whether that is so by the word of the kernel, and else what an operator can do about it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edge.confinement.in_force import InForce, in_force, name_of

if TYPE_CHECKING:
    from edge.config import Config
    from edge.node.supervisor.workers import WorkerStatus
    from edge.table.segment import Segment

_START_AS_ROOT = "start the node as root, or under its systemd unit"
_KERNEL = "needs {what}; see the log of the start, and --confinement"


class Check(NamedTuple):
    """One line: what is checked, whether it is as it should be, and how it is, or what would mend it."""

    name: str
    ok: bool
    detail: str


def security_checks(config: Config, workers: Sequence[WorkerStatus], segment: Segment) -> list[Check]:
    """All lines for a node of *config* with these *workers* on the table *segment*."""
    if not config.worker_count:
        return [Check("workers", False, "workers = 0: this one process serves; give at least --workers 1")]
    if config.confinement == "off":
        return [Check("confinement", False, "switched off by --confinement off"), *_outside(config, segment)]
    found = [(worker, in_force(worker.pid)) for worker in workers if worker.pid is not None]
    alive = [(worker, state) for worker, state in found if state is not None]
    if not alive:
        return [Check("workers", False, "none runs now"), *_outside(config, segment)]
    states = [state for _, state in alive]
    landlock = min(worker.confined.landlock if worker.confined is not None else 0 for worker, _ in alive)
    return [*_of_workers(config, states, landlock), *_outside(config, segment)]


def _of_workers(config: Config, states: Sequence[InForce], landlock: int) -> Iterator[Check]:
    users = sorted({uid for state in states for uid in state.users})
    who = ", ".join(map(name_of, users))
    remedy = f"; {_START_AS_ROOT}, and --worker-user must be able to read the program"
    yield Check("user", 0 not in users, f"workers are {who}" + (remedy if 0 in users else ""))
    groups = sorted({gid for state in states for gid in state.groups})
    yield Check("groups", 0 not in groups, f"supplementary: {', '.join(map(str, groups)) or 'none'}")
    capabilities = 0
    for state in states:
        capabilities |= state.capabilities
    yield Check("capabilities", not capabilities, f"0x{capabilities:x}" if capabilities else "none")
    yield Check(
        "no_new_privs",
        all(state.no_new_privileges for state in states),
        "executing a file gives no new rights"
        if all(state.no_new_privileges for state in states)
        else _KERNEL.format(what="Linux 3.5"),
    )
    if config.mount:
        why = "not while --mount has an application in the worker: who knows what that needs"
        yield Check("Landlock", False, why)
        yield Check("seccomp", False, why)
        return
    yield Check(
        "Landlock",
        landlock > 0,
        f"version {landlock}: workers read the program and the blobs"
        if landlock
        else _KERNEL.format(what="Linux 5.13"),
    )
    filtered = all(state.filters_system_calls for state in states)
    yield Check(
        "seccomp",
        filtered,
        "workers execute nothing, and open no sockets"
        if filtered
        else _KERNEL.format(what="the package libseccomp2, and a kernel with seccomp"),
    )


def _outside(config: Config, segment: Segment) -> Iterator[Check]:
    """What does not depend on the workers."""
    yield Check(
        "table",
        segment.is_sealed,
        "workers can only read it" if segment.is_sealed else "workers could write to it: needs Linux 5.1",
    )
    for name, path in (("state directory", config.state_dir), ("cluster key", config.cluster_key)):
        if path.exists():
            yield _private(name, path)
    for spec in config.endpoints:
        for files in spec.certificates:
            yield _private("certificate key", Path(files.key))


def _private(name: str, path: Path) -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    others = mode & 0o007
    remedy = f"; chmod o-rwx {path}" if others else ""
    return Check(name, not others, f"{path} has mode {mode:04o}{remedy}")
