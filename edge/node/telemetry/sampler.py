"""Reads what :mod:`edge.load` needs from the machine (psutil) and from the table's counters."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable

import psutil

from edge.load.meters import Sample
from edge.table.segment import Segment

#: Where no interface tells its speed, bits per second.
DEFAULT_NIC_BPS = 1_000_000_000


def nic_bps(configured_mbit: int | None = None) -> int:
    """Capacity of the network, bits per second: as configured, else the fastest interface that is up."""
    if configured_mbit is not None:
        return configured_mbit * 1_000_000
    speeds = [
        interface.speed
        for name, interface in psutil.net_if_stats().items()
        if interface.isup and name != "lo" and 0 < interface.speed < 1_000_000
    ]
    return max(speeds) * 1_000_000 if speeds else DEFAULT_NIC_BPS


class Sampler:
    """Takes samples of one node: its supervisor (this process) and its workers."""

    def __init__(self, segment: Segment, pids: Callable[[], Iterable[int]]) -> None:
        self._segment = segment
        self._pids = pids
        self._processes: dict[int, psutil.Process] = {}
        self._gone = 0.0  # CPU seconds of workers that have ended
        self._last: dict[int, float] = {}

    def sample(self, at: float) -> Sample:
        """The sample of this moment; *at* in seconds."""
        totals = self._segment.totals()
        return Sample(
            at=at,
            cpu_seconds=self._cpu_seconds(),
            requests=totals["requests"] + totals["twisted_requests"],
            errors=totals["twisted_5xx"],
            bytes_out=totals["bytes_out"] + totals["twisted_bytes_out"],
            connections=totals["connections"],
            lag_ms=totals["lag_us"] / 1000,
        )

    def _cpu_seconds(self) -> float:
        pids = {os.getpid(), *self._pids()}
        for pid in list(self._processes):
            if pid not in pids:
                del self._processes[pid]
                self._gone += self._last.pop(pid, 0.0)
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                if pid not in self._processes:
                    self._processes[pid] = psutil.Process(pid)
                times = self._processes[pid].cpu_times()
                self._last[pid] = times.user + times.system
        return self._gone + sum(self._last.values())
