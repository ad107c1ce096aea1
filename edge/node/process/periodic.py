"""Work that is done again and again, as a part that can be started and stopped."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall

if TYPE_CHECKING:
    from collections.abc import Callable


class Periodic:
    """*work*, called when it starts and then every *seconds*."""

    def __init__(self, work: Callable[[], object], seconds: float, reactor: Any) -> None:
        self._seconds = seconds
        self._call = LoopingCall(work)
        self._call.clock = reactor

    def start(self) -> None:
        """Call now, and from now on."""
        self._call.start(self._seconds)

    def stop(self) -> None:
        """Call no more; whether it was started or not."""
        if self._call.running:
            self._call.stop()
