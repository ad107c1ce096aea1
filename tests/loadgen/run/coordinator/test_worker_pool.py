"""The pool of worker processes: real children, and strangers where a worker should be."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import LoadgenError
from loadgen.models.arrivals import Rate
from loadgen.run.coordinator.worker_pool import LocalWorker, WorkerPool, WorkerProcess
from loadgen.run.messages.handshake import admit
from loadgen.run.messages.protocol import Failed, Go, JobMessage, Message
from tests.loadgen.run.coordinator.scripted_workers import dealt, scenario

TOKEN = b"correct horse battery"


class PoolCase(SynchronousTestCase):
    """One pool."""

    def made(self, pool: WorkerPool) -> WorkerPool:
        self.addCleanup(pool.close)
        self.pool = pool
        return pool

    def receive(self, count: int) -> list[tuple[WorkerProcess, Message | None]]:
        """The next messages, until there are *count*."""
        found: list[tuple[WorkerProcess, Message | None]] = []
        for _ in range(60):
            found += self.pool.receive(1.0)
            if len(found) >= count:
                return found
        raise AssertionError(f"only {found} within a minute")


class LocalTests(PoolCase):
    """Children of this process."""

    def test_a_worker_loads_no_host_that_is_not_this_machine_or_was_named(self) -> None:
        pool = self.made(WorkerPool(1, targets=[]))
        (job,) = dealt(scenario(), 1, Rate((0.0,), (1.0,)))
        job.nodes[:] = [type(job.nodes[0])("n1", "http://192.0.2.1", "192.0.2.1", 80)]
        pool.all[0].tell(JobMessage(job))
        (worker, message), (_, end) = self.receive(2)
        assert isinstance(message, Failed)
        self.assertIn("192.0.2.1 is not this machine", message.why)
        self.assertEqual((end, worker.ended), (None, True))

    def test_each_ends_with_its_stream(self) -> None:
        """However it ends, no load goes on without somebody who looks on."""
        pool = self.made(WorkerPool(2, targets=[]))
        pool.dismiss()
        self.assertEqual({worker for worker, _ in self.receive(2)}, set(pool.all))
        self.assertTrue(all(worker.ended for worker in pool.all))

    def test_the_last_words_of_one_that_dies_are_known(self) -> None:
        program = Path(self.mktemp())
        program.write_text("#!/bin/sh\nexec >&2\necho Traceback\necho 'MemoryError: no room'\necho\nexit 1\n")
        program.chmod(0o755)
        self.patch(sys, "executable", str(program.absolute()))
        (worker,) = self.made(WorkerPool(1, targets=[])).all
        self.assertEqual(self.receive(1), [(worker, None)])
        self.assertEqual(worker.last_words(), "MemoryError: no room")

    def test_to_tell_one_that_is_gone_is_no_error(self) -> None:
        """Its end is noticed where it is read from."""
        (worker,) = self.made(WorkerPool(1, targets=[])).all
        assert isinstance(worker, LocalWorker)
        os.kill(worker.pid, signal.SIGKILL)
        self.assertEqual(self.receive(1), [(worker, None)])
        worker.tell(Go())


class RemoteTests(PoolCase):
    """Somewhere else."""

    def listen(self, serve: Callable[[socket.socket], object]) -> str:
        """The address of a listener that serves one connection with *serve*, and closes it."""
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with listener, listener.accept()[0] as connection:
                serve(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 20)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def test_one_that_talks_nonsense_has_failed_and_ended(self) -> None:
        def talk(connection: socket.socket) -> None:
            admit(connection, TOKEN)
            connection.sendall(b"\xff" * 8)

        address = self.listen(talk)
        self.made(WorkerPool(1, [], [address], TOKEN))
        (worker, failed), (other, end) = self.receive(2)
        assert isinstance(failed, Failed)
        self.assertIn("it says what cannot be understood", failed.why)
        self.assertIs(worker, other)
        self.assertEqual((worker.name, worker.ended, end), (f"worker {address}", True, None))

    def test_what_is_no_worker_is_told_with_the_way_out(self) -> None:
        address = self.listen(lambda connection: connection.sendall(b"SSH-2.0-x\n"))
        with self.assertRaisesRegex(LoadgenError, f"--workers {address}: .* is no loadgen worker; start it"):
            WorkerPool(1, [], [address], TOKEN)

    def test_the_end_of_a_connection_is_the_end_of_its_worker(self) -> None:
        pool = self.made(WorkerPool(1, [], [self.listen(lambda connection: admit(connection, TOKEN))], TOKEN))
        self.assertEqual(self.receive(1), [(pool.all[0], None)])
