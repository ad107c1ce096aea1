"""A milestone: something that happens once, or fails, and that any number of others may wait for."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Milestone:
    """Reached once; what is told afterwards changes nothing."""

    def __init__(self) -> None:
        self.is_reached = False
        self._error: Exception | None = None
        self._waiting: list[Deferred[None]] = []

    def reach(self) -> None:
        """It has happened."""
        if not self.is_reached and self._error is None:
            self.is_reached = True
            self._tell()

    def fail(self, error: Exception) -> None:
        """It cannot happen."""
        if not self.is_reached and self._error is None:
            self._error = error
            self._tell()

    async def wait(self) -> None:
        """Return when it has happened; raises why it cannot."""
        if not self.is_reached and self._error is None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        if self._error is not None:
            raise self._error

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
