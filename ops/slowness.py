"""Slow processes: what a node that has too much to do looks like from outside."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

import psutil

#: Seconds that they stand still, and run, in turn: a tenth of the time.
STANDS = 0.045
RUNS = 0.005


class Slowness:
    """Has the children of a process, workers and applications, run a tenth of the time."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        #: Whose children; None: nobody is slow.
        self.pid: int | None = None
        self._turn: Any = None
        self._stopped: list[int] = []

    def begin(self, pid: int) -> None:
        """Slow down the children of *pid*, those that are started later, too."""
        self.end()
        self.pid = pid
        self._stand()

    def end(self) -> None:
        """Let them run."""
        self.pid = None
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._signal(signal.SIGCONT)

    def _stand(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._stopped = [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        self._signal(signal.SIGSTOP)
        self._turn = self._clock.callLater(STANDS, self._run)

    def _run(self) -> None:
        self._signal(signal.SIGCONT)
        self._turn = self._clock.callLater(RUNS, self._stand)

    def _signal(self, number: int) -> None:
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
