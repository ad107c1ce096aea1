"""The events of a scenario while it runs: words to who looks on, and programs; and what became of each."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from loadgen.results import Second
from loadgen.run.messages.scenario import Event
from loadgen.verdict.events import EventOutcome, outcome

#: Seconds for a program to end when the run does.
GRACE_S = 5.0


class Events:
    """A timeline of events: feed it seconds since the beginning, it returns what is to be said."""

    def __init__(self, events: Sequence[Event], grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._all = sorted(events, key=lambda event: event.at_s)
        self._waiting = list(self._all)
        #: Places of the events whose programs did not do what they were to, and why.
        self._problems: dict[int, str] = {}
        #: Programs that have not ended, as far as is known.
        self.running: list[tuple[int, subprocess.Popen[bytes]]] = []

    def is_command_due(self, seconds: float) -> bool:
        """Whether :meth:`pass_time` would start a program."""
        return any(event.command and event.at_s <= seconds for event in self._waiting)

    def pass_time(self, seconds: float) -> list[str]:
        """Start what is due, see what has ended."""
        said = []
        while self._waiting and self._waiting[0].at_s <= seconds:
            place = len(self._all) - len(self._waiting)
            event = self._waiting.pop(0)
            if event.say:
                said.append(event.say)
            if event.command:
                said += self._start(place, event)
        return said + self._ended()

    def _ended(self) -> list[str]:
        """What is to be said of programs that have ended since."""
        said = []
        for place, process in list(self.running):
            if process.poll() is not None:
                self.running.remove((place, process))
                if process.returncode:
                    why = f"{self._all[place].command[0]} failed with exit code {process.returncode}"
                    self._problems[place] = why
                    said.append(why)
        return said

    def _start(self, place: int, event: Event) -> list[str]:
        try:
            process = subprocess.Popen(
                event.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in it
            why = f"{event.command[0]!r} does not start: {getattr(error, 'strerror', None) or error}"
            self._problems[place] = why
            return [why]
        self.running.append((place, process))
        return [f"started: {' '.join(event.command)}"]

    def outcomes(self, series: Sequence[Second]) -> list[EventOutcome]:
        """What became of each event, as the seconds of the run show it."""
        self._ended()
        happened = len(self._all) - len(self._waiting)
        problems = {
            **dict.fromkeys(range(happened, len(self._all)), "the run ended before"),
            **self._problems,
        }
        return [
            outcome(
                event.say or " ".join(event.command),
                event.at_s,
                event.effect,
                problems.get(place, ""),
                series,
            )
            for place, event in enumerate(self._all)
        ]

    def close(self) -> None:
        """End what still runs: it has happened."""
        self._ended()
        running, self.running = self.running, []
        for _, process in running:
            process.terminate()
            try:
                process.wait(self._grace_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
