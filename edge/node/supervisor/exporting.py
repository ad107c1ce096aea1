"""Traces as the supervisor sees them: the rings of all workers, and the process that exports what is in them.

The rings are here as long as the node is: neither a worker nor the exporter takes spans along when it dies.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.config.traces import sdk_missing
from edge.confinement.confine import Confinement
from edge.errors import ConfigError, plain
from edge.node.exporter.told import FIRST_RING_FD, LAST_SECONDS, Told
from edge.node.process.imports import own_environment
from edge.node.process.log_memory import LogMemory
from edge.node.process.signals import signals_held_back
from edge.node.supervisor.backoff import Backoff
from edge.node.supervisor.worker_output import WorkerOutput, how_it_ended
from edge.node.telemetry.metrics import SpanFigures
from edge.traces.ring import SpanRing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.python.failure import Failure

    from edge.config import Config
    from edge.node.supervisor.directories import User

#: Seconds that the exporter has to end, beyond those in which it sends what is there.
GRACE_SECONDS = 3.0


def make_exporter(config: Config, user: User, reactor: Any) -> Exporter | None:
    """As *config* says; its process becomes *user*.  None: requests are not traced.

    :class:`~edge.errors.ConfigError`: the extra ``traces`` is not installed.
    """
    if config.traces is None:
        return None
    if problem := sdk_missing():
        raise ConfigError(problem)
    confinement = Confinement(mode=config.confinement, uid=user.uid, gid=user.gid, restricts=False)
    resource = {
        "service.name": config.traces_service,
        "service.namespace": config.cluster,
        "service.instance.id": config.node,
    }
    return Exporter(max(config.worker_count, 1), config.traces, resource, confinement, reactor)


class Exporter:
    """The exporter of a node with so many *workers*, to the collector at *url*."""

    _log = Logger()

    def __init__(
        self,
        workers: int,
        url: str,
        resource: Mapping[str, str],
        confinement: Confinement,
        reactor: Any,
    ) -> None:
        """*resource*: attributes of the node; *confinement*: what the process gives up."""
        self.url = url
        self._memories = [LogMemory.create(name="edge-spans") for _ in range(workers)]
        self._rings = [SpanRing(memory.memory) for memory in self._memories]
        self._told = msgspec.json.encode(Told(url, workers, dict(resource), confinement))
        self._reactor = reactor
        self._backoff = Backoff()
        self._began = 0.0
        self._process: Any = None
        #: It ends when this is closed.
        self._leash: socket.socket | None = None
        self._calls: list[Any] = []
        self._ended: Deferred[None] | None = None
        self._is_stopped = False

    def ring(self, worker: int) -> int:
        """The descriptor of the ring of a worker."""
        return self._memories[worker].fd

    @property
    def pid(self) -> int | None:
        """Of the process; None: there is none now."""
        return self._process.pid if self._process is not None else None

    def figures(self) -> SpanFigures:
        """The sums over all workers."""
        rings = self._rings
        return SpanFigures(
            sum(ring.written for ring in rings),
            sum(ring.dropped for ring in rings),
            sum(ring.exported for ring in rings),
            sum(ring.lost for ring in rings),
            any(ring.is_failing for ring in rings),
        )

    def check(self) -> tuple[bool, str]:
        """Whether spans arrive, and in words how many did."""
        now = self.figures()
        said = f"{now.exported} spans sent, {now.dropped + now.lost} lost"
        if self._process is None:
            return False, f"the exporter does not run; {said}"
        if now.is_failing:
            return False, f"{self.url} does not take them, the log says why; {said}"
        return True, said

    # As edge.node.supervisor.node.Part has it

    def start(self) -> None:
        """Start the process."""
        if self._is_stopped:
            return
        ours, theirs = socket.socketpair()
        fds: dict[int, int | str] = {0: theirs.fileno(), 1: "r", 2: "r"}
        fds |= {FIRST_RING_FD + number: memory.fd for number, memory in enumerate(self._memories)}
        try:
            with signals_held_back():
                self._process = self._reactor.spawnProcess(
                    WorkerOutput(self._relay, self._has_ended),
                    sys.executable,
                    [sys.executable, "-m", "edge.node.exporter", self._told.decode()],
                    env=own_environment(),
                    childFDs=fds,
                )
        except OSError as error:  # no process or no memory to be had now
            ours.close()
            delay = max(self._backoff.next_delay(0.0), 1.0)
            self._log.error(
                "traces: the exporter cannot be started ({why}); trying again in {delay:g} s",
                why=error.strerror,
                delay=delay,
            )
            self._later(delay, self.start)
            return
        finally:
            theirs.close()
        self._leash = ours
        self._began = self._reactor.seconds()

    async def drain(self) -> None:
        """Have it send what is there, and end."""
        self._is_stopped = True
        if self._process is None:
            return
        ended: Deferred[None] = Deferred()
        self._ended = ended
        self._let_go()
        self._later(LAST_SECONDS + GRACE_SECONDS, self._kill)
        await ended

    def stop(self) -> None:
        """End it at once, if it still runs."""
        self._is_stopped = True
        for call in self._calls:
            if call.active():
                call.cancel()
        self._let_go()
        self._kill()

    def _let_go(self) -> None:
        leash, self._leash = self._leash, None
        if leash is not None:
            leash.close()

    def _kill(self) -> None:
        if self._process is not None and self._process.pid:
            self._process.signalProcess("KILL")

    def _later(self, delay: float, what: Any) -> None:
        self._calls = [call for call in self._calls if call.active()]
        self._calls.append(self._reactor.callLater(delay, what))

    # What the process says, and its end

    def _relay(self, line: bytes) -> None:
        self._log.warn("traces: {line}", line=plain(line.decode("utf-8", "backslashreplace")))

    def _has_ended(self, reason: Failure) -> None:
        self._process = None
        self._let_go()
        if self._ended is not None:
            ended, self._ended = self._ended, None
            ended.callback(None)
        if self._is_stopped:
            return
        lived = self._reactor.seconds() - self._began
        delay = self._backoff.next_delay(lived)
        self._log.error(
            "traces: the exporter {how} after {lived:.1f} s; starting another{when}",
            how=how_it_ended(reason),
            lived=lived,
            when=f" in {delay:g} s" if delay else "",
        )
        self._later(delay, self.start)
