"""One process of an application: spawned, connected to workers, drained, ended.

It leads a group of processes of its own, which ends with it, and whatever it forked keeps no connection of a
worker open: each is shut down here.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IProcessProtocol
from twisted.internet.protocol import Factory, ProcessProtocol, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from zope.interface import implementer

import edge
from edge.app.hosting import control
from edge.app.messages import Malformed
from edge.errors import ConfigError, plain
from edge.node.process.signals import signals_held_back
from edge.node.supervisor.directories import SAME_USER, User
from edge.node.supervisor.hosting.output import Output
from edge.node.supervisor.patience import Patience
from edge.node.supervisor.worker_output import how_it_ended

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.config.applications import Application

#: Seconds without a word after which a process counts as hung, if its ``timeout-seconds`` are not more.
HUNG_SECONDS = 15.0
#: Seconds after the end of a drain until the process is killed.
GRACE_SECONDS = 2.0
#: Seconds for which the last words of a process that has ended are waited for.
LAST_WORDS_SECONDS = 1.0
#: What the service manager told this node is not for others.
_OURS = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


class Owner(Protocol):
    """Who is told what becomes of a process."""

    def is_ready(self, process: ApplicationProcess) -> None:
        """The application is loaded."""

    def has_failed(self, process: ApplicationProcess, sentence: str) -> None:
        """The application cannot be loaded; the process ends."""

    def has_ended(self, process: ApplicationProcess, how: str) -> None:
        """The process is gone."""

    def wrote(self, line: str) -> None:
        """The process has written *line*."""


class ApplicationProcess:
    """One process of *application*; *owner* is told what becomes of it."""

    def __init__(self, application: Application, owner: Owner, user: User, reactor: Any) -> None:
        self.pid: int | None = None
        self.is_ready = False
        #: What it was recognised as: wsgi, asgi or twisted.web; "": not known yet.
        self.kind = ""
        #: Exchanges that are not over, and those that it works on although nobody waits any more.
        self.running = self.stuck = 0
        self.began = reactor.seconds()
        #: When it was heard last.
        self.heard = self.began
        self._silence = max(HUNG_SECONDS, application.timeout_seconds)
        #: For its next word.
        self.patience = Patience(self._silence, 0, self.began)
        self._application = application
        self._owner = owner
        self._user = user
        self._reactor = reactor
        self._process: Any = None
        self._control: _Control | None = None
        self._is_draining = False
        self._kills: Any = None
        #: How it ended, until that is told; and until when its last words may come.
        self._how = ""
        self._reading: Any = None
        #: The application's ends of the connections of workers.
        self._ends: list[socket.socket] = []

    def spawn(self) -> None:
        """Start it.

        :class:`~edge.errors.ConfigError`: its interpreter or folder is not there.  :exc:`OSError`: there is
        no process or no memory to be had now.
        """
        application = self._application
        check_places(application)
        specification = {"run": application.run, "folder": application.folder, "threads": application.threads}
        ours, theirs = socket.socketpair()
        null = os.open(os.devnull, os.O_RDONLY)
        try:
            with signals_held_back():
                self._process = self._reactor.spawnProcess(
                    _Output(self),
                    interpreter(application),
                    [interpreter(application), start_script(), json.dumps(specification)],
                    env=environment(application),
                    path=application.folder or None,
                    uid=None if self._user == SAME_USER else self._user.uid,
                    gid=None if self._user == SAME_USER else self._user.gid,
                    childFDs={0: null, 1: "r", 2: "r", control.CONTROL_FD: theirs.fileno()},
                )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(null)
        self.pid = self._process.pid
        told = self._control = _Control(self)
        ours.setblocking(False)
        self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, Factory.forProtocol(lambda: told))
        ours.close()

    def connect(self) -> int:
        """The descriptor of a worker's end of a new connection, for the caller to close."""
        assert self._control is not None
        self._forget_closed()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self._ends.append(theirs)
        self._control.send_descriptor(theirs.fileno())
        return ours.detach()

    def ping(self) -> None:
        """Have it say that it is alive, and how it is."""
        if self._control is not None:
            self._control.send(control.frame(control.PING))

    def drain(self, seconds: float) -> None:
        """Have it finish what runs within *seconds*, and end."""
        if self._is_draining or self._control is None:
            return
        self._is_draining = True
        self._control.send(control.frame(control.DRAIN, int(seconds * 1000)))
        self._kills = self._reactor.callLater(seconds + GRACE_SECONDS, self.kill)

    def kill(self) -> None:
        """End it at once, and what it forked."""
        if self._process is not None and self._process.pid:
            _kill_group(self._process.pid)
            with contextlib.suppress(Exception):  # it has ended already
                self._process.signalProcess("KILL")

    def _forget_closed(self) -> None:
        """Close our part of connections that a worker has closed."""
        left = []
        for end in self._ends:
            try:
                is_over = end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                is_over = False
            except OSError:
                is_over = True
            if is_over:
                end.close()
            else:
                left.append(end)
        self._ends = left

    # What it says, and its end

    def took(self, kind: int, elements: list[Any]) -> None:
        """It said something over the control connection."""
        self.heard = self._reactor.seconds()
        self.patience = Patience(self._silence, self.pid or 0, self.heard)
        if kind == control.READY and not self.is_ready:
            self.is_ready, self.kind = True, elements[0].decode()
            self._owner.is_ready(self)
        elif kind == control.FAILED:
            self._owner.has_failed(self, plain(elements[0].decode("utf-8", "replace")))
        elif kind == control.FIGURES:
            self.running, self.stuck = elements

    def wrote(self, line: str) -> None:
        """It has written a line."""
        self._owner.wrote(plain(line))

    def exited(self, reason: Failure) -> None:
        """It has ended: so do its group and its connections.  What it said last may still have to be read."""
        pid, self._process, self.pid = self.pid, None, None
        if self._kills is not None and self._kills.active():
            self._kills.cancel()
        if pid:
            _kill_group(pid)
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends = []
        self._how = how_it_ended(reason)
        if self._control is None:
            self._tell_ended()
        else:
            self._reading = self._reactor.callLater(LAST_WORDS_SECONDS, self._tell_ended)

    def said_all(self) -> None:
        """The control connection has ended: with the process, or because that has closed it."""
        self._control = None
        if self._how:
            self._tell_ended()
        else:
            self.kill()

    def _tell_ended(self) -> None:
        self._control = None
        if self._reading is not None and self._reading.active():
            self._reading.cancel()
        how, self._how = self._how, ""
        if how:
            self._owner.has_ended(self, how)

    def later(self, call: Any, *arguments: Any) -> None:
        """Call in the next turn of the reactor."""
        self._reactor.callLater(0, call, *arguments)

    def seconds(self) -> float:
        """The time."""
        return float(self._reactor.seconds())


class _Control(TwistedProtocol):
    """The supervisor's end of the control connection."""

    def __init__(self, process: ApplicationProcess) -> None:
        self._process = process
        self._messages = control.Messages()

    def send(self, frame: bytes) -> None:
        """Send *frame*."""
        if self.connected:
            self._transport.write(frame)

    def send_descriptor(self, descriptor: int) -> None:
        """Send *descriptor*, which stays open until it has left."""
        if self.connected:
            self._transport.sendFileDescriptor(descriptor)
            self._transport.write(control.frame(control.CONNECTION))

    # Twisted's overrides

    def connectionMade(self) -> None:
        self._transport: Any = self.transport

    def dataReceived(self, data: bytes) -> None:
        try:
            for kind, elements in self._messages.receive(data):
                self._process.took(kind, elements)
        except (Malformed, ValueError, IndexError, AttributeError, TypeError):
            self._process.wrote("what it says on descriptor 3 is not understood: that one is the node's")
            self._process.kill()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._process.said_all()


@implementer(IProcessProtocol)
class _Output(ProcessProtocol):
    """What the process writes, and its end."""

    def __init__(self, process: ApplicationProcess) -> None:
        self._process = process
        self._streams = {fd: Output(process.wrote, process.seconds) for fd in (1, 2)}

    # Twisted's overrides

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._streams[childFD].receive(data)

    def childConnectionLost(self, childFD: int) -> None:
        self._streams[childFD].end()

    def processExited(self, reason: Failure) -> None:
        # Not processEnded, which waits for whoever has inherited the streams.  And not at once: a process
        # that ended already is told of before spawnProcess has returned.
        self._process.later(self._process.exited, reason)


def interpreter(application: Application) -> str:
    """The Python that runs *application*."""
    return application.python or sys.executable


def check_places(application: Application) -> None:
    """:class:`~edge.errors.ConfigError` if the interpreter or the folder of *application* is not there."""
    program = interpreter(application)
    if not (os.path.isfile(program) and os.access(program, os.X_OK)):
        raise ConfigError(
            f"{program}: there is no such interpreter; make the environment, or name another python"
        )
    if application.folder and not os.path.isdir(application.folder):
        what = "this is a file" if os.path.exists(application.folder) else "there is no such directory"
        raise ConfigError(f"{application.folder}: {what}; name the directory of the modules as folder")


def start_script() -> str:
    """The program of its processes, which any Python can run."""
    return os.path.join(os.path.dirname(os.path.abspath(edge.__file__)), "app", "hosting", "start.py")


def environment(application: Application) -> dict[str, str]:
    """The environment of its processes."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
    return {**inherited, "PYTHONUNBUFFERED": "1", **dict(application.environment)}


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
