"""The ring in shared memory that one worker writes its records into, and the supervisor reads.

::

       0  8s   magic b"EDGELOG\\0"                          128  u64 tail: bytes ever read    (the reader's)
       8  u32  version                                      136  u32 waiting: 1 = the reader sleeps, wake it
      16  u64  bytes of the data: a power of two
      64  u64  head: bytes ever written   (the writer's, as the next two)
      72  u64  records ever written
      80  u64  records dropped: there was no room
    4096  data: records (:mod:`.record`), one behind the other, round the end

One writes, one reads, and neither waits.  A record exists from when the head has moved over it, so a writer
that is killed half-way leaves nothing.  A full ring drops what comes, and counts it.  Who writes the ring may
be anybody by now: what is no record is skipped up to the head.

``edge_log.c`` writes the same ring, in the same thread of the same process: all that either knows of it is
in there.
"""

from __future__ import annotations

import mmap
from struct import Struct

from edge.logs.record import HEAD_BYTES, MOST, Record, pack

MAGIC = b"EDGELOG\0"
VERSION = 1
HEADER_BYTES = 4096
#: Counters go round, whatever a writer has put there.
MASK = 2**64 - 1
_START = Struct("<8sIIQ")
_HEAD, _WRITTEN, _DROPPED, _TAIL = 8, 9, 10, 16  # in words of 8 bytes
_WAITING = 34  # in words of 4 bytes
_SIZE = Struct("<I")


def make_ring(memory: mmap.mmap) -> None:
    """Make *memory*, zeros of a power of two behind :data:`HEADER_BYTES`, an empty ring."""
    _START.pack_into(memory, 0, MAGIC, VERSION, 0, len(memory) - HEADER_BYTES)


class Ring:
    """A ring in *memory*, as :func:`make_ring` made it; either end."""

    def __init__(self, memory: mmap.mmap, least: int = HEAD_BYTES, most: int = MOST) -> None:
        """*least*, *most*: bytes of a record."""
        self.memory = memory
        self._least, self._most = least, most
        view = memoryview(memory)
        self._words = view[:HEADER_BYTES].cast("Q")
        self._halves = view[:HEADER_BYTES].cast("I")
        self._data = view[HEADER_BYTES:]
        self._bytes = len(self._data)
        #: What the reader had to skip: it was no record.
        self.damaged = 0

    @property
    def written(self) -> int:
        """Records ever written."""
        return self._words[_WRITTEN]

    @property
    def dropped(self) -> int:
        """Records that there was no room for."""
        return self._words[_DROPPED]

    def write(self, record: Record) -> bool:
        """Write *record*, or count it as dropped; whether the reader is to be woken."""
        return self.put(pack(record))

    def put(self, packed: bytes) -> bool:
        """The same with the bytes of a record."""
        words = self._words
        head = words[_HEAD]
        if (head - words[_TAIL] & MASK) + len(packed) > self._bytes:
            words[_DROPPED] += 1
            return False
        at = head & (self._bytes - 1)
        first = packed[: self._bytes - at]
        self._data[at : at + len(first)] = first
        self._data[: len(packed) - len(first)] = packed[len(first) :]
        words[_WRITTEN] += 1
        words[_HEAD] = (head + len(packed)) & MASK
        return bool(self._halves[_WAITING])

    def read(self) -> bytes | None:
        """The next record, packed; None: there is none."""
        words = self._words
        head, tail = words[_HEAD], words[_TAIL]
        there = (head - tail) & MASK
        if not there:
            return None
        if self._least <= there <= self._bytes:
            (size,) = _SIZE.unpack(self._copy(tail, 4))
            if self._least <= size <= self._most and size % 8 == 0 and size <= there:
                words[_TAIL] = (tail + size) & MASK
                return self._copy(tail, size)
        self.damaged += 1
        words[_TAIL] = head
        return None

    def sleeps(self, sleeps: bool) -> bool:
        """The reader is about to sleep, or is awake again; whether there is nothing to be read."""
        self._halves[_WAITING] = sleeps
        return self._words[_HEAD] == self._words[_TAIL]

    def close(self) -> None:
        """Let go of the memory."""
        for view in (self._words, self._halves, self._data):
            view.release()

    def _copy(self, start: int, length: int) -> bytes:
        at = start & (self._bytes - 1)
        first = bytes(self._data[at : at + length])
        return first + bytes(self._data[: length - len(first)])
