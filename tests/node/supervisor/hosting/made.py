"""Processes of applications, spawned by a reactor that spawns nothing."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from edge.app.hosting import control


class Transport(StringTransport):
    """A control connection that notes which descriptors were sent."""

    def __init__(self) -> None:
        super().__init__()
        self.descriptors: list[int] = []

    def sendFileDescriptor(self, descriptor: int) -> None:
        """As Twisted has it."""
        self.descriptors.append(descriptor)


class Process:
    """A process that does what a test says."""

    def __init__(self, pid: int, protocol: Any) -> None:
        self.pid: int | None = pid
        self.protocol = protocol
        self.control: Any = None
        self.transport = Transport()
        self.signals: list[str] = []

    def signalProcess(self, name: str) -> None:
        """As Twisted has it."""
        self.signals.append(name)

    def says(self, kind: int, *elements: int | bytes) -> None:
        """It says something over its control connection."""
        self.control.dataReceived(control.frame(kind, *elements))

    def told(self) -> list[tuple[int, list[object]]]:
        """What it was told since the last time."""
        data = self.transport.value()
        self.transport.clear()
        return control.Messages().receive(data)

    def ends(self, signal: int | None = None, code: int = 0) -> None:
        """It is gone."""
        is_done = signal is None and not code
        reason = ProcessDone(0) if is_done else ProcessTerminated(exitCode=code or None, signal=signal)  # type: ignore[arg-type]
        self.pid = None
        self.protocol.processExited(Failure(reason))
        self.control.connectionLost(Failure(ProcessDone(0)))


class Reactor(Clock):
    """Time and processes."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Process] = []
        self.fails: OSError | None = None
        #: The next process ends before spawnProcess has returned.
        self.ends_at_once = False

    def spawnProcess(self, protocol: Any, program: str, arguments: Any, **more: Any) -> Process:
        """As Twisted has it."""
        if self.fails is not None:
            raise self.fails
        process = Process(900_000 + len(self.processes), protocol)
        self.processes.append(process)
        if self.ends_at_once:
            process.pid = None
            protocol.processExited(Failure(ProcessTerminated(exitCode=1)))  # type: ignore[call-arg]
        return process

    def adoptStreamConnection(self, fd: int, family: socket.AddressFamily, factory: Any) -> None:
        """Join the control connection to the process that was spawned last."""
        process = self.processes[-1]
        process.control = factory.buildProtocol(None)
        process.control.makeConnection(process.transport)
        if self.ends_at_once:
            process.control.connectionLost(Failure(ProcessDone(0)))
