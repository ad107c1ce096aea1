"""Worker processes, spawned by a reactor that spawns nothing."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from twisted.trial.unittest import SynchronousTestCase

from edge.node.process import control
from edge.node.supervisor.backoff import FIRST
from edge.node.supervisor.worker_process import GRACE_SECONDS, HUNG_SECONDS, PING_SECONDS
from edge.node.supervisor.workers import WorkerProcesses
from edge.tls.interface import Credential


class Worker(amp.AMP):
    """A worker's end of the control connection; what it was told."""

    def __init__(self, refusal: str) -> None:
        super().__init__()
        self.told: list[str] = []
        self.keys: list[bytes] = []
        self._refusal = refusal

    @control.Start.responder
    def start(self, settings: bytes) -> dict[str, Any]:
        """Prepared, or refused."""
        if self._refusal:
            raise control.Refused(self._refusal)
        self.told.append(f"start {settings.decode()}")
        return {"fast_path": "native", "confined": b"{}"}

    @control.TicketKeys.responder
    def ticket_keys(self, keys: bytes) -> dict[str, Any]:
        """Takes them."""
        self.keys.append(keys)
        return {}

    @control.Accept.responder
    def accept(self, ready: bool) -> dict[str, Any]:
        """Accepts."""
        self.told.append("accept, ready" if ready else "accept")
        return {}

    @control.Drain.responder
    def drain(self, seconds: float) -> dict[str, Any]:
        """Drains."""
        self.told.append(f"drain {seconds:g}")
        return {}

    @control.Certificate.responder
    def certificate(self, listener: int, where: str, last: bool, **more: bytes) -> dict[str, Any]:
        """Shows it, but one that OpenSSL does not like."""
        self.told.append(f"certificate {where} of {listener}{', the last' if last else ''}")
        if where.startswith("bad"):
            raise control.Refused(f"{where} is refused")
        return {}

    @control.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Alive."""
        self.told.append("ping")
        return {}


class Process:
    """A process that ends when it is told so."""

    def __init__(self, pid: int, protocol: Any, worker: Worker) -> None:
        self.pid = pid
        self.protocol = protocol
        self.worker = worker
        self.pump: Any = None
        self.signals: list[str] = []

    def signalProcess(self, name: str) -> None:
        """As Twisted has it."""
        self.signals.append(name)

    def end(self, signal: int | None = None) -> None:
        """It is gone."""
        reason = ProcessDone(0) if signal is None else ProcessTerminated(signal=signal)
        self.protocol.processEnded(Failure(reason))


class Reactor(Clock):
    """Time, processes, and the connections to them."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Process] = []
        self.refusal = ""
        self.full = False

    def spawnProcess(self, protocol: Any, program: str, arguments: Any, **more: Any) -> Process:
        """As Twisted has it."""
        if self.full:
            raise OSError(11, "Resource temporarily unavailable")
        self.processes.append(Process(1000 + len(self.processes), protocol, Worker(self.refusal)))
        return self.processes[-1]

    def adoptStreamConnection(self, fd: int, family: socket.AddressFamily, factory: Factory) -> None:
        """Join both ends in memory."""
        process = self.processes[-1]
        ours = factory.buildProtocol(None)
        assert ours is not None
        client, server = FakeTransport(ours, False), FakeTransport(process.worker, True)
        ours.makeConnection(client)
        process.worker.makeConnection(server)
        process.pump = IOPump(ours, process.worker, client, server, debug=False)

    def deliver(self) -> None:
        """Deliver what both sides of each connection have written."""
        for process in self.processes:
            process.pump.flush()


class Host:
    """Gives workers their number as settings; remembers who is gone."""

    def __init__(self) -> None:
        self.gone: list[int] = []
        #: Number of a TLS listener, and the files of its certificates.
        self.listeners: list[tuple[int, list[str]]] = []
        self.keys = b"old"

    def credentials(self) -> list[tuple[int, list[Credential]]]:
        """See :class:`edge.node.supervisor.worker_host.WorkerHost`."""
        return [
            (number, [Credential(b"chain", b"key", name) for name in names])
            for number, names in self.listeners
        ]

    def encoded_settings(self, index: int, is_successor: bool) -> bytes:
        """See :class:`edge.node.supervisor.worker_host.WorkerHost`."""
        return b"%d" % index

    def group_news(self) -> bytes:
        """See :class:`edge.node.supervisor.worker_host.WorkerHost`."""
        return b""

    def packed_users(self) -> bytes:
        """See :class:`edge.node.supervisor.worker_host.WorkerHost`."""
        return b"users"

    def packed_ticket_keys(self) -> bytes:
        """See :class:`edge.node.supervisor.worker_host.WorkerHost`."""
        return self.keys

    def descriptors_for(self, index: int) -> list[int]:
        """See :class:`edge.node.supervisor.worker_host.WorkerHost`."""
        return []

    def worker_gone(self, index: int) -> None:
        """See :class:`edge.node.supervisor.worker_host.WorkerHost`."""
        self.gone.append(index)


class WorkerProcessesTests(SynchronousTestCase):
    """Two workers."""

    def setUp(self) -> None:
        self.reactor, self.host = Reactor(), Host()
        self.given_up: list[str] = []
        self.workers = WorkerProcesses(2, self.host, self.given_up.append, self.reactor)  # type: ignore[arg-type]

    def start(self) -> None:
        """Spawn both; they are prepared."""
        self.workers.start()
        self.reactor.deliver()

    def pass_time(self, seconds: float) -> None:
        """In small steps."""
        self.reactor.pump([0.05] * round(seconds / 0.05))

    def states(self) -> list[str]:
        """As ``/status`` has them."""
        return [worker.state for worker in self.workers.status()]

    def told(self, number: int) -> list[str]:
        """What a process was told, in order."""
        self.reactor.deliver()
        return self.reactor.processes[number].worker.told

    def test_they_accept_when_they_are_told_and_not_before(self) -> None:
        """First without the site, then with it."""
        self.start()
        self.assertEqual((self.states(), self.workers.fast_path), (["starting", "starting"], "native"))
        self.workers.accept(False)
        self.assertEqual(self.states(), ["accepting", "accepting"])
        self.workers.accept(True)
        self.assertEqual(self.states(), ["ready", "ready"])
        self.assertEqual(self.told(1), ["start 1", "accept", "accept, ready"])

    def test_all_have_the_present_keys_of_tickets_also_those_that_start_later(self) -> None:
        self.start()
        self.host.keys = b"new"
        self.workers.take_ticket_keys()
        self.reactor.deliver()
        self.assertEqual([one.worker.keys for one in self.reactor.processes], [[b"old", b"new"]] * 2)
        self.reactor.processes[0].end(signal=9)
        self.reactor.advance(0)
        self.reactor.deliver()
        self.assertEqual(self.reactor.processes[2].worker.keys, [b"new"])

    def test_who_is_told_before_it_is_prepared_accepts_afterwards(self) -> None:
        """Nothing is sent to a process that has not taken its settings."""
        self.workers.start()
        self.workers.accept(True)
        self.assertEqual(self.states(), ["starting", "starting"])
        self.reactor.deliver()
        self.assertEqual(self.states(), ["ready", "ready"])
        self.assertEqual(self.told(0), ["start 0", "accept, ready"])

    def test_who_dies_is_replaced_at_once_and_the_next_time_later(self) -> None:
        """It serves as its predecessor did; who reads the table is told."""
        self.start()
        self.workers.accept(True)
        self.reactor.processes[0].end(signal=9)
        self.assertEqual((self.states()[0], self.host.gone), ("waiting", [0]))
        self.reactor.advance(0)
        self.reactor.deliver()
        self.assertEqual((self.states(), self.workers.status()[0].restarts), (["ready", "ready"], 1))
        self.reactor.processes[2].end(signal=9)
        self.reactor.advance(FIRST - 0.01)
        self.assertEqual(len(self.reactor.processes), 3)
        self.reactor.advance(0.01)
        self.assertEqual(len(self.reactor.processes), 4)

    def test_a_process_that_cannot_be_had_is_tried_again(self) -> None:
        """After a second at least."""
        self.reactor.full = True
        self.workers.start()
        self.assertEqual((self.states(), self.reactor.processes), (["waiting", "waiting"], []))
        self.reactor.full = False
        self.reactor.advance(1)
        self.assertEqual(self.states(), ["starting", "starting"])

    def test_who_is_refused_at_the_start_ends_the_node_with_the_reason(self) -> None:
        """It is a mistake of who started it; the process is killed."""
        self.reactor.refusal = "no such log"
        self.start()
        self.assertEqual(self.given_up, ["no such log", "no such log"])
        self.assertEqual(self.reactor.processes[0].signals, ["KILL"])

    def test_who_is_refused_later_does_not(self) -> None:
        """The others serve."""
        self.start()
        self.reactor.refusal = "no such log"
        self.reactor.processes[0].end(signal=11)
        self.reactor.advance(0)
        self.reactor.deliver()
        self.assertEqual(self.given_up, [])

    def test_draining_ends_when_the_last_process_has(self) -> None:
        """Who does not end is killed, some seconds later; nobody is replaced."""
        self.start()
        self.workers.accept(True)
        done = Deferred.fromCoroutine(self.workers.drain(5.0))
        self.assertEqual(self.states(), ["draining", "draining"])
        self.reactor.processes[0].end()
        self.pass_time(5.1 + GRACE_SECONDS)
        self.assertEqual([process.signals for process in self.reactor.processes], [[], ["KILL"]])
        self.assertNoResult(done)
        self.reactor.processes[1].end(signal=9)
        self.reactor.advance(0)
        self.successResultOf(done)
        self.assertEqual((self.states(), len(self.reactor.processes)), (["stopped", "stopped"], 2))
        self.assertEqual(self.told(1), ["start 1", "accept, ready", "drain 5"])

    def test_they_are_replaced_one_after_the_other(self) -> None:
        """The second only when the first one's successor serves."""
        self.start()
        self.workers.accept(True)
        done = Deferred.fromCoroutine(self.workers.replace(5.0))
        self.assertEqual(self.states(), ["draining", "ready"])
        self.reactor.processes[0].end()
        self.pass_time(0.1)
        self.assertEqual(self.states(), ["starting", "ready"])
        self.reactor.deliver()
        self.pass_time(0.1)
        self.assertEqual(self.states(), ["ready", "draining"])
        self.reactor.processes[1].end()
        self.reactor.deliver()
        self.pass_time(0.1)
        self.assertEqual(self.successResultOf(done), [])
        self.assertEqual([worker.restarts for worker in self.workers.status()], [0, 0])

    def test_a_drain_ends_a_replacement_that_waits(self) -> None:
        """Also when no process is left whose end could tell of it."""
        self.start()
        self.workers.accept(True)
        replaced = Deferred.fromCoroutine(self.workers.replace(5.0))
        self.reactor.full = True
        self.reactor.processes[0].end()
        self.pass_time(0.1)
        self.assertEqual(self.states(), ["waiting", "ready"])
        self.assertNoResult(replaced)
        drained = Deferred.fromCoroutine(self.workers.drain(5.0))
        self.reactor.processes[1].end()
        self.reactor.advance(0)
        self.successResultOf(drained)
        self.successResultOf(replaced)
        self.assertEqual(self.states(), ["stopped", "stopped"])

    def test_one_that_does_not_answer_pings_is_killed(self) -> None:
        """It hangs, whatever the reason."""
        self.start()
        self.pass_time(PING_SECONDS + 0.1)
        self.assertEqual(self.told(0)[-1], "ping")
        self.pass_time(HUNG_SECONDS)
        self.assertEqual(self.reactor.processes[0].signals, [], "the first ping was answered")
        self.pass_time(PING_SECONDS)
        self.assertEqual(self.reactor.processes[0].signals[:1], ["KILL"])

    def test_certificates_are_told_to_each_process_before_it_accepts(self) -> None:
        """And to its successor, as they are then."""
        self.host.listeners = [(0, ["a.pem", "b.pem"]), (2, ["c.pem"])]
        self.start()
        wanted = [
            "certificate a.pem of 0",
            "certificate b.pem of 0, the last",
            "certificate c.pem of 2, the last",
        ]
        self.assertEqual(self.told(0)[1:4], wanted)
        self.assertEqual(self.told(1)[1:4], wanted)
        self.host.listeners = [(0, ["new.pem"])]
        self.reactor.processes[0].end(9)
        self.pass_time(FIRST)
        self.assertEqual(self.told(2)[1], "certificate new.pem of 0, the last")

    def test_new_certificates_go_to_all_and_the_same_problem_of_all_is_told_once(self) -> None:
        """At a reload."""
        self.start()
        self.host.listeners = [(0, ["good.pem", "bad.pem"])]
        done = Deferred.fromCoroutine(self.workers.certify())
        for _ in range(5):
            self.reactor.deliver()
        self.assertEqual(self.successResultOf(done), ["bad.pem is refused"])
        for worker in (0, 1):
            self.assertEqual(
                self.told(worker)[-2:], ["certificate good.pem of 0", "certificate bad.pem of 0, the last"]
            )

    def test_a_process_that_refuses_its_first_certificate_cannot_serve(self) -> None:
        self.start()
        self.host.listeners = [(0, ["bad.pem"])]
        self.reactor.processes[1].end(9)
        self.pass_time(FIRST)
        self.reactor.deliver()
        self.assertEqual(self.reactor.processes[2].signals, ["KILL"])
        self.assertEqual((self.given_up, self.reactor.processes[0].signals), ([], []))
