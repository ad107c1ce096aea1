"""The account of a log: how many lines were read, which were skipped, and why."""

from __future__ import annotations

from collections.abc import Iterator


class Account:
    """Counts of lines; reasons are few and fixed, so it does not grow with the log."""

    def __init__(self) -> None:
        self.lines = 0
        self.entries = 0
        #: By reason: how many, and where the first one stands.
        self._skipped: dict[str, tuple[int, str]] = {}
        self._notes: dict[str, None] = {}

    def skip(self, reason: str, place: str) -> None:
        """Count a line that is left out; *place*: its file and number, like ``access.log:7``."""
        count, first = self._skipped.get(reason, (0, place))
        self._skipped[reason] = count + 1, first

    def note(self, text: str) -> None:
        """Remember something to be said once; few and fixed, or with one name of a file in it."""
        self._notes[text] = None

    @property
    def skipped(self) -> int:
        """Lines that were left out."""
        return sum(count for count, _ in self._skipped.values())

    def reasons(self) -> dict[str, int]:
        """How many lines were left out for each reason."""
        return {reason: count for reason, (count, _) in self._skipped.items()}

    def said(self) -> Iterator[str]:
        """Sentences for people: what was left out, most first, and what else is to be known."""
        for reason, (count, first) in sorted(self._skipped.items(), key=lambda pair: -pair[1][0]):
            lines, which = ("line", "it is") if count == 1 else ("lines", "the first is")
            yield f"{count:,} {lines} left out: {reason}; {which} {first}"
        yield from self._notes
