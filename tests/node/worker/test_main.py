"""The worker process: what it is told, and the ways in which it ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.node.process import control
from edge.node.process.settings import WorkerSettings, encode
from edge.node.worker import __main__ as program
from edge.table.segment import Segment
from edge.tls.interface import Credential

GONE = Failure(ConnectionDone())


class Serving:
    """What a worker serves with; drains when the test says so."""

    fast_path = "python"

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.drained: Deferred[int] = Deferred()

    def describe_fast_path(self) -> str:
        return ""

    def accept(self, ready: bool) -> None:
        self.told.append(("accept", ready))

    def certify(self, listener: int, credentials: list[Credential]) -> None:
        self.told.append((listener, [one.where for one in credentials]))
        if credentials[-1].key == b"wrong":
            raise ConfigError("a problem")

    def take_users(self, packed: bytes) -> None:
        self.told.append(packed)

    def drain(self, seconds: float) -> Deferred[int]:
        self.told.append(("drain", seconds))
        return self.drained


class Reactor(Clock):
    """A clock that can be stopped once."""

    stops = 0

    def stop(self) -> None:
        self.stops += 1


class WorkerTests(SynchronousTestCase):
    """Told to drain within seven seconds if nobody says otherwise."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.worker = program.Worker(self.reactor)
        self.worker.makeConnection(StringTransport())
        self.serving = Serving()
        segment = Segment.create(capacity=64, arena_bytes=1 << 18, workers=1)
        self.addCleanup(segment.close)
        self.patch(program.Segment, "attach", lambda *_: segment)
        self.patch(program, "Serving", lambda *_: self.serving)

    def start(self) -> dict[str, Any]:
        settings = WorkerSettings(0, "python", (), "", 100, drain_seconds=7.0)
        return self.worker.start(encode(settings))

    def test_it_says_which_fast_path_it_has(self) -> None:
        self.assertEqual(self.start()["fast_path"], "python")

    def test_what_a_user_can_mend_is_refused_in_words_and_is_a_failure(self) -> None:
        def refuse(*_: Any) -> None:
            raise ConfigError("no such certificate")

        self.patch(program, "Serving", refuse)
        self.assertEqual(str(self.assertRaises(control.Refused, self.start)), "no such certificate")
        self.assertEqual(self.worker.exit_code, 1)

    def test_what_comes_before_the_settings_harms_nothing(self) -> None:
        self.assertEqual(self.certificate(), {})
        self.assertEqual((self.worker.users(b"x", True), self.worker.ping()), ({}, {}))

    def test_it_passes_on_what_it_is_told(self) -> None:
        self.start()
        self.worker.accept(False)
        self.worker.accept(True)
        self.worker.users(b"one, ", False)
        self.worker.users(b"two", True)
        self.worker.users(b"three", True)
        self.assertEqual(self.serving.told, [("accept", False), ("accept", True), b"one, two", b"three"])

    def test_the_certificates_of_a_listener_are_shown_when_the_last_has_come(self) -> None:
        self.start()
        self.assertEqual(self.certificate("a.pem", last=False), {})
        self.assertEqual(self.serving.told, [])
        self.assertEqual(self.certificate("b.pem"), {})
        self.assertEqual(self.serving.told, [(3, ["a.pem", "b.pem"])])
        error = self.assertRaises(control.Refused, self.certificate, "c.pem", key=b"wrong")
        self.assertEqual((str(error), self.serving.told[1:]), ("a problem", [(3, ["c.pem"])]))

    def certificate(self, where: str = "x.pem", last: bool = True, key: bytes = b"key") -> dict[str, Any]:
        """One of listener 3."""
        return self.worker.certificate(3, last, chain=b"chain", key=key, where=where)

    def test_a_drain_is_answered_before_it_begins_and_the_process_ends_after_it(self) -> None:
        self.start()
        self.assertEqual(self.worker.drain(3.0), {})
        self.assertEqual(self.serving.told, [])
        self.reactor.advance(0)
        self.assertEqual((self.serving.told, self.reactor.stops), ([("drain", 3.0)], 0))
        self.serving.drained.callback(2)
        self.assertEqual((self.reactor.stops, self.worker.exit_code), (1, 0))

    def test_it_drains_once_however_many_say_so(self) -> None:
        """A signal, the supervisor, and then the supervisor's end."""
        self.start()
        self.worker.leave()
        self.worker.drain(1.0)
        self.reactor.advance(0)
        self.worker.connectionLost(GONE)
        self.assertEqual(self.serving.told, [("drain", 7.0)])
        self.serving.drained.callback(0)
        self.assertEqual(self.reactor.stops, 1)

    def test_without_its_supervisor_it_finishes_what_runs_in_the_configured_time(self) -> None:
        self.start()
        self.worker.connectionLost(GONE)
        self.assertEqual(self.serving.told, [("drain", 7.0)])
        self.serving.drained.callback(0)
        self.assertEqual((self.reactor.stops, self.worker.exit_code), (1, 0))

    def test_told_to_end_before_it_has_begun_it_ends(self) -> None:
        self.worker.leave()
        self.assertEqual((self.reactor.stops, self.worker.exit_code), (1, 0))

    def test_a_fast_path_that_fails_ends_it_as_a_failure(self) -> None:
        """The supervisor starts another one."""
        failed: list[Any] = []
        self.patch(program, "Serving", lambda *given: failed.append(given[5]) or self.serving)
        self.start()
        failed[0](Failure(RuntimeError("broken")))
        self.assertEqual((self.reactor.stops, self.worker.exit_code), (1, 1))
