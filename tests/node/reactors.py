"""Reactors for tests: what is given to one, and when it is done, is the test's."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock


class SignalledReactor:
    """Remembers what it was given from a signal handler."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def callFromThread(self, call: object) -> None:
        """As the reactor has it."""
        self.calls.append(call)


class ReadingReactor(Clock):
    """Time, and readers that are told to read when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        """As the reactor has it."""
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        """As the reactor has it."""
        if reader in self.readers:
            self.readers.remove(reader)

    def read(self) -> int:
        """Tell every reader once that there is something to read; how many there were."""
        told = list(self.readers)
        for reader in told:
            reader.doRead()
        return len(told)
