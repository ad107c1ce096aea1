"""The events of a scenario while it runs: words to who looks on, and programs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from loadgen.run.messages.scenario import Event

#: Seconds for a program to end when the run does.
GRACE_S = 5.0


class Events:
    """A timeline of events: feed it seconds since the beginning, it returns what is to be said."""

    def __init__(self, events: Sequence[Event], grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._waiting = sorted(events, key=lambda event: event.at_s)
        #: Programs that have not ended, as far as is known.
        self.running: list[tuple[Event, subprocess.Popen[bytes]]] = []

    def is_command_due(self, seconds: float) -> bool:
        """Whether :meth:`pass_time` would start a program."""
        return any(event.command and event.at_s <= seconds for event in self._waiting)

    def pass_time(self, seconds: float) -> list[str]:
        """Start what is due, see what has ended."""
        said = []
        while self._waiting and self._waiting[0].at_s <= seconds:
            event = self._waiting.pop(0)
            if event.say:
                said.append(event.say)
            if event.command:
                said += self._start(event)
        for event, process in list(self.running):
            if process.poll() is not None:
                self.running.remove((event, process))
                if process.returncode:
                    said.append(f"{event.command[0]} failed with exit code {process.returncode}")
        return said

    def _start(self, event: Event) -> list[str]:
        try:
            process = subprocess.Popen(
                event.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in it
            return [f"{event.command[0]!r} does not start: {getattr(error, 'strerror', None) or error}"]
        self.running.append((event, process))
        return [f"started: {' '.join(event.command)}"]

    def close(self) -> None:
        """End what still runs."""
        for _, process in self.running:
            process.terminate()
            try:
                process.wait(self._grace_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
