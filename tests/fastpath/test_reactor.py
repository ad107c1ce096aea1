"""A reactor that waits with a fast path: neither keeps the other from its work, and each wakes both."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath.adapter import Adapter
from edge.fastpath.interface import FastPath, Handoff, Settings
from edge.fastpath.native import NativeFastPath
from edge.fastpath.reactor import FastPathReactor
from edge.fastpath.twin import PythonFastPath
from edge.table.segment import CounterBlock, Segment
from tests import processes
from tests.fastpath import site
from tests.fastpath.site import EMPTY, get
from tests.fastpath.threads import thread_of

if TYPE_CHECKING:
    Base = SynchronousTestCase
else:
    Base = object

#: Events of a turn of the fast path at most.
TURN = 2048
#: After so many seconds a test has failed; nothing that is tested takes one.
TOO_LONG = 30.0


class ReactorSuite(Base):
    """Mixed into a test case; :meth:`make` is the build under test.

    A test ends when what it tests stops the reactor.  Nothing polls for that: it would wake the reactor.
    """

    def make(self, segment: Segment, settings: Settings) -> FastPath:
        """The fast path under test, as worker 0."""
        raise AssertionError("the test case says which build")

    def setUp(self) -> None:
        self.segment = site.published()
        self.addCleanup(self.segment.close)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.addCleanup(self.listener.close)
        self.reactor: Any = FastPathReactor()
        self.addCleanup(self.reactor._poller.close)
        self.addCleanup(self.reactor.disconnectAll)
        self.fast_path = self.make(self.segment, Settings())
        self.failures: list[Failure] = []
        self.adapter = Adapter(self.fast_path, self.reactor, self.failures.append)
        self.protocols: list[Protocol] = []
        self.adapter.listen(self.listener.fileno(), 7, Factory.forProtocol(self.protocol), True)
        #: What each turn of the fast path has answered.
        self.turns: list[int] = []
        run = self.fast_path.run

        def counted(timeout: float | None = 0.0) -> list[Handoff]:
            before = self.answered()
            try:
                return run(timeout)
            finally:
                self.turns.append(self.answered() - before)

        self.patch(self.fast_path, "run", counted)
        self.adapter.start()
        self.addCleanup(self.adapter.stop)

    def protocol(self) -> Protocol:
        """Stops the reactor when it is given something."""
        protocol = Protocol()
        protocol.dataReceived = self.received  # type: ignore[method-assign]
        self.protocols.append(protocol)
        return protocol

    def received(self, data: bytes) -> None:
        """What a connection brought that was handed off."""
        self.data = data
        self.reactor.stop()

    def answered(self) -> int:
        """Requests answered by the fast path so far."""
        return CounterBlock(self.segment, 0).read()["requests"]

    def run_reactor(self) -> None:
        """Until somebody stops it."""
        late: list[bool] = []
        guard = self.reactor.callLater(TOO_LONG, lambda: (late.append(True), self.reactor.stop()))
        self.reactor.run(installSignalHandlers=False)
        if guard.active():
            guard.cancel()
        self.assertEqual(late, [], "nothing has stopped the reactor")

    def meanwhile(self, work: Callable[[], object]) -> None:
        """Runs *work* in a thread, which ends before the test does; what it raises fails the test."""
        thread = thread_of(self, work, lambda: self.reactor.callFromThread(self.reactor.stop))
        self.reactor.callWhenRunning(thread.start)

    def ask(self, until: Callable[[int], bool]) -> None:
        """A client that waits for each answer before it asks again."""
        with socket.create_connection(self.listener.getsockname(), 20) as connection:
            times = 0
            while not until(times):
                connection.sendall(get(EMPTY))
                self.assertIn(b"200 OK", connection.recv(65536))
                times += 1

    def test_answers_need_no_turn_of_the_reactor(self) -> None:
        """A hundred of them in one wait."""

        def work() -> None:
            self.ask(lambda times: times == 100)
            self.reactor.callFromThread(self.reactor.stop)

        self.meanwhile(work)
        self.run_reactor()
        self.assertEqual(sum(self.turns), 100)
        self.assertLess(len(self.turns), 10)

    def test_a_connection_for_twisted_ends_the_wait(self) -> None:
        self.meanwhile(lambda: self.connect(b"BREW /pot"))
        self.run_reactor()
        self.assertEqual(self.data, b"BREW /pot")

    def connect(self, data: bytes) -> socket.socket:
        """A client that has sent *data*."""
        connection = socket.create_connection(self.listener.getsockname(), 20)
        self.addCleanup(connection.close)
        connection.sendall(data)
        return connection

    def test_what_a_connection_at_twisted_brings_ends_the_wait(self) -> None:
        received: list[bytes] = []

        def work() -> None:
            connection = self.connect(b"BREW ")
            self.assertEqual(connection.recv(10), b"go on")
            connection.sendall(b"/pot")

        def answer(data: bytes) -> None:
            received.append(data)
            if data == b"/pot":
                self.reactor.stop()
            else:
                self.protocols[0].transport.write(b"go on")  # type: ignore[union-attr]

        self.patch(self, "received", answer)
        self.meanwhile(work)
        self.run_reactor()
        self.assertEqual(received, [b"BREW ", b"/pot"])

    def test_a_thread_ends_the_wait(self) -> None:
        self.meanwhile(lambda: self.reactor.callFromThread(self.reactor.stop))
        self.run_reactor()

    def test_a_signal_ends_the_wait(self) -> None:
        """Also while requests come without end."""
        before = signal.signal(signal.SIGUSR1, lambda *_: self.reactor.callFromThread(self.reactor.stop))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.addCleanup(signal.set_wakeup_fd, signal.set_wakeup_fd(-1))
        self.reactor.wake_on_signals()

        def work() -> None:
            stopped: list[bool] = []
            self.reactor.addSystemEventTrigger("before", "shutdown", lambda: stopped.append(True))

            def until(times: int) -> bool:
                if times == 50:
                    os.kill(os.getpid(), signal.SIGUSR1)
                return bool(stopped)

            self.ask(until)

        self.meanwhile(work)
        self.reactor.addSystemEventTrigger("before", "shutdown", self.serve_on)
        self.run_reactor()

    def serve_on(self) -> None:
        """Answers what a client has asked for before it notices the end."""
        self.fast_path.run(0.2)

    def test_timers_come_in_time_whoever_asks(self) -> None:
        """Not before it, and after a bounded number of answers."""
        due: list[float] = []
        done = threading.Event()

        def timer() -> None:
            self.assertGreaterEqual(self.reactor.seconds(), due[-1])
            if len(due) == 20:
                done.set()
                self.serve_on()
                self.reactor.stop()
            else:
                again()

        def again() -> None:
            due.append(self.reactor.seconds() + 0.003)
            self.reactor.callLater(0.003, timer)

        for _ in range(4):
            self.meanwhile(lambda: self.ask(lambda _: done.is_set()))
        self.reactor.callWhenRunning(again)
        self.run_reactor()
        self.assertEqual(len(due), 20)
        self.assertGreater(sum(self.turns), 0)
        self.assertLessEqual(max(self.turns), TURN)

    def test_waiting_for_a_timer_is_one_wait(self) -> None:
        """It does not spin towards it."""
        self.reactor.callLater(0.0505, self.reactor.stop)
        self.run_reactor()
        self.assertLess(len(self.turns), 5)

    def test_a_reactor_that_is_always_busy_leaves_the_fast_path_its_turns(self) -> None:
        """Timers that are due and a descriptor that is readable, always."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        os.write(write, b"x")
        readings: list[None] = []

        class Reading:
            def fileno(self) -> int:
                return read

            def doRead(self) -> None:
                readings.append(None)

            def logPrefix(self) -> str:
                return "reading"

            def connectionLost(self, reason: Failure) -> None:
                pass

        def busy() -> None:
            self.reactor.callLater(0, busy)

        def work() -> None:
            self.ask(lambda times: times == 200)
            self.reactor.callFromThread(self.reactor.stop)

        self.reactor.addReader(Reading())
        self.reactor.callWhenRunning(busy)
        self.meanwhile(work)
        self.run_reactor()
        self.assertEqual(sum(self.turns), 200)
        self.assertGreater(len(readings), 20)

    def test_a_peer_that_is_killed_costs_nothing_more(self) -> None:
        """Its connection, with half a request, is gone without a turn of the reactor."""
        port = self.listener.getsockname()[1]
        program = (
            f"import socket, time; c = socket.create_connection(('127.0.0.1', {port}))\n"
            "c.sendall(b'GET / HT'); print('sent', flush=True); time.sleep(60)"
        )

        def work() -> None:
            with processes.start([sys.executable, "-c", program], stdout=subprocess.PIPE) as peer:
                processes.first_line(peer)
                self.until(lambda open_now: open_now == 1)
                peer.kill()
            self.until(lambda open_now: open_now == 0)
            self.reactor.callFromThread(self.reactor.stop)

        self.meanwhile(work)
        self.run_reactor()

    def until(self, holds: Callable[[int], bool]) -> None:
        """Wait in a thread until the number of open connections is right."""
        pause = threading.Event()
        for _ in range(2000):
            if holds(CounterBlock(self.segment, 0).read()["connections"]):
                return
            pause.wait(0.01)
        self.fail("the connections are not as expected")

    def test_without_its_fast_path_it_waits_alone(self) -> None:
        """Also when that is stopped by what it has just handed off."""

        def received(_data: bytes) -> None:
            self.adapter.stop()
            self.reactor.callLater(0.02, self.reactor.stop)

        self.patch(self, "received", received)
        self.meanwhile(lambda: self.connect(b"BREW"))
        self.run_reactor()
        self.assertEqual(self.failures, [])

    def test_a_fast_path_that_fails_is_reported_and_waits_no_more(self) -> None:
        """The reactor goes on."""
        times: list[None] = []

        def fails(_timeout: float | None) -> list[Handoff]:
            times.append(None)
            raise RuntimeError("broken")

        self.patch(self.fast_path, "run", fails)
        self.reactor.callLater(0.02, self.reactor.stop)
        self.run_reactor()
        self.assertEqual((len(times), len(self.failures)), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class NativeReactorTests(ReactorSuite, SynchronousTestCase):
    """As in a worker."""

    def make(self, segment: Segment, settings: Settings) -> FastPath:
        """A build, as worker 0."""
        return NativeFastPath(segment, 0, settings)


class PythonReactorTests(ReactorSuite, SynchronousTestCase):
    """As in a worker where there is no compiler."""

    def make(self, segment: Segment, settings: Settings) -> FastPath:
        """A build, as worker 0."""
        return PythonFastPath(segment, 0, settings)
