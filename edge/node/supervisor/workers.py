"""All workers of a node, as the supervisor sees them: processes, or itself with ``--workers 0``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.task import deferLater
from twisted.logger import Logger

from edge.node.process.settings import decode
from edge.node.supervisor.worker_process import WorkerSlot
from edge.node.worker.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from twisted.python.failure import Failure

    from edge.node.supervisor.worker_process import WorkerHost
    from edge.table.segment import Segment

#: Seconds between two looks at whether workers have ended.
_LOOK = 0.05


class Workers(Protocol):
    """What the supervisor asks of its workers."""

    def start(self) -> None:
        """Prepare to accept."""

    def accept(self, ready: bool) -> None:
        """Accept connections; *ready*: the site is published."""

    async def drain(self, seconds: float) -> None:
        """Finish what runs, and end."""

    async def reload(self) -> list[str]:
        """Load certificates and reopen logs; sentences about what stayed as it was."""

    async def replace(self, seconds: float) -> list[str]:
        """Bring changed settings into force; sentences about what stayed as it was."""

    def status(self) -> list[dict[str, Any]]:
        """Index, pid, state and restarts of each."""

    @property
    def fast_path(self) -> str:
        """What answers from the table: native, python or off; "" as long as nothing does."""


class WorkerProcesses:
    """Workers that are processes of their own."""

    _log = Logger()

    def __init__(self, count: int, node: WorkerHost, reactor: Any) -> None:
        self._reactor = reactor
        self._slots = [WorkerSlot(index, node, reactor) for index in range(count)]
        self._mode: bool | None = None
        self.fast_path = ""

    def start(self) -> None:
        """Spawn them all."""
        for slot in self._slots:
            slot.start()

    def accept(self, ready: bool) -> None:
        """See :class:`Workers`; workers that start later are told too."""
        self._mode = ready
        for slot in self._slots:
            slot.accept(ready)

    def started(self, slot: WorkerSlot, fast_path: str) -> None:
        """A worker is prepared."""
        self.fast_path = fast_path
        if self._mode is not None:
            slot.accept(self._mode)

    async def drain(self, seconds: float) -> None:
        """See :class:`Workers`."""
        for slot in self._slots:
            slot.drain(seconds)
        while any(slot.running for slot in self._slots):
            await deferLater(self._reactor, _LOOK)

    async def reload(self) -> list[str]:
        """See :class:`Workers`."""
        problems: dict[str, None] = {}
        for slot in self._slots:
            asked = slot.reload()
            if asked is not None:
                try:
                    problems.update(dict.fromkeys((await asked)["problems"]))
                except Exception:
                    self._log.warn("worker {index} did not reload", index=slot.index)
        return list(problems)

    async def replace(self, seconds: float) -> list[str]:
        """See :class:`Workers`: one after the other, so that there are always some."""
        for slot in self._slots:
            if slot.replace(seconds):
                while slot.state not in ("ready", "accepting", "stopped"):
                    await deferLater(self._reactor, _LOOK)
        return []

    def status(self) -> list[dict[str, Any]]:
        """See :class:`Workers`."""
        return [
            {"index": slot.index, "pid": slot.pid, "state": slot.state, "restarts": slot.restarts}
            for slot in self._slots
        ]


class InProcessWorker:
    """The only worker is this process."""

    _log = Logger()

    def __init__(
        self,
        settings: bytes,
        segment: Segment,
        look_up: Callable[[bytes], bytes],
        fetch: Callable[[bytes, bytes], Awaitable[dict[str, Any]]],
        on_failure: Callable[[Failure], None],
        pid: int,
        reactor: Any,
    ) -> None:
        """Raises as :class:`~edge.node.worker.serving.Serving` does."""

        async def ask(path: bytes) -> bytes:
            return look_up(path)

        async def have(path: bytes, etag: bytes) -> bool:
            return bool((await fetch(path, etag))["found"])

        self._pid = pid
        self._serving = Serving(decode(settings), segment, reactor, ask, have, on_failure)

    @property
    def fast_path(self) -> str:
        """See :class:`Workers`."""
        return self._serving.fast_path

    def start(self) -> None:
        """Nothing to spawn."""
        self._log.info("{how}, in this one process", how=self._serving.describe_fast_path())

    def accept(self, ready: bool) -> None:
        """See :class:`Workers`."""
        self._serving.accept(ready)

    async def drain(self, seconds: float) -> None:
        """See :class:`Workers`."""
        await self._serving.drain(seconds)

    async def reload(self) -> list[str]:
        """See :class:`Workers`."""
        return self._serving.reload()

    async def replace(self, seconds: float) -> list[str]:
        """See :class:`Workers`."""
        return ["with workers = 0, changes of limits, origins and logs take effect at the next start"]

    def status(self) -> list[dict[str, Any]]:
        """See :class:`Workers`."""
        return [{"index": 0, "pid": self._pid, "state": self._serving.state, "restarts": 0}]
