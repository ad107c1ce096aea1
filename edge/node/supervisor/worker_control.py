"""The supervisor's end of the control connection of one worker: what the worker asks for."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.protocols import amp

from edge.errors import EdgeError
from edge.node.process import control
from edge.node.process.answers import LONGEST_PACKED, Outcome, unpack_change

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.node.supervisor.worker_host import WorkerHost


class WorkerControl(amp.AMP):
    """The supervisor's end of the control connection of one worker."""

    def __init__(self, host: WorkerHost, index: int) -> None:
        super().__init__()
        self._host = host
        #: Descriptors on their way to the worker: they are closed when it has them, or is gone.
        self._on_their_way: set[int] = set()
        self._index = index

    @control.Lookup.responder
    def lookup(self, path: bytes) -> Deferred[dict[str, Any]]:
        """What is published under *path*."""
        return Deferred.fromCoroutine(self._lookup(path))

    async def _lookup(self, path: bytes) -> dict[str, Any]:
        return {"entries": await self._host.look_up(path)}

    @control.Fetch.responder
    def fetch(self, path: bytes, etag: bytes) -> Deferred[dict[str, Any]]:
        """Have a body here that only other nodes have."""
        return Deferred.fromCoroutine(self._fetch(path, etag))

    @control.Connect.responder
    def connect(self, application: str, number: int) -> Deferred[dict[str, Any]]:
        """A new connection to an application."""
        return Deferred.fromCoroutine(self._connect(application, number))

    async def _connect(self, application: str, number: int) -> dict[str, Any]:
        try:
            descriptor = await self._host.connect(application, number)
        except EdgeError as error:
            raise control.Refused(str(error)) from None
        self._on_their_way.add(descriptor)
        if self.transport is None:
            self._close_all()
        return {"socket": descriptor, "token": descriptor}

    @control.Connected.responder
    def has_connected(self, token: int) -> dict[str, Any]:
        """The worker has it."""
        if token in self._on_their_way:
            self._on_their_way.remove(token)
            os.close(token)
        return {}

    def _close_all(self) -> None:
        while self._on_their_way:
            os.close(self._on_their_way.pop())

    async def _fetch(self, path: bytes, etag: bytes) -> dict[str, Any]:
        return {"found": await self._host.fetch(path, etag)}

    @control.AskFill.responder
    def ask_fill(self, application: str, name: bytes, share: bool) -> Deferred[dict[str, Any]]:
        """What to do for a key."""
        asked = self._host.answers.ask(self._index, application, name, share)
        return asked.addCallback(lambda verdict: {"kind": int(verdict.kind), "token": verdict.token})

    @control.StoreAnswer.responder
    def store_answer(self, token: int, application: str, packed: bytes) -> dict[str, Any]:
        """Store an answer."""
        return {"stored": self._host.answers.store(token, application, packed)}

    @control.StoreLargeAnswer.responder
    def store_large_answer(self, token: int, application: str, size: int, packed: int) -> dict[str, Any]:
        """Store one that lies in a file."""
        try:
            data = os.pread(packed, min(max(size, 0), LONGEST_PACKED + 1), 0)
        finally:
            os.close(packed)
        return {"stored": self._host.answers.store(token, application, data)}

    @control.EndFill.responder
    def end_fill(self, token: int, outcome: int, why: str | None = None) -> dict[str, Any]:
        """There is none to be stored."""
        self._host.answers.end(
            token, Outcome(outcome) if outcome in set(Outcome) else Outcome.NOTHING, why or ""
        )
        return {}

    @control.Changed.responder
    def changed(self, change: bytes) -> Deferred[dict[str, Any]]:
        """A request has changed what is stored."""
        told = self._host.answers.changed(unpack_change(change))
        return told.addCallback(lambda unsettled: {"unsettled": unsettled})

    # Twisted's overrides: AMP's own would log each connection

    def makeConnection(self, transport: Any) -> None:
        amp.BinaryBoxProtocol.makeConnection(self, transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        amp.BinaryBoxProtocol.connectionLost(self, reason)
        self.transport = None
        self._close_all()
