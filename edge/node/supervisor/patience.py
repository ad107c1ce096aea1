"""How long a process that owes us an answer is waited for.

Who hangs and who has no processor look alike from outside.  On a machine that is overloaded, or that was
suspended, all processes of a node would be killed, which overloads it the more.  So seconds count only in
which the process could have answered, and we could have heard it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

#: It is waited for so many times as long as it is given, at most: who never runs is of no use either.
MOST = 10
#: Seconds by which a look may be late before we count as having been away; looks come closer to one another.
LATE = 5.0
#: Seconds in which we hear what was said while we were away.
MOMENT = 1.0


def queued_seconds(pid: int) -> float:
    """Seconds that the process *pid* was ready to run and had no processor (schedstat of proc(5)).

    Since it began; 0 where the kernel does not tell.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


class Patience:
    """The *seconds* that the process *pid* has from *now* on, in monotonic seconds."""

    def __init__(
        self, seconds: float, pid: int, now: float, queued: Callable[[int], float] = queued_seconds
    ) -> None:
        self._seconds = seconds
        self._pid = pid
        self._queued = queued
        self._queued_before = queued(pid)
        self._began = now
        self._next_look = now + seconds
        self._away = 0.0

    def left(self, now: float) -> float:
        """Seconds until the next look has to be; 0: it has had its time.

        The first look is due when the seconds are over that it was given.
        """
        late = now - self._next_look
        if late > LATE:
            self._away += late + MOMENT
        queued = max(0.0, self._queued(self._pid) - self._queued_before)
        given = min(self._seconds + queued + self._away, MOST * self._seconds)
        left = self._began + given - now
        if left <= 0:
            return 0.0
        self._next_look = now + max(left, MOMENT)
        return max(left, MOMENT)
