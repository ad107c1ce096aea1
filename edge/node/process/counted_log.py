"""Log lines that others cause: one of a kind a minute, with the number of those that were left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.errors import plain

if TYPE_CHECKING:
    from twisted.logger import Logger

#: Seconds between two lines of a kind.
QUIET_SECONDS = 60.0
#: Kinds remembered.
KINDS = 256


class CountedLog:
    """Writes to *log* as warnings what is new, and counts what is not; *clock* has ``seconds()``."""

    def __init__(self, log: Logger, clock: Any) -> None:
        self._log = log
        self._clock = clock
        #: Kind -> when the next line of it may be written, and how many were not since the last.
        self._kinds: dict[str, tuple[float, int]] = {}

    def warn(self, kind: str, text: str) -> None:
        """Write *text*, unless something of its *kind* was written within the last minute."""
        now = self._clock.seconds()
        until, left_out = self._kinds.pop(kind, (now, 0))
        if now < until:
            self._kinds[kind] = until, left_out + 1
            return
        self._kinds[kind] = now + QUIET_SECONDS, 0
        if len(self._kinds) > KINDS:
            del self._kinds[next(iter(self._kinds))]
        more = f" ({left_out} more like this since the last line)" if left_out else ""
        self._log.warn("{text}{more}", text=plain(text), more=more)
