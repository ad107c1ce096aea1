"""The supervisor as the desk of a worker process asks it: over the control connection.

What one turn of the reactor brings goes in one message (:mod:`edge.node.process.fill_messages`).
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from edge.node.process import control
from edge.node.process.answers import Kind, Outcome, Verdict, pack_change
from edge.node.process.fill_messages import (
    AROUND,
    ROOM,
    Asked,
    Brought,
    Ended,
    Told,
    packed,
    said_by_supervisor,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from edge.cache.group_changes import Change
    from edge.node.process.fill_messages import OfWorker


class FillsOverControl:
    """Implements :class:`edge.node.applications.fills.FillControl`; *call*: of the connection.

    *tell*: sends messages of fills, which nobody answers.
    """

    _log = Logger()

    def __init__(
        self, call: Callable[..., Deferred[Any]], tell: Callable[[Iterable[bytes]], None], reactor: Any
    ) -> None:
        self._call = call
        self._tell = tell
        self._reactor = reactor
        #: What is to be said at the end of this turn, in messages of AMP; bytes of the last of them.
        self._saying: list[list[OfWorker]] = []
        self._size = 0
        self._number = 0
        #: Number of what was asked, or brought -> who hears what becomes of it.
        self._asking: dict[int, Callable[[Verdict | None], None]] = {}
        self._storing: dict[int, Callable[[bool], None]] = {}
        #: The supervisor has gone: nothing can be said any more.
        self._is_lost = False

    def ask(self, application: str, name: bytes, share: bool, told: Callable[[Verdict | None], None]) -> None:
        if self._is_lost:
            told(None)
            return
        self._number += 1
        self._asking[self._number] = told
        self._say(Asked(self._number, application, name, share), len(name))

    def store(self, token: int, application: str, packed: bytes, kept: Callable[[bool], None]) -> None:
        if self._is_lost:
            kept(False)
        elif len(packed) > ROOM - AROUND:
            self._flush()
            storing = maybeDeferred(self._store_large, token, application, packed)
            storing.addCallbacks(lambda told: told["stored"], self._not_stored, errbackArgs=(token,))
            storing.addCallback(kept)
        else:
            self._number += 1
            self._storing[self._number] = kept
            self._say(Brought(self._number, token, application, packed), len(packed))

    def _not_stored(self, reason: Failure, token: int) -> bool:
        self._log.warn("an answer cannot be stored: {why}", why=reason.getErrorMessage())
        if reason.check(OSError):  # nothing was said of it
            self.end(token, Outcome.NOTHING)
        return False

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
        if not self._is_lost:
            self._say(Ended(token, int(outcome), why), len(why))

    def changed(self, change: Change) -> Deferred[int]:
        self._flush()  # in the order in which it happened
        told = self._call(control.Changed, change=pack_change(change))
        return told.addCallback(lambda settled: settled["unsettled"])

    # What the connection tells

    def told(self, data: bytes) -> None:
        """The supervisor says what became of messages."""
        for message in said_by_supervisor(data):
            if isinstance(message, Told):
                told = self._asking.pop(message.number)
                self._hear(partial(told, Verdict(Kind(message.kind), message.token)))
            else:
                self._hear(partial(self._storing.pop(message.number), message.stored))

    def lost(self) -> None:
        """The supervisor has gone; the worker ends for that reason."""
        self._is_lost = True
        self._saying.clear()
        asking, self._asking = self._asking, {}
        storing, self._storing = self._storing, {}
        for told in asking.values():
            self._hear(partial(told, None))
        for kept in storing.values():
            self._hear(partial(kept, False))

    def _hear(self, call: Callable[[], None]) -> None:
        """One of many who hear something in the same turn: a fault of his is his own."""
        try:
            call()
        except Exception:
            self._log.failure("what became of a fill could not be made use of")

    # Saying it

    def _say(self, message: OfWorker, size: int) -> None:
        """At the end of this turn; *size*: of what has no bound of its own in *message*, in bytes."""
        size += AROUND
        if not self._saying:
            self._reactor.callLater(0, self._flush)
        if not self._saying or self._size + size > ROOM:
            self._saying.append([])
            self._size = 0
        self._saying[-1].append(message)
        self._size += size

    def _flush(self) -> None:
        saying, self._saying = self._saying, []
        if saying and not self._is_lost:
            self._tell(map(packed, saying))


def _closed(result: Any, file: int) -> Any:
    os.close(file)
    return result
