"""Ticks of the model and nanoseconds of the wire: the same time in two units."""

from __future__ import annotations

from loadgen.models.calendar import TICKS
from loadgen.models.users import BEGIN

NS = 1_000_000_000 // TICKS


class Clock:
    """The time of a run that begins at *start* (nanoseconds), in both units."""

    def __init__(self, start: int) -> None:
        self.start = start
        #: When the present turn of the engine began.
        self.now = start

    def tick(self, ns: int) -> int:
        """The tick at *ns*."""
        return BEGIN + (ns - self.start) // NS

    def ns(self, tick: int) -> int:
        """When *tick* begins."""
        return self.start + (tick - BEGIN) * NS
