"""How much of the machine this process may use: cores and memory, by its affinity and its control groups.

A container or a unit is given a part of a machine by control groups (cgroups(7)), of version 2 or 1.  The
limits of a group hold for all groups in it: the least on the way from the group of a process to the root
counts.  What cannot be read does not limit.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

_ROOT = Path("/")


def cores(root: Path = _ROOT) -> float:
    """Cores that this process may use at once; a part of one, if its quota is smaller."""
    quotas = [_quota(folder / "cpu.max") for folder in _groups("", root)]
    quotas += [_quota_v1(folder) for folder in _groups("cpu", root)]
    return min([float(len(os.sched_getaffinity(0))), *filter(None, quotas)])


def whole_cores() -> int:
    """The same as a number of threads or processes: at least one."""
    return max(1, math.ceil(cores()))


def memory(root: Path = _ROOT) -> int:
    """Bytes of memory that this process and its neighbours in its group may use."""
    limits = [_number(folder / "memory.max") for folder in _groups("", root)]
    limits += [_number(folder / "memory.limit_in_bytes") for folder in _groups("memory", root)]
    return min([psutil.virtual_memory().total, *filter(None, limits)])


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """The folders of the groups of this process, innermost first: of version 2, or of a *controller* of 1.

    In a container the path may be that of the machine, of which only the root is seen here.
    """
    mounts = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller not in controllers.split(","):
            continue
        names = (controllers, controller) if controller else ("unified", "")
        mount = next((mounts / name for name in names if (mounts / name).is_dir()), mounts)
        inner = mount / path.lstrip("/")
        yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(mount))


def _quota(file: Path) -> float | None:
    """Cores by ``cpu.max``: microseconds in a period of microseconds, or "max"."""
    quota, _, period = _text(file).partition(" ")
    with contextlib.suppress(ValueError, ZeroDivisionError):
        return int(quota) / int(period)
    return None


def _quota_v1(folder: Path) -> float | None:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period else None


def _number(file: Path) -> int | None:
    """None: no limit ("max", -1), or nothing that can be read."""
    with contextlib.suppress(ValueError):
        return max(int(_text(file)), 0) or None
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
