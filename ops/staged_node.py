"""One node of the staging cluster: its process, started, started again, killed or slowed down."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ops.slowness import Slowness

#: Seconds until a node that died is started again: the kernel has its ports free by then.
RESTART_SECONDS = 0.5
#: The nodes run this checkout, also where nothing is installed.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(
        filter(None, [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")])
    ),
}


class Node(ProcessProtocol):
    """A supervised node: its process, and the next one when that dies."""

    def __init__(
        self,
        name: str,
        port: int,
        command: Sequence[str],
        reactor: Any,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """*more*: variables of its environment, beside ours."""
        self.name = name
        self.port = port
        #: None while there is no process.
        self.pid: int | None = None
        self.was_ready = False
        #: Fires when the node has ended for good.
        self.ended: Deferred[None] = Deferred()
        self._command = command
        self._environment = ENVIRONMENT | dict(more or {})
        self._reactor = reactor
        self._process: Any = None
        self._partial = b""
        self._stopping = False
        #: Whether it stays away when its process has ended, until it is brought back.
        self._held = False
        self._slowness = Slowness(reactor)

    @property
    def condition(self) -> str:
        """How it is, in a word: up, slow, killed, or starting (again)."""
        if self._held:
            return "killed"
        if self._process is None:
            return "starting"
        return "slow" if self._slowness.pid is not None else "up"

    def start(self) -> None:
        """Start the process, in a session of its own: Ctrl-C in the terminal is for us alone.

        It ends with us, however we end (PR_SET_PDEATHSIG).
        """
        command = [*_prefix("setpriv", "--pdeathsig=TERM"), *_prefix("setsid"), *self._command]
        null = os.open(os.devnull, os.O_RDONLY)
        try:
            fds = {0: null, 1: "r", 2: "r"}
            self._process = self._reactor.spawnProcess(
                self, command[0], command, self._environment, childFDs=fds
            )
        finally:
            os.close(null)
        self.pid = self._process.pid

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process for good, by the signal *number*."""
        self._stopping = True
        self._slowness.end()
        if self._process is not None:
            self._process.signalProcess(number)
        elif not self.ended.called:
            self.ended.callback(None)

    def kill(self) -> None:
        """Kill the process, and start no other before :meth:`bring_back`."""
        self._held = True
        self._slowness.end()
        if self._process is not None:
            with contextlib.suppress(ProcessExitedAlready):
                self._process.signalProcess(signal.SIGKILL)

    def bring_back(self) -> None:
        """Have it run as ever: not slow, and started if it was killed."""
        self._slowness.end()
        if self._held:
            self._held = False
            if self._process is None and not self._stopping:
                self.start()

    def slow_down(self) -> None:
        """Let what works for it run a tenth of the time."""
        if self.pid is not None:
            self._slowness.begin(self.pid)

    def say(self, text: str) -> None:
        """Print a line with the node's name before it."""
        print(f"{self.name} | {text}", flush=True)

    # Twisted's overrides

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self.say(line.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        if self._partial:
            self.childDataReceived(1, b"\n")
        pid, self._process, self.pid = self.pid, None, None
        self._slowness.end()
        if self._held and not self._stopping:
            self.say(f"[staging] process {pid} {_how(reason)}, at the push of a button: it stays away")
        elif self._stopping or not self.was_ready:
            if not self._stopping:
                self.say(f"[staging] process {pid} {_how(reason)} before it was ready")
            self.ended.callback(None)
        else:
            self.say(f"[staging] process {pid} {_how(reason)}: starting another")
            self._reactor.callLater(RESTART_SECONDS, self._start_again)

    def _start_again(self) -> None:
        if not self._stopping and not self._held and self._process is None:
            self.start()


def _prefix(program: str, *options: str) -> list[str]:
    """*program* as what runs a command behind it; nothing, where there is no such program."""
    path = shutil.which(program)
    return [path, *options] if path else []


def _how(reason: Failure) -> str:
    """How a process ended, in words."""
    number = getattr(reason.value, "signal", None)
    if number is not None:
        return f"was killed by {signal.Signals(number).name}"
    return f"exited with code {getattr(reason.value, 'exitCode', 0)}"
