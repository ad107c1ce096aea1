"""Cores and memory as control groups of both versions say, from folders like those of the kernel."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
from twisted.trial.unittest import SynchronousTestCase

from edge.machine import cores, memory

ALL = float(len(os.sched_getaffinity(0)))


class MachineTests(SynchronousTestCase):
    """:mod:`edge.machine`."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()

    def put(self, path: str, text: str) -> None:
        """A file with *text*, as the kernel has them."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def test_without_groups_it_is_the_whole_machine(self) -> None:
        self.assertEqual((cores(self.root), memory(self.root)), (ALL, psutil.virtual_memory().total))

    def test_the_least_of_all_groups_around_a_process_counts(self) -> None:
        self.put("proc/self/cgroup", "0::/system.slice/edge.service")
        self.put("sys/fs/cgroup/system.slice/edge.service/cpu.max", "max 100000")
        self.put("sys/fs/cgroup/system.slice/cpu.max", "25000 100000")
        self.put("sys/fs/cgroup/system.slice/edge.service/memory.max", "300000000")
        self.put("sys/fs/cgroup/system.slice/memory.max", "max")
        self.assertEqual((cores(self.root), memory(self.root)), (0.25, 300_000_000))

    def test_in_a_container_the_root_is_its_own_group(self) -> None:
        self.put("proc/self/cgroup", "0::/docker/0123456789")
        self.put("sys/fs/cgroup/cpu.max", "50000 100000")
        self.put("sys/fs/cgroup/memory.max", "64000000")
        self.assertEqual((cores(self.root), memory(self.root)), (0.5, 64_000_000))

    def test_version_1_says_it_in_other_files(self) -> None:
        self.put("proc/self/cgroup", "4:memory:/a/b\n2:cpu,cpuacct:/a\n1:name=systemd:/a\n0::/")
        self.put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "30000")
        self.put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000")
        self.put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1")
        self.put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000")
        self.put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "128000000")
        self.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712")
        self.assertEqual((cores(self.root), memory(self.root)), (0.3, 128_000_000))

    def test_a_quota_beyond_the_machine_is_no_more_than_the_machine(self) -> None:
        self.put("proc/self/cgroup", "0::/")
        self.put("sys/fs/cgroup/cpu.max", "100000000 100000")
        self.put("sys/fs/cgroup/memory.max", str(1 << 60))
        self.assertEqual((cores(self.root), memory(self.root)), (ALL, psutil.virtual_memory().total))

    def test_what_cannot_be_understood_does_not_limit(self) -> None:
        self.put("proc/self/cgroup", "nonsense\n0::/../../etc\n::::\n0::/x")
        for cpu, limit in (("", ""), ("x y", "x"), ("1 0", "-5"), ("0 100000", "0"), ("-1", "1.5")):
            self.put("sys/fs/cgroup/x/cpu.max", cpu)
            self.put("sys/fs/cgroup/x/memory.max", limit)
            self.assertEqual((cores(self.root), memory(self.root)), (ALL, psutil.virtual_memory().total))
