"""A reactor of the test's: time passes only where the test says so, and calls come one turn at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall


class Turns:
    """Clock and turns.  Unlike ``task.Clock``, what is scheduled in a turn waits for the next one."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self._calls: list[DelayedCall] = []

    def seconds(self) -> float:
        return self.now

    def callLater(self, delay: float, work: Callable[..., object], *args: Any) -> DelayedCall:
        call = DelayedCall(self.now + delay, work, args, {}, self._calls.remove, lambda _: None, self.seconds)
        self._calls.append(call)
        return call

    def turn(self) -> int:
        """Make the calls that are due now; how many."""
        due = [call for call in self._calls if call.time <= self.now]
        for call in due:
            if call in self._calls:  # not cancelled by one before it
                self._calls.remove(call)
                call.called = 1
                call.func(*call.args)  # type: ignore[misc]
        return len(due)

    def settle(self) -> int:
        """Turn until nothing is due; in how many turns."""
        count = 0
        while self.turn():
            count += 1
        return count

    def advance(self, seconds: float) -> None:
        """Let time pass, then settle."""
        self.now += seconds
        self.settle()

    @property
    def waiting(self) -> int:
        """Calls that have not come yet."""
        return len(self._calls)
