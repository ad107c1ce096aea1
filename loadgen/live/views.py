"""The views of a running load test: terminal, file, lines of JSON.

None ever stops a run: when nobody reads any more (a closed pipe), they fall silent.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Protocol, TextIO

import msgspec
from rich.console import Console
from rich.live import Live as Screen

from loadgen.live.screen import line, screen
from loadgen.live.state import State, Totals
from loadgen.results import Result, Second

#: Seconds between two lines when the output is no terminal.
LINE_EVERY = 5


class View(Protocol):
    """What a run tells its seconds and its result."""

    def update(self, second: Second, totals: Totals) -> None:
        """Show *second*, which has passed, and the totals after it."""

    def close(self, result: Result | None = None) -> None:
        """Show the end of the run, with *result* if it came to one."""


class Live:
    """For people: a view that renews itself on a terminal, else a line every few seconds."""

    def __init__(self, title: str, seconds: float, users: int, console: Console | None = None) -> None:
        self._state = State(title, seconds, users)
        self._console = console or Console()
        self._out: TextIO | None = self._console.file  # type: ignore[assignment]  # rich says IO[str]
        self._screen: Screen | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._screen = Screen(screen(self._state), console=self._console, auto_refresh=False)
            self._screen.start()

    def update(self, second: Second, totals: Totals) -> None:
        """Show *second*, which has passed, and the totals after it."""
        self._state.take(second, totals)
        if self._screen is not None:
            try:
                self._screen.update(screen(self._state), refresh=True)
            except OSError:  # the terminal is gone
                self._screen = None
        elif second.at % LINE_EVERY == LINE_EVERY - 1:
            self._out = _write(self._out, line(self._state))

    def close(self, result: Result | None = None) -> None:
        """Leave the last view where it is; the cursor stands below it."""
        if self._screen is not None:
            with contextlib.suppress(OSError):
                self._screen.stop()
            self._screen = None


class JsonLines:
    """For machines: an object for each second, and a last one that holds the result (without its series)."""

    def __init__(self, title: str, seconds: float, users: int, out: TextIO | None = None) -> None:
        self._out: TextIO | None = out or sys.stdout
        self._say({"event": "begin", "title": title, "seconds": seconds, "users": users})

    def update(self, second: Second, totals: Totals) -> None:
        """Show *second*, which has passed, and the totals after it."""
        self._say({"event": "second", "second": second, "totals": totals})

    def close(self, result: Result | None = None) -> None:
        """Write the result, if there is one, without its series."""
        if result is not None:
            said = {name: value for name, value in msgspec.structs.asdict(result).items() if name != "series"}
            self._say({"event": "result", "result": said})
        self._out = None

    def _say(self, event: Mapping[str, object]) -> None:
        self._out = _write(self._out, msgspec.json.encode(event).decode())


def _write(out: TextIO | None, text: str) -> TextIO | None:
    """Write *text* and a newline; the stream for the next line: None when nobody reads any more."""
    if out is None:
        return None
    try:
        print(text, file=out, flush=True)
    except (OSError, ValueError):  # a closed pipe, a full disk; a closed file
        # What is left in its buffer must not fail once more when the process ends.
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), out.fileno())
        return None
    return out
