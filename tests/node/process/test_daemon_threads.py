"""Work in threads that nobody waits for at the end."""

from __future__ import annotations

import sys
import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import TestCase

from edge.node.process.daemon_threads import in_daemon_thread
from tests import processes

_PROGRAM = """
import threading
from twisted.internet import reactor
from edge.node.process.daemon_threads import in_daemon_thread
reactor.callWhenRunning(in_daemon_thread, reactor, threading.Event().wait)
reactor.callLater(0.2, reactor.stop)
reactor.run()
print("ended")
"""


class DaemonThreadTests(TestCase):
    """:func:`edge.node.process.daemon_threads.in_daemon_thread`."""

    async def test_results_and_errors_come_back(self) -> None:
        main = threading.get_ident()

        def work(number: int) -> tuple[int, bool]:
            return number + 1, threading.get_ident() == main

        self.assertEqual(await in_daemon_thread(reactor, work, 1), (2, False))

        def fail() -> Any:
            raise ValueError("no")

        with self.assertRaisesRegex(ValueError, "no"):
            await in_daemon_thread(reactor, fail)

    async def test_what_was_cancelled_may_end_later(self) -> None:
        go = threading.Event()
        waiting = in_daemon_thread(reactor, go.wait)
        waiting.cancel()
        with self.assertRaises(CancelledError):
            await waiting
        go.set()
        self.assertTrue(await in_daemon_thread(reactor, lambda: True))

    def test_the_process_ends_though_the_work_does_not(self) -> None:
        done = processes.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "ended"), done.stderr)
