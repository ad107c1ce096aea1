"""What is read from the machine."""

from __future__ import annotations

import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from edge.node.telemetry.sampler import Sampler, nic_bps
from edge.table.counters import INDEX
from edge.table.segment import CounterBlock, Segment
from tests import processes


class SamplerTests(SynchronousTestCase):
    """Counters of the table, CPU time of processes."""

    def setUp(self) -> None:
        """A table of two workers."""
        self.segment = Segment.create(capacity=10, arena_bytes=4096, workers=2)
        self.addCleanup(self.segment.close)

    def test_counters_come_from_all_workers(self) -> None:
        """Both ways of a request count."""
        for index in range(2):
            block = CounterBlock(self.segment, index)
            for name in (
                "requests",
                "twisted_requests",
                "twisted_5xx",
                "bytes_out",
                "twisted_bytes_out",
                "connections",
            ):
                block.add(INDEX[name], 10)
            block.set(INDEX["lag_us"], 1500 * index)
        sample = Sampler(self.segment, lambda: ()).sample(3.0)
        self.assertEqual(
            (sample.at, sample.requests, sample.errors, sample.bytes_out, sample.connections, sample.lag_ms),
            (3.0, 40, 20, 40, 20, 1.5),
        )

    def test_cpu_time_of_a_dead_worker_is_not_lost(self) -> None:
        """The counter only grows, so that its rate stays true."""
        program = "import time\nwhile time.process_time() < 0.1: pass\nprint(flush=True)\ntime.sleep(60)"
        worker = processes.start([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert worker.stdout is not None
        self.addCleanup(worker.stdout.close)
        processes.first_line(worker)
        pids = [worker.pid]
        sampler = Sampler(self.segment, lambda: pids)
        with_worker = sampler.sample(0).cpu_seconds
        self.assertGreater(with_worker - time.process_time(), 0.05)
        worker.kill()
        worker.wait(processes.PATIENCE)
        self.assertGreaterEqual(sampler.sample(1).cpu_seconds, with_worker)
        pids.clear()
        self.assertGreaterEqual(sampler.sample(2).cpu_seconds, with_worker)

    def test_capacities_are_positive(self) -> None:
        """Whatever the machine tells; a configured one counts."""
        self.assertGreater(nic_bps(), 0)
        self.assertEqual(nic_bps(100), 100_000_000)
