"""Work that is done again and again, as a part that can be started and stopped.

A fault in one round is logged, and the next round comes: what hangs on such work - leases, refreshes, looks
at who is late - must not end with it for as long as the process lives.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable


class Periodic:
    """*work*, called when it starts and then every *seconds*."""

    _log = Logger()

    def __init__(self, work: Callable[[], object], seconds: float, reactor: Any) -> None:
        self._work = work
        self._seconds = seconds
        self._call = LoopingCall(self._round)
        self._call.clock = reactor

    def start(self, now: bool = True) -> None:
        """Call from now on; *now*: at once, too."""
        self._call.start(self._seconds, now=now)

    def stop(self) -> None:
        """Call no more; whether it was started or not."""
        if self._call.running:
            self._call.stop()

    def _round(self) -> object:
        try:
            return self._work()
        except Exception:
            self._log.failure("a round of periodic work has failed; the next one comes")
            return None
