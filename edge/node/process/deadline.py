"""The deadline of a connection on the Twisted side: one thing that has to happen in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """A restartable timer on *clock* (``IReactorTime``)."""

    def __init__(self, clock: Any, missed: Callable[[], None]) -> None:
        """*missed* is called each time the set time has passed."""
        self._clock = clock
        self._missed = missed
        self._call: Any = None

    @property
    def running(self) -> bool:
        """Whether something is to happen in time."""
        return self._call is not None

    def set(self, seconds: float) -> None:
        """Something is to happen within *seconds* from now; replaces what was set."""
        if self._call is None:
            self._call = self._clock.callLater(seconds, self._pass)
        else:
            self._call.reset(seconds)

    def clear(self) -> None:
        """What was to happen has happened: nothing is to happen in time any more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _pass(self) -> None:
        self._call = None
        self._missed()
