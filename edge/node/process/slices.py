"""Long work in slices of a few milliseconds, between which the reactor gets its turn.

Work is an iterator; each step of it is short (one entry of the table, one batch of rows).  All work of a
process that was given to one :class:`Slices` shares the slices, step by step in turn, so that the reactor
waits for one slice at a time however many jobs there are.  A step that is a Deferred is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.task import Cooperator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Seconds of work before the reactor gets its turn.
SLICE_SECONDS = 0.005


class Slices:
    """Runs long work on the reactor's thread, for :data:`SLICE_SECONDS` at a time; *clock*: the reactor."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._cooperator = Cooperator(self._slice, lambda work: clock.callLater(0, work))

    async def run(self, steps: Iterable[object]) -> None:
        """Return when all *steps* are done; the first comes in the next turn.  Raises what a step raises."""
        await self._cooperator.coiterate(iter(steps))

    def _slice(self) -> Callable[[], bool]:
        """A new slice: says whether it is over."""
        until = self._clock.seconds() + SLICE_SECONDS
        return lambda: self._clock.seconds() >= until
