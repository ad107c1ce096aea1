"""Pieces of bytes as lines (sans-IO): no line is kept that is longer than :data:`MOST_BYTES`."""

from __future__ import annotations

#: The longest line that is looked at: twice what servers take as a request line with its fields.
MOST_BYTES = 64 * 1024


class Lines:
    """The lines of a stream, numbered from 1; feed it bytes.  A line that is too long comes as None, once."""

    def __init__(self) -> None:
        self._rest = b""
        self._number = 0
        #: Within a line that is too long, which has been told.
        self._dropping = False

    def receive(self, data: bytes) -> list[tuple[int, bytes | None]]:
        """The lines that *data* completes, without their ends."""
        found: list[tuple[int, bytes | None]] = []
        if self._dropping:
            end = data.find(b"\n")
            if end < 0:
                return found
            data, self._dropping = data[end + 1 :], False
        *whole, rest = (self._rest + data).split(b"\n")
        for line in whole:
            found.append(self._next(line))
        self._rest = rest
        if len(rest) > MOST_BYTES:
            self._rest, self._dropping = b"", True
            found.append(self._next(rest))
        return found

    def end(self) -> list[tuple[int, bytes | None]]:
        """The last line, if the stream ended within it."""
        rest, self._rest, self._dropping = self._rest, b"", False
        return [self._next(rest)] if rest else []

    def _next(self, line: bytes) -> tuple[int, bytes | None]:
        self._number += 1
        return self._number, None if len(line) > MOST_BYTES else line.rstrip(b"\r")
