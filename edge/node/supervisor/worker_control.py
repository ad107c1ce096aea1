"""The supervisor's end of the control connection of one worker: what the worker asks for."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols import amp

from edge.errors import EdgeError
from edge.node.process import control
from edge.node.process.answers import LONGEST_PACKED, MalformedAnswer, Outcome, unpack_change
from edge.node.process.fill_messages import Asked, Brought, Kept, Told, packed, said_by_worker

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.node.process.answers import Verdict
    from edge.node.process.fill_messages import OfSupervisor, OfWorker
    from edge.node.supervisor.worker_host import WorkerHost

_OUTCOMES = {int(outcome): outcome for outcome in Outcome}
#: Messages to a worker in one of AMP, each of 30 bytes at most.
MOST_TOLD = 1024


class WorkerControl(control.FillsConnection):
    """The supervisor's end of the control connection of one worker."""

    _log = Logger()

    def __init__(self, host: WorkerHost, index: int, reactor: Any) -> None:
        super().__init__()
        self._host = host
        self._reactor = reactor
        #: Descriptors on their way to the worker: they are closed when it has them, or is gone.
        self._on_their_way: set[int] = set()
        self._index = index
        #: What is to be told at the end of this turn.
        self._telling: list[OfSupervisor] = []

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

    def hear_of_fills(self, said: bytes) -> None:
        """What the worker asks, brings and ends."""
        try:
            messages = said_by_worker(said)
        except MalformedAnswer as error:
            self._log.warn("worker {n} says of fills what is nothing: {why}", n=self._index, why=str(error))
            messages = []
        for message in messages:
            self._take(message)

    def _take(self, message: OfWorker) -> None:
        answers = self._host.answers
        if isinstance(message, Asked):
            tell = partial(self._tell_verdict, message.number)
            answers.ask(self._index, message.application, message.name, message.share, tell)
        elif isinstance(message, Brought):
            stored = answers.store(message.token, message.application, message.packed)
            self._tell(Kept(message.number, stored))
        else:
            outcome = _OUTCOMES.get(message.outcome, Outcome.NOTHING)
            answers.end(message.token, outcome, message.why[:64])

    def _tell_verdict(self, number: int, verdict: Verdict) -> None:
        self._tell(Told(number, int(verdict.kind), verdict.token))

    def _tell(self, message: OfSupervisor) -> None:
        """At the end of this turn, with all others."""
        if not self._telling and self.transport is not None:
            self._reactor.callLater(0, self._flush)
        self._telling.append(message)

    def _flush(self) -> None:
        telling, self._telling = self._telling, []
        if telling and self.transport is not None:
            self.say_of_fills(
                packed(telling[at : at + MOST_TOLD]) for at in range(0, len(telling), MOST_TOLD)
            )

    @control.StoreLargeAnswer.responder
    def store_large_answer(self, token: int, application: str, size: int, packed: int) -> dict[str, Any]:
        """Store one that lies in a file."""
        try:
            data = os.pread(packed, min(max(size, 0), LONGEST_PACKED + 1), 0)
        finally:
            os.close(packed)
        return {"stored": self._host.answers.store(token, application, data)}

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
