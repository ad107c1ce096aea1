"""What the processes of an application write, line by line: with limits, for they write what they like."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of a line; a longer one is logged in parts.
MAX_LINE = 8192
#: Lines that may come at once, and each second in the long run.
BURST, LINES_PER_SECOND = 1000, 100


class Output:
    """One stream of one process: bytes to lines."""

    def __init__(self, relay: Callable[[str], None], seconds: Callable[[], float]) -> None:
        """*relay* gets each line; *seconds* is a clock."""
        self._relay = relay
        self._seconds = seconds
        self._partial = b""
        self._allowance, self._last = float(BURST), seconds()
        self._dropped = 0

    def receive(self, data: bytes) -> None:
        """The process has written *data*."""
        *lines, rest = (self._partial + data).split(b"\n")
        while len(rest) >= MAX_LINE:
            lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._partial = rest
        for line in lines:
            for at in range(0, max(len(line), 1), MAX_LINE):
                self._tell(line[at : at + MAX_LINE])

    def end(self) -> None:
        """It writes no more."""
        if self._partial:
            self._tell(self._partial)
            self._partial = b""
        self._tell_dropped()

    def _tell(self, line: bytes) -> None:
        now = self._seconds()
        self._allowance = min(BURST, self._allowance + (now - self._last) * LINES_PER_SECOND)
        self._last = now
        if self._allowance < 1:
            self._dropped += 1
            return
        self._allowance -= 1
        self._tell_dropped()
        self._relay(line.decode("utf-8", "backslashreplace"))

    def _tell_dropped(self) -> None:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._relay(f"({dropped} lines left out: more than {LINES_PER_SECOND} a second)")
