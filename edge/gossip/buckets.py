"""Hash buckets for anti-entropy: two tables are compared without being read, as by a flat Merkle tree.

Every path belongs to one of 4,096 buckets; a bucket's hash is the XOR of the 64-bit hashes of (path, clock,
origin) of its entries, so that one change costs two XORs.  Equal tables have equal hashes; unequal ones have
them with probability 2**-64.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import blake2b
from zlib import crc32

from edge.gossip.changes import BUCKETS


def bucket_of(path: bytes) -> int:
    """The bucket of *path*."""
    return crc32(path) % BUCKETS


def entry_hash(path: bytes, clock: int, origin: str) -> int:
    """The 64-bit hash of one entry's version."""
    text = b"%d %s %s" % (clock, origin.encode(), path)
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


class Buckets:
    """The bucket hashes of one table, kept up to date by XOR."""

    def __init__(self) -> None:
        self._hashes = array("Q", bytes(8 * BUCKETS))

    def toggle(self, path: bytes, clock: int, origin: str) -> None:
        """An entry has come, or has gone."""
        self._hashes[bucket_of(path)] ^= entry_hash(path, clock, origin)

    @property
    def root(self) -> int:
        """One hash of all, 63 bits."""
        digest = blake2b(self._hashes.tobytes(), digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1

    def to_bytes(self) -> bytes:
        """All bucket hashes, 8 bytes each, little-endian."""
        return self._hashes.tobytes()

    def differing(self, hashes: bytes) -> Iterable[int]:
        """The buckets whose hashes are not those in *hashes*."""
        other = array("Q", hashes)
        return (number for number in range(BUCKETS) if self._hashes[number] != other[number])
