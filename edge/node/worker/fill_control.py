"""The supervisor as the desk of a worker process asks it: over the control connection."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from edge.node.process import control
from edge.node.process.answers import Kind, Outcome, Verdict, pack_change

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from edge.cache.group_changes import Change

#: Bytes that one value of a message has room for (AMP: 16 bits).
_IN_A_MESSAGE = 60_000


class FillsOverControl:
    """Implements :class:`edge.node.applications.fills.FillControl`; *call*: of the connection."""

    def __init__(self, call: Callable[..., Deferred[Any]]) -> None:
        self._call = call

    def ask(self, application: str, name: bytes, share: bool) -> Deferred[Verdict]:
        asked = self._call(control.AskFill, application=application, name=name, share=share)
        return asked.addCallback(lambda told: Verdict(Kind(told["kind"]), told["token"]))

    def store(self, token: int, application: str, packed: bytes) -> Deferred[bool]:
        if len(packed) <= _IN_A_MESSAGE:
            storing = self._call(control.StoreAnswer, token=token, application=application, packed=packed)
        else:
            storing = self._store_large(token, application, packed)
        return storing.addCallback(lambda told: told["stored"])

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
        self._call(control.EndFill, token=token, outcome=int(outcome), why=why).addErrback(_nobody_there)

    def changed(self, change: Change) -> Deferred[int]:
        told = self._call(control.Changed, change=pack_change(change))
        return told.addCallback(lambda settled: settled["unsettled"])


def _closed(result: Any, file: int) -> Any:
    os.close(file)
    return result


def _nobody_there(failure: Any) -> None:
    """The supervisor has gone; the worker ends for that reason."""
