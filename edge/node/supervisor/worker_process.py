"""One position for a worker (worker 0, worker 1, ...), with whatever process fills it at the moment.

A :class:`WorkerSlot` spawns the process with the inherited descriptors (:mod:`edge.node.process.control`),
relays the lines that the process logs, pings it, and replaces it when it dies.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from edge.confinement.confine import Confined
from edge.errors import plain
from edge.node.process import control
from edge.node.process.imports import own_environment
from edge.node.process.signals import signals_held_back
from edge.node.supervisor.backoff import Backoff
from edge.node.supervisor.patience import Patience
from edge.node.supervisor.worker_control import WorkerControl
from edge.node.supervisor.worker_output import WorkerOutput, how_it_ended
from edge.node.supervisor.worker_state import WorkerEvent, WorkerLife, WorkerState

if TYPE_CHECKING:
    from edge.node.supervisor.worker_host import WorkerHost

#: Seconds between two pings, and how long an answer may take before the worker counts as hung.
PING_SECONDS = 5.0
HUNG_SECONDS = 30.0
#: Seconds after the end of a drain until the worker is killed.
GRACE_SECONDS = 2.0


class SlotOwner(Protocol):
    """The pool that a slot belongs to: told what becomes of the slot's process."""

    def started(self, slot: WorkerSlot, fast_path: str) -> None:
        """The process is prepared to accept."""

    def refused(self, slot: WorkerSlot, why: str) -> None:
        """The process cannot serve; called before it ends."""

    def gone(self, slot: WorkerSlot) -> None:
        """The process has ended; called before it is replaced."""


class WorkerSlot:
    """One position for a worker: its process, and the successors of that; *owner* is told of both."""

    _log = Logger()

    def __init__(self, index: int, host: WorkerHost, owner: SlotOwner, reactor: Any) -> None:
        self.index = index
        self.life = WorkerLife()
        self.restarts = 0
        self.pid: int | None = None
        #: What the process has given up, as it says.
        self.confined = Confined()
        self._host = host
        self._owner = owner
        self._reactor = reactor
        self._backoff = Backoff()
        self._began = 0.0
        self._has_served = False
        self._process: Any = None
        self._talk: WorkerControl | None = None
        self._calls: set[Any] = set()
        self._pinging = LoopingCall(self._ping)
        self._pinging.clock = reactor

    def start(self) -> None:
        """Spawn the process and give it its settings."""
        ours, theirs = socket.socketpair()
        null = os.open(os.devnull, os.O_RDONLY)
        fds: dict[int, int | str] = {0: null, 1: 1, 2: "r", control.CONTROL_FD: theirs.fileno()}
        for number, fd in enumerate(self._host.descriptors_for(self.index), control.TABLE_FD):
            fds[number] = fd
        try:
            with signals_held_back():
                process = self._reactor.spawnProcess(
                    WorkerOutput(self.relay, self.ended),
                    sys.executable,
                    [sys.executable, "-m", "edge.node.worker"],
                    env=own_environment(),
                    childFDs=fds,
                )
        except OSError as error:  # no process or no memory to be had now
            ours.close()
            delay = max(self._backoff.next_delay(0.0), 1.0)
            self._log.error(
                "worker {index} cannot be started ({why}); trying again in {delay:g} s",
                index=self.index,
                why=error.strerror,
                delay=delay,
            )
            self.life.happens(WorkerEvent.NOT_SPAWNED)
            self._later(delay, self.start)
            return
        finally:
            theirs.close()
            os.close(null)
        self.life.happens(WorkerEvent.SPAWNED)
        self._process, self.pid, self._began = process, process.pid, self._reactor.seconds()
        talk = self._talk = WorkerControl(self._host, self.index, self._reactor)
        ours.setblocking(False)
        self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, Factory.forProtocol(lambda: talk))
        ours.close()
        started = talk.callRemote(
            control.Start, settings=self._host.encoded_settings(self.index, self._has_served)
        )
        started.addCallbacks(self._started, self._start_failed, callbackArgs=(talk,))
        Deferred.fromCoroutine(self._certify_first())
        self.take_ticket_keys()
        self.take_users()
        self.tell_groups(self._host.group_news())
        self._pinging.start(PING_SECONDS, now=False)

    def accept(self, ready: bool) -> None:
        """Have the worker, once it is prepared, accept connections; *ready*: the site is published."""
        event = WorkerEvent.PUBLISHED if ready else WorkerEvent.OPENED
        if self._talk is not None and self.life.knows(event):
            self.life.happens(event)
            self._quietly(self._talk.callRemote(control.Accept, ready=ready))

    async def certify(self) -> list[str]:
        """Give the worker the certificates of its TLS listeners; sentences about those that it refuses."""
        talk, problems = self._talk, []
        if talk is None:
            return []
        calls = [
            talk.callRemote(
                control.Certificate, listener=number, last=one is credentials[-1], **one._asdict()
            )
            for number, credentials in self._host.credentials()
            for one in credentials
        ]
        for call in calls:
            try:
                await call
            except control.Refused as refusal:
                problems.append(str(refusal))
            except (ConnectionDone, ConnectionLost):
                break  # it has ended, and says so by that
        return problems

    async def _certify_first(self) -> None:
        """The same for a process that has just been started: without them it cannot serve."""
        for problem in await self.certify():
            self._start_failed(Failure(control.Refused(problem)))

    def take_ticket_keys(self) -> None:
        """Have the worker, if there is one, use the present keys of session tickets."""
        if self._talk is not None:
            keys = self._host.packed_ticket_keys()
            self._quietly(self._talk.callRemote(control.TicketKeys, keys=keys))

    def take_users(self) -> None:
        """Have the worker, if there is one, know the present users."""
        if self._talk is None:
            return
        packed, size = self._host.packed_users(), control.USERS_PIECE
        for at in range(0, len(packed), size):
            last = at + size >= len(packed)
            self._quietly(self._talk.callRemote(control.Users, piece=packed[at : at + size], last=last))

    def refill(self, application: str, name: bytes, token: int) -> bool:
        """Have the worker ask the clean question of a key; False: it does not serve."""
        if self._talk is None or not self._has_served or self.life.state is not WorkerState.READY:
            return False
        self._quietly(self._talk.callRemote(control.Refill, application=application, name=name, token=token))
        return True

    def tell_groups(self, news: bytes) -> None:
        """Tell the worker, if there is one, of changes of cache groups."""
        if self._talk is not None and news:
            self._quietly(self._talk.callRemote(control.TellGroups, news=news))

    def replace(self, seconds: float) -> bool:
        """Drain the worker and start another with the present settings; False: there is none."""
        if not self.life.knows(WorkerEvent.TO_BE_REPLACED):
            return False
        self.life.happens(WorkerEvent.TO_BE_REPLACED)
        self._end_within(seconds)
        return True

    def drain(self, seconds: float) -> None:
        """Have the worker finish within *seconds* and exit; it is not replaced."""
        self._cancel_calls()
        self.life.happens(WorkerEvent.TOLD_TO_DRAIN)
        if self.running:
            self._end_within(seconds)

    def _end_within(self, seconds: float) -> None:
        if self._talk is not None:
            self._quietly(self._talk.callRemote(control.Drain, seconds=seconds))
        self._later(seconds + GRACE_SECONDS, self.kill)

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.pid:
            self._process.signalProcess("KILL")

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    # What the process and its connection report

    def relay(self, line: bytes) -> None:
        """Log one line of the worker's."""
        self._log.info(
            "worker {index}: {line}", index=self.index, line=plain(line.decode("utf-8", "backslashreplace"))
        )

    def ended(self, reason: Failure) -> None:
        """The process is gone: say how, and replace it."""
        lived = self._reactor.seconds() - self._began
        pid, self._process, self._talk, self.pid = self.pid, None, None, None
        if self._pinging.running:
            self._pinging.stop()
        self._cancel_calls()
        before = self.life.state
        self.life.happens(WorkerEvent.ENDED)
        if before in (WorkerState.DRAINING, WorkerState.REPLACED):
            self._owner.gone(self)
            if before is WorkerState.REPLACED:
                self.start()
            return
        delay = self._backoff.next_delay(lived)
        self._log.error(
            "worker {index} (pid {pid}) {how} after {lived:.1f} s; starting another{when}",
            index=self.index,
            pid=pid,
            how=how_it_ended(reason),
            lived=lived,
            when=f" in {delay:g} s" if delay else "",
        )
        self.restarts += 1
        self._owner.gone(self)
        self._later(delay, self.start)

    def _started(self, answer: dict[str, Any], talk: WorkerControl) -> None:
        if talk is not self._talk:
            return  # the last words of a process that has ended since
        self._has_served = True
        self.life.happens(WorkerEvent.PREPARED)
        self.confined = msgspec.json.decode(answer["confined"], type=Confined)
        for missing in self.confined.missing if self.index == 0 else ():  # they are all alike
            self._log.warn("workers are less confined than they could be: {missing}", missing=missing)
        self._owner.started(self, answer["fast_path"])

    def _start_failed(self, reason: Failure) -> None:
        if self.running and self.life.state is not WorkerState.DRAINING:
            if reason.check(control.Refused):
                self._owner.refused(self, reason.getErrorMessage())
            self.kill()

    def _ping(self) -> None:
        talk = self._talk
        if talk is None or self.life.state in (WorkerState.DRAINING, WorkerState.REPLACED):
            return
        answered = talk.callRemote(control.Ping)
        now = self._reactor.seconds()
        self._later(HUNG_SECONDS, self._look, answered, Patience(HUNG_SECONDS, self.pid or 0, now))

    def _look(self, answered: Deferred[Any], patience: Patience) -> None:
        """Kill the process if it still owes *answered*, and has had its time."""
        if answered.called:
            return
        if left := patience.left(self._reactor.seconds()):
            self._later(left, self._look, answered, patience)
            return
        self._log.error(
            "worker {index} (pid {pid}) has not answered for {seconds:g} s: killing it",
            index=self.index,
            pid=self.pid,
            seconds=HUNG_SECONDS,
        )
        self.kill()

    def _cancel_calls(self) -> None:
        for call in self._calls:
            if call.active():
                call.cancel()
        self._calls.clear()

    def _later(self, delay: float, what: Any, *arguments: Any) -> Any:
        self._calls = {call for call in self._calls if call.active()}
        call = self._reactor.callLater(delay, what, *arguments)
        self._calls.add(call)
        return call

    def _quietly(self, call: Deferred[Any]) -> None:
        """A worker that ends before it answers has said so by ending."""
        call.addErrback(lambda _: None)
