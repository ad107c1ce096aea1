"""Head records in the arena: the header lines of entries, each once, however many entries have them.

Most entries of a site share a few: Content-Type, Cache-Control, Vary.  A record is found by its bytes when an
entry is put, and by where it lies when one is let go or adopted.
"""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap

from edge.table.arena import Arena
from edge.table.layout import HEAD_RECORD
from edge.table.reader import LINES_LIMIT


class _Head:
    """Where a record lies, and how many entries use it."""

    __slots__ = ("at", "users")

    def __init__(self, at: int) -> None:
        self.at = at
        self.users = 0


class Heads:
    """All head records of *arena*, which is of *memory*, as its writer knows them."""

    def __init__(self, memory: mmap, arena: Arena) -> None:
        self._memory = memory
        self._arena = arena
        self._heads: dict[bytes, _Head] = {}
        self._records: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def use(self, lines_200: bytes, lines_304: bytes, allocate: Callable[[int], int | None]) -> int | None:
        """Where the record of these lines lies, with one user more; None: they are too long, or no room."""
        if max(len(lines_200), len(lines_304)) > LINES_LIMIT:
            return None
        record = _record(lines_200, lines_304)
        head = self._heads.get(record)
        if head is None:
            at = allocate(len(record))
            if at is None:
                return None
            self._memory[at : at + len(record)] = record
            head = self._add(at, record)
        head.users += 1
        return head.at

    def leave(self, at: int) -> int:
        """The record at *at* has one user less; how many bytes of the arena nobody uses any more."""
        record = self._records.get(at)
        if record is None:
            return 0
        head = self._heads[record]
        head.users -= 1
        if head.users:
            return 0
        del self._heads[record], self._records[at]
        return len(record)

    def has(self, at: int, lines_200: bytes, lines_304: bytes) -> bool:
        """Whether these are the lines of the record at *at*."""
        return self._records.get(at) == _record(lines_200, lines_304)

    def lines(self, at: int) -> tuple[bytes, bytes]:
        """The lines of the record at *at*: of a 200, of a 304."""
        record = self._records[at]
        of_200, _ = HEAD_RECORD.unpack_from(record)
        return record[HEAD_RECORD.size :][:of_200], record[HEAD_RECORD.size + of_200 :]

    def adopt(self, at: int) -> bool:
        """An entry that another writer has put uses the record at *at*; False: there cannot be one."""
        record = self._records.get(at)
        if record is None:
            record = self._read(at)
            if record is None or record in self._heads or not self._arena.reserve(at, len(record)):
                return False
            self._add(at, record)
        self._heads[record].users += 1
        return True

    def _add(self, at: int, record: bytes) -> _Head:
        head = self._heads[record] = _Head(at)
        self._records[at] = record
        return head

    def _read(self, at: int) -> bytes | None:
        """The record at *at*, of which nothing is believed; None: there is none."""
        if not self._arena.begin <= at <= self._arena.end - HEAD_RECORD.size:
            return None
        of_200, of_304 = HEAD_RECORD.unpack_from(self._memory, at)
        end = at + HEAD_RECORD.size + of_200 + of_304
        if max(of_200, of_304) > LINES_LIMIT or end > self._arena.end:
            return None
        return self._memory[at:end]


def _record(lines_200: bytes, lines_304: bytes) -> bytes:
    return HEAD_RECORD.pack(len(lines_200), len(lines_304)) + lines_200 + lines_304
