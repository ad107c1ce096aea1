"""Token buckets in shared memory, which all workers of a node take from; ``edge_buckets.h`` is the twin.

A bucket is one number: when it is full again, in microseconds of CLOCK_MONOTONIC (the generic cell rate
algorithm, ITU-T I.371, which allows exactly what a token bucket does).  A token moves it on by the
*interval* between two; there is none as long as it would lie further ahead than the bucket is
large.  Nothing has to be filled, and a bucket that is full is a free cell.

::

       0  8s   magic b"EDGEBKT\\0"         16  u64 sets: a power of two
       8  u32  version                    24  u64 seed, so that nobody can aim at a cell
      12  u32  bits of IPv6 addresses; 0: 64
    4096  sets of eight cells: u64 key (0 = never used), u64 when the bucket is full

The key is of a rule and an address, an IPv4 address or the prefix of an IPv6 one (:mod:`edge.shares`).  A new
one gets the cell of its set that is full already, or will be first: who has more addresses than there are
cells gains no more than these addresses alone give him.  C takes tokens with atomic operations, this twin
under a lock on the set; a node has one or the other.
"""

from __future__ import annotations

import fcntl
import mmap
import secrets
from struct import Struct
from typing import Protocol

from edge.networks import MAPPED, NO_ADDRESS
from edge.shares import PREFIX_BITS, first_bits

MAGIC = b"EDGEBKT\0"
VERSION = 1
HEADER_BYTES = 4096
WAYS = 8
SET_BYTES = 16 * WAYS
#: 65,536 buckets in 1 MiB, of which only pages that are used are memory.
SETS = 8192
_START = Struct("<8sIIQQ")
_CELLS = Struct(f"<{2 * WAYS}Q")
_MASK = 2**64 - 1


class Buckets(Protocol):
    """The buckets of a node; *address*: 16 bytes, zeros are not limited."""

    def take(self, rule: int, address: bytes, now_us: int, interval: int, burst: int) -> int:
        """Take a token; 0, or the microseconds until there is one.

        *interval*: microseconds from one token to the next; *burst*: of a full bucket.
        """

    def give(self, rule: int, address: bytes, interval: int) -> None:
        """Put back the token that was taken last."""


def make_buckets(memory: mmap.mmap, prefix: int = PREFIX_BITS) -> None:
    """Make *memory*, zeros of :data:`SETS` sets behind :data:`HEADER_BYTES`, buckets that are all full.

    *prefix*: bits of an IPv6 address that have one bucket together.
    """
    sets = (len(memory) - HEADER_BYTES) // SET_BYTES
    _START.pack_into(memory, 0, MAGIC, VERSION, prefix, sets, secrets.randbits(64))


def key_of(seed: int, rule: int, address: bytes, prefix: int = PREFIX_BITS) -> int:
    """The key of a bucket; its upper bits choose the set."""
    if address.startswith(MAPPED):
        first, second = 0xFFFF, int.from_bytes(address[12:], "little")
    else:
        kept = first_bits(address, prefix)
        first = int.from_bytes(kept[:8], "little")
        second = int.from_bytes(kept[8:], "little") if prefix > 64 else _MASK
    mixed = (first ^ seed) * 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 29 ^ second) * (seed | 1) & _MASK
    mixed = (mixed ^ mixed >> 32 ^ rule) * 0xD6E8FEB86659FD93 & _MASK
    return (mixed ^ mixed >> 29) | 1


class PythonBuckets:
    """Buckets in *memory*, whose descriptor is *fd*.  Implements :class:`Buckets`."""

    def __init__(self, memory: mmap.mmap, fd: int) -> None:
        self._sets: int
        self._seed: int
        _, _, prefix, self._sets, self._seed = _START.unpack_from(memory)
        self._prefix: int = prefix or PREFIX_BITS
        self._memory, self._fd = memory, fd

    def take(self, rule: int, address: bytes, now_us: int, interval: int, burst: int) -> int:
        if address == NO_ADDRESS:
            return 0
        key = key_of(self._seed, rule, address, self._prefix)
        at = self._at(key)
        fcntl.lockf(self._fd, fcntl.LOCK_EX, SET_BYTES, at)
        try:
            cells = list(_CELLS.unpack_from(self._memory, at))
            way = self._way(cells, key, now_us)
            full: int = max(cells[2 * way + 1], now_us) + interval
            wait = full - (now_us + interval * burst)
            if wait > 0:
                return wait
            cells[2 * way : 2 * way + 2] = key, full
            _CELLS.pack_into(self._memory, at, *cells)
            return 0
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, SET_BYTES, at)

    def give(self, rule: int, address: bytes, interval: int) -> None:
        if address == NO_ADDRESS:
            return
        key = key_of(self._seed, rule, address, self._prefix)
        at = self._at(key)
        fcntl.lockf(self._fd, fcntl.LOCK_EX, SET_BYTES, at)
        try:
            cells = list(_CELLS.unpack_from(self._memory, at))
            if key in cells[::2]:
                way = cells[::2].index(key)
                cells[2 * way + 1] = max(cells[2 * way + 1] - interval, 0)
                _CELLS.pack_into(self._memory, at, *cells)
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, SET_BYTES, at)

    def _at(self, key: int) -> int:
        return HEADER_BYTES + (key >> 32 & (self._sets - 1)) * SET_BYTES

    def _way(self, cells: list[int], key: int, now_us: int) -> int:
        """The cell of *key*; one that was another's is full from now on."""
        keys = cells[::2]
        if key in keys:
            return keys.index(key)
        way = min(range(WAYS), key=lambda way: cells[2 * way + 1])
        cells[2 * way + 1] = min(cells[2 * way + 1], now_us)
        return way
