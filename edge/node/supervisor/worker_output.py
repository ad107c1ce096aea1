"""What the process of a worker writes, line by line, and how it ended."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure


class WorkerOutput(ProcessProtocol):
    """The output of one worker process: each line goes to *relay*, its end to *ended*."""

    def __init__(self, relay: Callable[[bytes], None], ended: Callable[[Failure], None]) -> None:
        self._relay = relay
        self._ended = ended
        self._partial = b""

    # Twisted's overrides

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._relay(line)

    def processEnded(self, reason: Failure) -> None:
        if self._partial:
            self._relay(self._partial)
        self._ended(reason)


def how_it_ended(reason: Failure) -> str:
    """In words, how a process ended."""
    ended = reason.value
    if not isinstance(ended, ProcessTerminated):
        return "exited with code 0"
    if ended.signal is not None:
        return f"was killed by {signal.Signals(ended.signal).name}"
    return f"exited with code {ended.exitCode}"
