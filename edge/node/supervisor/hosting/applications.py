"""All applications of a node: those that it runs, and those that are somewhere already."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from edge.errors import EdgeError, NotConnected
from edge.node.process.daemon_threads import in_daemon_thread
from edge.node.supervisor.hosting.connecting import connect
from edge.node.supervisor.hosting.memory import processor_seconds, resident_bytes
from edge.node.supervisor.hosting.position import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config.applications import Application
    from edge.node.supervisor.directories import User

#: Seconds between two looks at a process.
LOOK_SECONDS = 5.0
#: Connections to applications elsewhere that are made at once.
CONNECTS = 32


class NoSuchApplication(EdgeError):
    """There is no application of that name, or none that is run here."""


class Applications:
    """The *applications* of a node; their processes become *user*."""

    _log = Logger()

    def __init__(self, applications: Sequence[Application], user: User, reactor: Any) -> None:
        self._applications = {application.name: application for application in applications}
        self._positions = {
            application.name: [
                Position(application, number, user, reactor) for number in range(application.processes)
            ]
            for application in applications
            if application.is_hosted
        }
        self._reactor = reactor
        #: Connections take their time, and names have to be looked up.
        self._connects = DeferredSemaphore(CONNECTS)
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def start(self) -> None:
        """Start the processes."""
        if self._applications:
            self._looking.start(LOOK_SECONDS, now=False)
        for position in self._all():
            position.start()

    async def drain(self, seconds: float) -> None:
        """End them within *seconds*: nobody asks any more."""
        for ended in [position.drain(seconds) for position in self._all()]:
            await ended

    def stop(self) -> None:
        """End all at once."""
        for position in self._all():
            position.kill()
        if self._looking.running:
            self._looking.stop()

    async def connect(self, name: str, number: int) -> int:
        """The descriptor of a new connection to place *number* of application *name*, for the caller.

        Of one that is run here it comes when the process is ready.  :class:`NotConnected` says why there is
        none.
        """
        application = self._applications.get(name)
        if application is None:
            raise NotConnected(f"{name}: there is no application of that name")
        places: Sequence[object] = self._positions.get(name) or application.targets
        if not 0 <= number < len(places):
            raise NotConnected(f"{name}: it has no place {number}")
        if application.is_hosted:
            return await self._positions[name][number].connect()
        target = application.targets[number]
        made: Deferred[int] = self._connects.run(in_daemon_thread, self._reactor, connect, target)
        return await made

    async def reload(self, name: str) -> tuple[int, list[str]]:
        """Replace the processes of application *name*: how many were, and sentences about the others."""
        positions = self._positions.get(name)
        if positions is None:
            raise NoSuchApplication(self._why_not(name))
        self._log.info("app {name}: reloading", name=name)
        replaced = [position.replace() for position in positions]
        outcomes = [await one for one in replaced]
        return outcomes.count(""), list(dict.fromkeys(filter(None, outcomes)))

    def _why_not(self, name: str) -> str:
        if name in self._applications:
            places = ", ".join(self._applications[name].to)
            return f"{name} is not run by this node; reload it where it runs ({places})"
        known = ", ".join(self._positions) or "none"
        return f"there is no application {name}; this node runs {known}"

    def status(self, measured: bool = True) -> list[dict[str, Any]]:
        """Each application as ``GET /applications`` tells it; *measured*: with memory and processor time."""
        return [self._status(application, measured) for application in self._applications.values()]

    def _status(self, application: Application, measured: bool) -> dict[str, Any]:
        positions = self._positions.get(application.name, [])
        current = next((one.current for one in positions if one.current is not None), None)
        return {
            "name": application.name,
            "at": application.at,
            "run": application.run,
            "to": list(application.to),
            "kind": current.kind if current is not None else "",
            "processes": [_process(position, measured) for position in positions],
            "problem": next((one.problem for one in positions if one.problem), ""),
        }

    def _all(self) -> list[Position]:
        return [position for positions in self._positions.values() for position in positions]

    def _look(self) -> None:
        for position in self._all():
            position.look()


def _process(position: Position, measured: bool) -> dict[str, Any]:
    process = position.current
    pid = process.pid if process is not None else None
    return {
        "index": position.number,
        "pid": pid,
        "state": position.state,
        "restarts": position.restarts,
        "leaving": len(position.processes) - (process is not None) - (position.coming is not None),
        "running": process.running if process is not None else 0,
        "memory_bytes": resident_bytes(pid) if pid and measured else 0,
        "cpu_seconds": round(processor_seconds(pid), 2) if pid and measured else 0.0,
    }
