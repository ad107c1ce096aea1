"""The supervisor: what a start that fails half-way leaves behind."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from edge.config import Config
from edge.errors import ListenError
from edge.node.supervisor import supervisor
from edge.node.supervisor.admin_server import AdminServer
from edge.node.supervisor.directories import SAME_USER
from edge.node.supervisor.workers import WorkerProcesses
from edge.node.telemetry.load_publisher import LoadPublisher
from edge.node.telemetry.status_publisher import StatusPublisher


class FailingStartTests(SynchronousTestCase):
    """One part of the node cannot start, after others have."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())  # its path has to be short enough for a socket
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "www").mkdir()
        self.reactor = MemoryReactorClock()
        self.patch(supervisor.atexit, "register", lambda call: None)  # would end the tests' own process

    def start_and_fail(self, part: type) -> None:
        """Start a node whose *part* raises as it starts: no timer and no reader may be left."""

        def fail(*_: object) -> None:
            raise ListenError("no such address")

        self.patch(part, "start", fail)
        config = Config(
            state_dir=self.folder,
            webroot=self.folder / "www",
            listen=("tcp:0:interface=127.0.0.1",),
            workers=1,
            table_entries=1024,
            arena_mib=1,
        )
        service = supervisor.make_supervisor(config, SAME_USER, self.reactor)
        service.startService()  # type: ignore[no-untyped-call]
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertFalse((self.folder / "admin.sock").exists())
        self.assertIn(self.reactor.stop, [hook[0] for hook in self.reactor.whenRunningHooks])

    def test_nothing_has_started(self) -> None:
        """The first part fails."""
        self.start_and_fail(AdminServer)

    def test_the_admin_server_takes_no_more_requests(self) -> None:
        """Its listener is closed, and not read any more."""
        self.start_and_fail(LoadPublisher)

    def test_nothing_is_published_into_a_closed_table(self) -> None:
        """No looping call is left."""
        self.start_and_fail(StatusPublisher)

    def test_the_workers_fail(self) -> None:
        """They are the last, and the only part that did not start."""
        self.start_and_fail(WorkerProcesses)
