"""One position for a process: starting, taking over, dying, hanging, growing, draining."""

from __future__ import annotations

import os
import signal
import socket
import tempfile

from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, globalLogPublisher
from twisted.logger import formatEvent as format_event
from twisted.trial.unittest import SynchronousTestCase

from edge.app.hosting import control
from edge.config import Application
from edge.errors import NotConnected
from edge.node.supervisor.directories import SAME_USER
from edge.node.supervisor.hosting import position as module
from edge.node.supervisor.hosting.position import DRAIN_SECONDS, START_SECONDS, Position
from edge.node.supervisor.hosting.process import GRACE_SECONDS
from tests.node.supervisor.hosting.made import Process, Reactor


class Base(SynchronousTestCase):
    """A position, and what it logs."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.said: list[str] = []
        self.killed: list[int] = []
        self.patch(os, "killpg", lambda pid, number: self.killed.append(pid))
        self.position = self.made()
        observe = self.note
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def note(self, event: LogEvent) -> None:
        self.said.append(format_event(event))

    def made(self, **more: object) -> Position:
        application = Application(name="shop", at="/", run="shop:app", folder=tempfile.gettempdir(), **more)  # type: ignore[arg-type]
        return Position(application, 0, SAME_USER, self.reactor)

    @property
    def last(self) -> Process:
        return self.reactor.processes[-1]

    def ready(self, kind: bytes = b"wsgi") -> Process:
        """Start, and be ready."""
        if not self.reactor.processes:
            self.position.start()
        self.last.says(control.READY, kind)
        return self.last

    def turn(self, seconds: float = 0.0) -> None:
        self.reactor.advance(seconds)


class StartTests(Base):
    """From nothing to ready, and what goes wrong on the way."""

    def test_who_wants_a_connection_waits_until_it_is_ready(self) -> None:
        self.position.start()
        self.assertEqual(self.position.state, "starting")
        wanted = Deferred.fromCoroutine(self.position.connect())
        self.assertNoResult(wanted)
        process = self.ready()
        with socket.socket(fileno=self.successResultOf(wanted)) as ours:
            (descriptor,) = process.transport.descriptors
            self.assertEqual(process.told(), [(control.CONNECTION, [])])
            os.write(descriptor, b"x")
            self.assertEqual(ours.recv(10), b"x")
            self.assertEqual(self.position.state, "ready")
            process.ends(signal.SIGKILL)
            self.turn()
            self.assertEqual(ours.recv(10), b"")  # whatever the process has forked
        self.assertEqual(self.killed, [900_000])

    def test_what_it_says_last_is_the_reason_and_it_is_tried_ever_less_often(self) -> None:
        self.position.start()
        for delay in (0.0, 0.5, 1.0, 2.0):
            count = len(self.reactor.processes)
            self.last.says(control.FAILED, b"there is no module shop\x1b[2J")
            self.last.ends(code=1)
            self.turn()
            self.assertIn("app shop: there is no module shop\\x1b[2J; starting again", self.said[-1])
            self.assertEqual(self.position.problem, "there is no module shop\\x1b[2J")
            if delay:
                self.turn(delay - 0.01)
                self.assertEqual(len(self.reactor.processes), count)
            self.turn(0.01)
            self.assertEqual(len(self.reactor.processes), count + 1)
        self.assertEqual(self.position.restarts, 0)

    def test_one_that_ends_before_it_was_spawned_is_one_that_ended(self) -> None:
        self.reactor.ends_at_once = True
        self.position.start()
        self.reactor.ends_at_once = False
        self.turn()
        self.turn(1.0)  # its last words may still come
        self.assertIn("exited with code 1 before it was ready", self.position.problem)
        self.turn()
        self.ready()
        self.assertEqual((self.position.state, self.position.problem), ("ready", ""))

    def test_one_that_is_not_ready_in_time_is_killed(self) -> None:
        self.position.start()
        self.turn(START_SECONDS)
        self.assertEqual(self.last.signals, ["KILL"])
        self.last.ends(signal.SIGKILL)
        self.turn()
        self.assertIn("app shop: it was not ready within 60 s; starting again", self.said[-1])

    def test_no_process_to_be_had_and_places_that_are_not_there(self) -> None:
        self.reactor.fails = OSError(11, "Resource temporarily unavailable")
        self.position.start()
        self.assertIn(
            "no process can be had: Resource temporarily unavailable; starting again", self.said[-1]
        )
        for more, sentence in (
            ({"python": "/no/python"}, "/no/python: there is no such interpreter"),
            ({"folder": __file__}, f"{__file__}: this is a file; name the directory of the modules"),
            ({"folder": "/no/folder"}, "/no/folder: there is no such directory"),
        ):
            position = Position(
                Application(name="shop", at="/", run="a:b", **more),
                0,
                SAME_USER,
                self.reactor,  # type: ignore[arg-type]
            )
            position.start()
            self.assertIn(sentence, position.problem)
            position.kill()


class ReplaceTests(Base):
    """A successor is ready before the one before it goes."""

    def test_the_successor_takes_over_when_it_is_ready(self) -> None:
        former = self.ready()
        replaced = self.position.replace()
        self.assertNoResult(replaced)
        self.assertEqual((self.position.state, former.told()), ("ready", []))
        self.ready()
        self.assertEqual(self.successResultOf(replaced), "")
        self.assertEqual(former.told(), [(control.DRAIN, [int(DRAIN_SECONDS * 1000)])])
        former.ends()
        self.turn()
        self.assertEqual((self.position.restarts, len(self.position.processes)), (0, 1))

    def test_a_successor_that_cannot_be_leaves_the_one_before(self) -> None:
        former = self.ready()
        replaced = self.position.replace()
        self.last.says(control.FAILED, b"it is broken")
        self.last.ends(code=1)
        self.turn()
        self.assertEqual(self.successResultOf(replaced), "shop: it is broken; the process before goes on")
        self.turn(1000)
        self.assertEqual(len(self.reactor.processes), 2)
        self.assertIsNotNone(self.position.current)
        self.assertEqual(former.signals, [])

    def test_the_one_before_dies_meanwhile(self) -> None:
        former = self.ready()
        self.position.replace()
        former.ends(signal.SIGSEGV)
        self.turn(100)
        self.assertEqual(self.position.state, "starting")
        self.assertEqual(len(self.reactor.processes), 2)
        self.ready()
        self.assertEqual((self.position.state, self.position.restarts), ("ready", 1))

    def test_one_that_does_not_end_is_killed(self) -> None:
        former = self.ready()
        self.position.replace()
        self.ready()
        self.turn(DRAIN_SECONDS + GRACE_SECONDS)
        self.assertEqual(former.signals, ["KILL"])


class LookTests(Base):
    """What is looked after while it runs."""

    def test_a_process_that_answers_is_asked_on(self) -> None:
        process = self.ready()
        for _ in range(10):
            self.position.look()
            self.assertEqual(process.told(), [(control.PING, [])])
            process.says(control.FIGURES, 3, 1)
            self.turn(5)
        assert self.position.current is not None
        self.assertEqual((self.position.current.running, self.position.current.stuck), (3, 1))
        self.assertEqual(process.signals, [])

    def test_a_process_that_says_nothing_is_killed(self) -> None:
        process = self.ready()
        self.turn(29)
        self.position.look()
        self.assertEqual(process.signals, [])
        self.turn(1)
        self.position.look()
        self.assertEqual(process.signals, ["KILL"])
        self.assertIn("has not turned to the node for 30 s, and is killed", self.said[-1])

    def test_threads_that_hang_lead_to_a_successor_once(self) -> None:
        self.position = self.made(threads=2)
        process = self.ready()
        process.says(control.FIGURES, 2, 2)
        self.position.look()
        self.position.look()
        self.assertEqual(len(self.reactor.processes), 2)
        self.assertIn("all 2 threads hang; another process takes over", self.said[-1])

    def test_a_successor_that_is_as_bad_is_replaced_once_in_a_minute(self) -> None:
        self.position = self.made(memory_mib=100)
        self.patch(module, "resident_bytes", lambda pid: 150 << 20)
        former = self.ready()
        for _ in range(24):
            self.position.look()
            if self.position.coming is not None:
                self.last.says(control.READY, b"wsgi")
                former.ends()
                former = self.last
            self.last.says(control.FIGURES, 0, 0)
            self.turn(5)
        self.assertEqual(len(self.reactor.processes), 3)

    def test_memory_leads_to_a_successor_and_twice_as_much_to_the_end(self) -> None:
        self.position = self.made(memory_mib=100)
        sizes = iter((100, 101, 201))
        self.patch(module, "resident_bytes", lambda pid: next(sizes) << 20)
        process = self.ready()
        self.position.look()
        self.assertEqual(len(self.reactor.processes), 1)
        self.position.look()
        self.assertEqual((len(self.reactor.processes), process.signals), (2, []))
        self.assertIn("has 101 MiB, more than memory-mib = 100", self.said[-1])
        self.position.look()
        self.assertEqual(process.signals, ["KILL"])

    def test_what_is_said_on_the_control_descriptor_by_others_ends_it(self) -> None:
        process = self.ready()
        for said in (
            b"HTTP/1.1 200 OK\r\n",
            control.frame(control.FIGURES, 1),
            control.frame(control.FAILED),
        ):
            process.control.dataReceived(said)
        self.assertIn("what it says on descriptor 3 is not understood", " ".join(self.said))
        self.assertIn("KILL", process.signals)


class EndTests(Base):
    """The end of the node."""

    def test_all_processes_end_and_nobody_starts_another(self) -> None:
        former = self.ready()
        self.position.replace()
        coming = self.last
        ended = self.position.drain(5.0)
        self.assertEqual((former.told(), coming.signals), ([(control.DRAIN, [5000])], ["KILL"]))
        waiting = Deferred.fromCoroutine(self.position.connect())
        coming.ends(signal.SIGKILL)
        self.turn()
        self.assertNoResult(ended)
        former.ends()
        self.turn()
        self.assertIsNone(self.successResultOf(ended))
        os.close(self.successResultOf(waiting))
        self.failureResultOf(Deferred.fromCoroutine(self.position.connect()), NotConnected)
        self.assertEqual(self.successResultOf(self.position.replace()), "the node is about to end")
        self.turn(1000)
        self.assertEqual((self.position.state, len(self.reactor.processes)), ("stopped", 2))

    def test_a_position_that_waits_to_start_again_ends_at_once(self) -> None:
        self.reactor.fails = OSError(12, "Cannot allocate memory")
        self.position.start()
        waiting = Deferred.fromCoroutine(self.position.connect())
        self.assertIsNone(self.successResultOf(self.position.drain(5.0)))
        self.failureResultOf(waiting, NotConnected)
        self.reactor.fails = None
        self.turn(1000)
        self.assertEqual(self.reactor.processes, [])
