"""``wsgi.input``: the body of a request, read by a thread while it comes in another one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

#: Seconds without a byte after which a reader gives up: the node ends such a request long before.
PATIENCE = 300.0


class Input:
    """A body to be read, as PEP 3333 wants it; :exc:`OSError` if its visitor goes before it is whole."""

    def __init__(self, taken: Callable[[int], None]) -> None:
        """*taken*: so many bytes were read; called in the reader's thread."""
        self._taken = taken
        self._came = threading.Condition()
        self._data = bytearray()
        self._is_whole = False
        self._is_gone = False

    # In the thread of the loop

    def put(self, data: bytes, more: bool) -> None:
        """A piece has come."""
        with self._came:
            self._data += data
            self._is_whole = not more
            self._came.notify()

    def gone(self) -> None:
        """No more comes."""
        with self._came:
            self._is_gone = True
            self._came.notify()

    # In the thread of the application

    def read(self, size: int | None = -1) -> bytes:
        """*size* bytes, fewer only at the end; all with -1."""
        wanted = None if size is None or size < 0 else size
        parts: list[bytes] = []
        while wanted is None or wanted > 0:
            data = self._some(wanted)
            if not data:
                break
            parts.append(data)
            if wanted is not None:
                wanted -= len(data)
        return b"".join(parts)

    def readline(self, size: int | None = -1) -> bytes:
        """A line with its end, *size* bytes of it at most."""
        most = None if size is None or size < 0 else size
        parts: list[bytes] = []
        while most is None or most > 0:
            data = self._some(most, until=b"\n")
            parts.append(data)
            if most is not None:
                most -= len(data)
            if not data or data.endswith(b"\n"):
                break
        return b"".join(parts)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """All lines, or those that make up *hint* bytes."""
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint and size >= hint:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _some(self, most: int | None, until: bytes = b"") -> bytes:
        """What is there, up to *most* bytes and the first *until*; waits for a byte; b"": that was all."""
        with self._came:
            if not self._came.wait_for(lambda: self._data or self._is_whole or self._is_gone, PATIENCE):
                raise TimeoutError("the body stood still")
            if self._is_gone and not self._data and not self._is_whole:
                raise OSError("the visitor has gone before the body was whole")
            end = len(self._data) if most is None else min(most, len(self._data))
            if until:
                at = self._data.find(until, 0, end)
                end = at + len(until) if at >= 0 else end
            data = bytes(self._data[:end])
            del self._data[:end]
        if data:
            self._taken(len(data))
        return data
