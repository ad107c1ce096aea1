"""Ticks of the model and nanoseconds of the wire: the same time in two units."""

from __future__ import annotations

from loadgen.models.calendar import TICKS
from loadgen.models.users import BEGIN

NS = 1_000_000_000 // TICKS


class Clock:
    """The time of a run that begins at *start* (nanoseconds), in both units."""

    def __init__(self, start: int = 0) -> None:
        self.begin(start)

    def begin(self, start: int) -> None:
        """The run begins at *start*, and not when this was made."""
        self._start = start
        #: When the present turn of the engine began.
        self.now = start

    def tick(self, ns: int) -> int:
        """The tick at *ns*."""
        return BEGIN + (ns - self._start) // NS

    def ns(self, tick: int) -> int:
        """When *tick* begins."""
        return self._start + (tick - BEGIN) * NS
