"""Lines out of rings, in C if that is built, else in Python: the same bytes, several times slower.

In C the GIL is released meanwhile: who reads in a thread of its own holds up nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from edge.logs.lines import FORMATS, journal_entry
from edge.logs.record import unpack
from edge.logs.ring import Ring

if TYPE_CHECKING:
    import mmap

    from edge.logs.record import Record

#: Bytes of lines that are made at once, about: what is made is in the processor's cache when it is written.
CHUNK_BYTES = 64 * 1024
#: Entries of a journal that are made at once.
CHUNK_ENTRIES = 256


class Reader(Protocol):
    """The reading end of one ring."""

    ring: Ring

    def pieces(self) -> list[bytes]:
        """What there is to be written, a piece for each write; [] for nothing."""


class LineReader:
    """Lines of a ring, made in Python.  Implements :class:`Reader`."""

    def __init__(self, memory: mmap.mmap, worker: int, log_format: str) -> None:
        self.ring = Ring(memory)
        self._format = FORMATS[log_format]
        self._worker = worker

    def pieces(self) -> list[bytes]:
        lines, room = [], CHUNK_BYTES
        while room > 0 and (packed := self.ring.read()) is not None:
            record = _checked(self.ring, packed)
            if record is not None:
                lines.append(self._format(record, self._worker))
                room -= len(lines[-1])
        return ["".join(lines).encode("ascii")] if lines else []


class JournalReader:
    """Entries for systemd's journal.  Implements :class:`Reader`."""

    def __init__(self, memory: mmap.mmap, worker: int) -> None:
        self.ring = Ring(memory)
        self._worker = worker

    def pieces(self) -> list[bytes]:
        entries: list[bytes] = []
        while len(entries) < CHUNK_ENTRIES and (packed := self.ring.read()) is not None:
            record = _checked(self.ring, packed)
            if record is not None:
                entries.append(journal_entry(record, self._worker))
        return entries


class NativeLineReader:
    """Lines of a ring, made in C.  Implements :class:`Reader`."""

    def __init__(self, memory: mmap.mmap, worker: int, log_format: str, ffi: Any, lib: Any) -> None:
        self.ring = Ring(memory)
        self._worker, self._format = worker, list(FORMATS).index(log_format)
        self._ffi, self._lib = ffi, lib
        self._memory = ffi.from_buffer(memory, require_writable=True)
        self._native = ffi.new("edge_log_ring *")
        if not lib.edge_log_open(self._native, self._memory, len(self._memory)):
            raise ValueError("that is no ring of records")
        self._room = memoryview(bytearray(CHUNK_BYTES + lib.EDGE_LINE_MOST))
        self._damaged = ffi.new("uint64_t *")

    def pieces(self) -> list[bytes]:
        room = self._ffi.from_buffer(self._room)
        made = self._lib.edge_log_lines(
            self._native, self._format, self._worker, room, len(room), self._damaged
        )
        self.ring.damaged = self._damaged[0]
        return [bytes(self._room[:made])] if made else []


def _checked(ring: Ring, packed: bytes) -> Record | None:
    record = unpack(packed)
    if record is None:
        ring.damaged += 1
    return record


def reader_of(log_format: str) -> Callable[[mmap.mmap, int], Reader]:
    """What makes readers of rings, of (memory, number of the worker), for *log_format* or "journal"."""
    if log_format == "journal":
        return JournalReader
    try:
        from edge._native import ffi, lib
    except ImportError:
        return lambda memory, worker: LineReader(memory, worker, log_format)
    return lambda memory, worker: NativeLineReader(memory, worker, log_format, ffi, lib)
