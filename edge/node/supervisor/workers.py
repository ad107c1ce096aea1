"""All workers of a node, as the supervisor sees them: processes, or itself with ``--workers 0``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.confinement.confine import Confined
from edge.errors import ConfigError
from edge.node.process.ticket_keys import unpack as unpack_ticket_keys
from edge.node.supervisor.answers import LocalFills
from edge.node.supervisor.worker_process import WorkerSlot
from edge.node.worker.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.supervisor.worker_host import WorkerHost
    from edge.table.segment import Segment


@dataclass(frozen=True)
class WorkerStatus:
    """The state of one worker, as ``/status`` tells it."""

    index: int
    #: None: there is no process now.
    pid: int | None
    state: str
    #: Processes that had to be started in place of one that died.
    restarts: int
    #: What the process has given up, as it says; None: it is the supervisor itself.
    confined: Confined | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it serves what is published."""
        return self.state == "ready"


class Workers(Protocol):
    """The workers of a node."""

    def start(self) -> None:
        """Prepare to accept."""

    def accept(self, ready: bool) -> None:
        """Accept connections; *ready*: the site is published."""

    async def drain(self, seconds: float) -> None:
        """Finish what runs, and end."""

    async def certify(self) -> list[str]:
        """Take the certificates as they are now; sentences about those that OpenSSL refuses."""

    def take_ticket_keys(self) -> None:
        """Use the present keys of session tickets."""

    def take_users(self) -> None:
        """Let the present users log in."""

    def refill(self, application: str, name: bytes, token: int) -> int | None:
        """Have one ask the clean question of a key; its number, None: none serves."""

    def tell_groups(self, news: bytes) -> None:
        """Tell all of changes of cache groups (:mod:`edge.node.process.group_news`)."""

    async def replace(self, seconds: float) -> list[str]:
        """Bring changed settings into force; sentences about what stayed as it was."""

    def status(self) -> list[WorkerStatus]:
        """The state of each worker."""

    @property
    def fast_path(self) -> str:
        """What answers from the table: native, python or off; "" as long as nothing does."""


def make_workers(
    count: int, host: WorkerHost, segment: Segment, give_up: Callable[[str], None], reactor: Any
) -> Workers:
    """*count* processes, or with 0 this one; *give_up* is told in words why none can ever serve."""
    if count:
        return WorkerProcesses(count, host, give_up, reactor)
    return InProcessWorker(host, segment, give_up, os.getpid(), reactor)


class WorkerProcesses:
    """Workers that are processes of their own; implements :class:`.worker_process.SlotOwner`."""

    _log = Logger()

    def __init__(self, count: int, host: WorkerHost, give_up: Callable[[str], None], reactor: Any) -> None:
        self._host = host
        self._give_up = give_up
        self._reactor = reactor
        self._slots = [WorkerSlot(index, host, self, reactor) for index in range(count)]
        #: What was said to :meth:`accept`; None: nothing yet.
        self._ready: bool | None = None
        self.fast_path = ""
        #: Who was asked to refill last.
        self._turn = 0
        #: Who waits for the next change of a slot.
        self._waiting: list[Deferred[None]] = []

    def start(self) -> None:
        """Spawn them all."""
        for slot in self._slots:
            slot.start()

    def accept(self, ready: bool) -> None:
        """Have all accept, and those that start later, too."""
        self._ready = ready
        for slot in self._slots:
            slot.accept(ready)
        self._tell_changed()

    async def drain(self, seconds: float) -> None:
        """Drain all at once; they have ended when this returns."""
        for slot in self._slots:
            slot.drain(seconds)
        self._tell_changed()
        while any(slot.running for slot in self._slots):
            await self._change()

    async def certify(self) -> list[str]:
        """Give all the certificates as they are now; each problem is told once."""
        problems: dict[str, None] = {}
        for slot in self._slots:
            problems.update(dict.fromkeys(await slot.certify()))
        return list(problems)

    def take_ticket_keys(self) -> None:
        """Have all use the present keys of session tickets; those that start later do anyway."""
        for slot in self._slots:
            slot.take_ticket_keys()

    def take_users(self) -> None:
        """Let the present users log in; those that start later do anyway."""
        for slot in self._slots:
            slot.take_users()

    def refill(self, application: str, name: bytes, token: int) -> int | None:
        """Have the next one that serves ask the clean question of a key."""
        for _ in self._slots:
            self._turn = (self._turn + 1) % len(self._slots)
            if self._slots[self._turn].refill(application, name, token):
                return self._turn
        return None

    def tell_groups(self, news: bytes) -> None:
        """Tell each."""
        for slot in self._slots:
            slot.tell_groups(news)

    async def replace(self, seconds: float) -> list[str]:
        """Replace one after the other, so that there are always some."""
        for slot in self._slots:
            if slot.replace(seconds):
                while not slot.life.is_settled:
                    await self._change()
        return []

    def status(self) -> list[WorkerStatus]:
        """The state of each worker."""
        return [
            WorkerStatus(slot.index, slot.pid, slot.life.name, slot.restarts, slot.confined)
            for slot in self._slots
        ]

    # What slots tell: edge.node.supervisor.worker_process.SlotOwner

    def started(self, slot: WorkerSlot, fast_path: str) -> None:
        """A new process accepts at once if the others do."""
        self.fast_path = fast_path
        if self._ready is not None:
            slot.accept(self._ready)
        self._tell_changed()

    def refused(self, slot: WorkerSlot, why: str) -> None:
        """A refusal at the start is a mistake of who started the node, later an accident."""
        if not self.fast_path:  # none has ever started
            self._give_up(why)
        else:
            self._log.error("worker {index} cannot start: {why}", index=slot.index, why=why)

    def gone(self, slot: WorkerSlot) -> None:
        """A process that has ended reads the table no more."""
        self._host.worker_gone(slot.index)
        self._reactor.callLater(0, self._tell_changed)  # when its successor, if it has one, was started

    def _change(self) -> Deferred[None]:
        """Fires when the state of a slot has changed."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _tell_changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)


class InProcessWorker:
    """The only worker is this process, *pid*.  Raises as :class:`~edge.node.worker.serving.Serving` does."""

    _log = Logger()

    def __init__(
        self, host: WorkerHost, segment: Segment, give_up: Callable[[str], None], pid: int, reactor: Any
    ) -> None:
        self._pid = pid
        self._host = host
        self._serving = Serving(
            host.settings(0),
            segment,
            reactor,
            host.look_up,
            host.fetch,
            lambda reason: give_up("the fast path failed"),
            connect=host.connect,
            fills=LocalFills(host.answers, reactor),
        )
        for number, credentials in host.credentials():
            self._serving.certify(number, credentials)

    @property
    def fast_path(self) -> str:
        """What answers from the table: native, python or off."""
        return self._serving.fast_path

    def start(self) -> None:
        """Nothing to spawn."""
        self.take_ticket_keys()
        self.take_users()
        self._log.info("{how}, in this one process", how=self._serving.describe_fast_path())

    def accept(self, ready: bool) -> None:
        """Accept connections; *ready*: the site is published."""
        self._serving.accept(ready)

    async def drain(self, seconds: float) -> None:
        """Finish what runs."""
        await self._serving.drain(seconds)

    async def certify(self) -> list[str]:
        """Take the certificates as they are now; sentences about those that OpenSSL refuses."""
        problems = []
        for number, credentials in self._host.credentials():
            try:
                self._serving.certify(number, credentials)
            except ConfigError as error:
                problems.append(str(error))
        return problems

    def take_ticket_keys(self) -> None:
        """Use the present keys of session tickets."""
        self._serving.take_ticket_keys(unpack_ticket_keys(self._host.packed_ticket_keys()))

    def take_users(self) -> None:
        """Let the present users log in."""
        self._serving.take_users(self._host.packed_users())

    def refill(self, application: str, name: bytes, token: int) -> int | None:
        """Ask the clean question of a key."""
        self._serving.refill(application, name, token)
        return 0

    def tell_groups(self, news: bytes) -> None:
        """Tell the one."""
        self._serving.tell_groups(news)

    async def replace(self, seconds: float) -> list[str]:
        """This process cannot be replaced."""
        return [
            "with workers = 0, changes of limits, origins and what is logged take effect at the next start"
        ]

    def status(self) -> list[WorkerStatus]:
        """The state of the one worker."""
        return [WorkerStatus(0, self._pid, self._serving.life.state.value, 0)]
