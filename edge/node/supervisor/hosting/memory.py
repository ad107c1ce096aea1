"""How much memory a process holds, and how much processor time it has used."""

from __future__ import annotations

import psutil


def resident_bytes(pid: int) -> int:
    """Bytes of memory that process *pid* holds (resident); 0: it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def processor_seconds(pid: int) -> float:
    """Seconds of processor time that process *pid* has used; 0: it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
