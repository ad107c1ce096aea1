"""The supervisor as the desk of a worker process asks it: over the control connection.

What one turn of the reactor brings goes in one message (:mod:`edge.node.process.fill_messages`).
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail

from edge.node.process import control
from edge.node.process.answers import Kind, Outcome, Verdict, pack_change
from edge.node.process.fill_messages import (
    ROOM,
    Asked,
    Brought,
    Ended,
    Told,
    packed,
    said_by_supervisor,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from edge.cache.group_changes import Change
    from edge.node.process.fill_messages import OfWorker


class FillsOverControl:
    """Implements :class:`edge.node.applications.fills.FillControl`; *call*: of the connection.

    *tell*: sends a message of fills, which nobody answers.
    """

    def __init__(
        self, call: Callable[..., Deferred[Any]], tell: Callable[[bytes], None], reactor: Any
    ) -> None:
        self._call = call
        self._tell = tell
        self._reactor = reactor
        #: What is to be said at the end of this turn, and its bytes.
        self._saying: list[OfWorker] = []
        self._size = 0
        self._number = 0
        #: Number of a message -> who waits for what becomes of it.
        self._waiting: dict[int, Deferred[Any]] = {}
        #: Why nothing can be said any more.
        self._lost: Failure | None = None

    def ask(self, application: str, name: bytes, share: bool) -> Deferred[Verdict]:
        return self._wait(lambda number: Asked(number, application, name, share))

    def store(self, token: int, application: str, packed: bytes) -> Deferred[bool]:
        if len(packed) + 4 * len(application) <= ROOM:
            return self._wait(lambda number: Brought(number, token, application, packed))
        self._flush()
        return self._store_large(token, application, packed).addCallback(lambda told: told["stored"])

    def _store_large(self, token: int, application: str, packed: bytes) -> Deferred[Any]:
        file = os.memfd_create("edge-answer", os.MFD_CLOEXEC)
        try:
            written = 0
            while written < len(packed):
                written += os.write(file, packed[written:] if written else packed)
        except OSError:
            os.close(file)
            raise
        storing = self._call(
            control.StoreLargeAnswer, token=token, application=application, size=len(packed), packed=file
        )
        # Sent with the message, or never.
        return storing.addBoth(_closed, file)

    def end(self, token: int, outcome: Outcome, why: str = "") -> None:
        self._say(Ended(token, int(outcome), why))

    def changed(self, change: Change) -> Deferred[int]:
        self._flush()  # in the order in which it happened
        told = self._call(control.Changed, change=pack_change(change))
        return told.addCallback(lambda settled: settled["unsettled"])

    # What the connection tells

    def told(self, data: bytes) -> None:
        """The supervisor says what became of messages."""
        for message in said_by_supervisor(data):
            waiting = self._waiting.pop(message.number, None)
            if waiting is None:
                continue
            if isinstance(message, Told):
                waiting.callback(Verdict(Kind(message.kind), message.token))
            else:
                waiting.callback(message.stored)

    def lost(self, reason: Failure) -> None:
        """The supervisor has gone; the worker ends for that reason."""
        self._lost = reason
        self._saying.clear()
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.errback(reason)

    # Saying it

    def _wait(self, make: Callable[[int], OfWorker]) -> Deferred[Any]:
        if self._lost is not None:
            return fail(self._lost)
        self._number += 1
        waiting = self._waiting[self._number] = Deferred()
        self._say(make(self._number))
        return waiting

    def _say(self, message: OfWorker) -> None:
        if self._lost is not None:
            return
        size = size_of(message)
        if self._size + size > ROOM:
            self._flush()
        if not self._saying:
            self._reactor.callLater(0, self._flush)
        self._saying.append(message)
        self._size += size

    def _flush(self) -> None:
        saying, self._saying, self._size = self._saying, [], 0
        if saying and self._lost is None:
            self._tell(packed(saying))


def _closed(result: Any, file: int) -> Any:
    os.close(file)
    return result
