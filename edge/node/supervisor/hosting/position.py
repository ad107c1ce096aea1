"""One position for a process of an application, with whatever process fills it at the moment.

A process that died is replaced, ever later if that happens again and again.  One that is to be replaced - by
``edgectl app reload``, because it has grown too large, or because its threads hang - goes on until its
successor is ready; if that cannot be, it stays.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.errors import ConfigError, NotConnected
from edge.node.supervisor.backoff import Backoff
from edge.node.supervisor.hosting.memory import resident_bytes
from edge.node.supervisor.hosting.process import ApplicationProcess

if TYPE_CHECKING:
    from edge.config.applications import Application
    from edge.node.supervisor.directories import User

#: Seconds until a process has to be ready.
START_SECONDS = 60.0
#: Seconds between two replacements of processes that hang or have grown: more often helps nobody.
PAUSE_SECONDS = 60.0
#: Seconds that a process has for what runs when its successor is ready.
DRAIN_SECONDS = 30.0


class Position:
    """Position *number* of *application*."""

    _log = Logger()

    def __init__(self, application: Application, number: int, user: User, reactor: Any) -> None:
        self.application = application
        self.number = number
        #: Processes that had to be started in place of one that died.
        self.restarts = 0
        #: Why the last one could not be loaded; "": it could.
        self.problem = ""
        self._user = user
        self._reactor = reactor
        self._backoff = Backoff()
        #: The one that answers; the one that is to; those that finish what they have begun.
        self.current: ApplicationProcess | None = None
        self.coming: ApplicationProcess | None = None
        self._leaving: set[ApplicationProcess] = set()
        self._start: Any = None
        #: When a process that hangs or has grown may be replaced next.
        self._replaces_at = reactor.seconds()
        self._is_ending = False
        #: Who waits for a process that is ready; who waits for the end of a replacement.
        self._waiting: list[Deferred[None]] = []
        self._replaced: list[Deferred[str]] = []
        self._ended: list[Deferred[None]] = []

    @property
    def name(self) -> str:
        """For the log."""
        application = self.application
        return application.name if application.processes == 1 else f"{application.name}/{self.number}"

    @property
    def processes(self) -> list[ApplicationProcess]:
        """All that there are."""
        return [one for one in (self.current, self.coming, *self._leaving) if one is not None]

    @property
    def state(self) -> str:
        """ready, starting, waiting (to be started again) or stopped."""
        if self.current is not None:
            return "ready"
        if self.coming is not None:
            return "starting"
        return "stopped" if self._is_ending else "waiting"

    def start(self) -> None:
        """Start a process, which takes over when it is ready."""
        self._start = None
        if self._is_ending or self.coming is not None:
            return
        process = ApplicationProcess(self.application, self, self._user, self._reactor)
        try:
            process.spawn()
        except (ConfigError, OSError) as error:
            why = f"no process can be had: {error.strerror}" if isinstance(error, OSError) else str(error)
            self._not_started(why, 0.0)
            return
        self.coming = process
        self._reactor.callLater(START_SECONDS, self._give_up, process)

    async def connect(self) -> int:
        """The descriptor of a new connection to the process, once it is ready."""
        while self.current is None:
            if self._is_ending:
                raise NotConnected(f"{self.application.name}: it is about to end")
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        return self.current.connect()

    def replace(self) -> Deferred[str]:
        """Have another process take over; fires with why it did not, "" if it did."""
        replaced: Deferred[str] = Deferred()
        self._replaced.append(replaced)
        if self._is_ending:
            self._tell_replaced("the node is about to end")
        elif self.coming is None:
            self._cancel_start()
            self.start()
        return replaced

    def drain(self, seconds: float) -> Deferred[None]:
        """End all processes within *seconds*; fires when they have."""
        self._is_ending = True
        self._cancel_start()
        ended: Deferred[None] = Deferred()
        self._ended.append(ended)
        if self.coming is not None:
            self.coming.kill()
        for process in (self.current, *self._leaving):
            if process is not None:
                process.drain(seconds)
        self._tell_waiting()
        self._tell_ended()
        return ended

    def kill(self) -> None:
        """End all processes at once."""
        self._is_ending = True
        self._cancel_start()
        for process in self.processes:
            process.kill()

    def look(self) -> None:
        """Look after the process that answers: is it alive, too large, stuck?  Call it every few seconds."""
        process = self.current
        if process is None:
            return
        application = self.application
        now = self._reactor.seconds()
        limit = application.memory_mib << 20
        size = resident_bytes(process.pid) if limit and process.pid else 0
        if not process.patience.left(now):
            self._kill(process, f"has not turned to the node for {now - process.heard:.0f} s, and is killed")
        elif limit and size > 2 * limit:
            self._kill(process, f"has {size >> 20} MiB, twice what memory-mib allows, and is killed")
        elif process.kind == "wsgi" and process.stuck >= application.threads:
            self._replace(f"all {application.threads} threads hang; another process takes over")
        elif limit and size > limit:
            self._replace(f"has {size >> 20} MiB, more than memory-mib = {application.memory_mib}; "
                          "another process takes over")  # fmt: skip
        process.ping()

    def _kill(self, process: ApplicationProcess, why: str) -> None:
        self._log.error("app {name}: {why}", name=self.name, why=f"process {process.pid} {why}")
        process.kill()

    def _replace(self, why: str) -> None:
        now = self._reactor.seconds()
        if self.coming is None and self._start is None and now >= self._replaces_at:
            self._replaces_at = now + PAUSE_SECONDS
            self._log.warn("app {name}: {why}", name=self.name, why=why)
            self.start()

    # As edge.node.supervisor.hosting.process.Owner has it

    def is_ready(self, process: ApplicationProcess) -> None:
        """It takes over."""
        if process is not self.coming:
            return
        self.coming, former, self.current = None, self.current, process
        self.problem = ""
        self._log.info(
            "app {name}: {kind} application ready (pid {pid})",
            name=self.name,
            kind=process.kind,
            pid=process.pid,
        )
        if former is not None:
            self._leaving.add(former)
            former.drain(DRAIN_SECONDS)
        self._tell_waiting()
        self._tell_replaced("")

    def has_failed(self, process: ApplicationProcess, sentence: str) -> None:
        """It cannot be loaded."""
        self.problem = sentence

    def has_ended(self, process: ApplicationProcess, how: str) -> None:
        """Have another one take its place, if it is missed."""
        lived = self._reactor.seconds() - process.began
        if process in self._leaving:
            self._leaving.discard(process)
        elif process is self.coming:
            self.coming = None
            self._not_started(self.problem or f"{how} before it was ready", lived)
        elif process is self.current:
            self.current = None
            if not self._is_ending:
                self.restarts += 1
                self._start_again(f"{how} after {lived:.1f} s", lived)
        self._tell_ended()

    def wrote(self, line: str) -> None:
        """A line of the application's own."""
        self._log.info("app {name}: {line}", name=self.name, line=line)

    # Inside

    def _give_up(self, process: ApplicationProcess) -> None:
        if process is self.coming:
            self.problem = f"it was not ready within {START_SECONDS:g} s"
            process.kill()

    def _not_started(self, why: str, lived: float) -> None:
        """There is no successor."""
        self.problem = why
        if self._is_ending:
            self._tell_replaced("the node is about to end")
        elif self.current is not None:
            self._log.error("app {name}: {why}; the process before goes on", name=self.name, why=why)
            self._tell_replaced(f"{self.name}: {why}; the process before goes on")
        else:
            self._start_again(why, lived)
            self._tell_replaced(f"{self.name}: {why}")

    def _start_again(self, why: str, lived: float) -> None:
        if self.coming is not None:
            return
        delay = self._backoff.next_delay(lived)
        self._log.error(
            "app {name}: {why}; starting again{when}",
            name=self.name,
            why=why,
            when=f" in {delay:g} s" if delay else "",
        )
        self._start = self._reactor.callLater(delay, self.start)

    def _cancel_start(self) -> None:
        if self._start is not None and self._start.active():
            self._start.cancel()
        self._start = None

    def _tell_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def _tell_replaced(self, why_not: str) -> None:
        replaced, self._replaced = self._replaced, []
        for one in replaced:
            one.callback(why_not)

    def _tell_ended(self) -> None:
        if self._is_ending and not self.processes:
            ended, self._ended = self._ended, []
            for one in ended:
                one.callback(None)
