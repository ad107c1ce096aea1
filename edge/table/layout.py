"""The bytes of the shared-memory ETag table: a hash table with open addressing and linear probing.

Only numbers and :mod:`struct` formats live here.  The same numbers stand in
``edge/fastpath/src/edge_layout.h``; ``tests/table/test_layout.py`` compares them.  All integers
are little-endian.  Field positions are append-only: a change of meaning needs a new
:data:`LAYOUT_VERSION`.

::

    offset 0                    header, 4096 bytes
    slots_offset (4096-aligned) slots, 64 bytes each (one cache line), a power of two of them
    arena_offset (4096-aligned) arena: head records and small bodies, in 64-byte granules

Header::

      0  8s  magic b"EDGETBL\\0"        64 16s hash_key: BLAKE2b key of this segment
      8  u32 layout version            128 u64 epoch    (alone on its cache line)
     12  u32 header bytes (4096)       192 u64 sequence: publishes and purges so far
     16  u64 segment bytes             200 u32 complete: 1 = an entry that is not here
     24  u64 slots offset                       does not exist on this node
     32  u64 slot count                204 u32 live entries
     40  u64 arena offset
     48  u64 arena bytes
     56  u32 worker blocks
     60  u32 worker block bytes (4096)

    256 u64[256] leases: until when entries of each origin may be confirmed, CLOCK_MONOTONIC in
                 milliseconds; the origin 0, this node itself, has none and needs none

Worker block: memory of its own for each worker, all that this worker may write.  Nothing is shared between
cores, and a worker that is taken over can damage neither the table nor another's figures::

      0  u64 epoch: 0 = quiescent, else the global epoch when the worker began to read
     64  u64 counters[COUNTER_COUNT], see :mod:`edge.table.counters`

Slot: one (path, variant)::

      0  u32 seq       seqlock: odd while the writer is inside; a reader that sees it change starts over
      4  u8  state     SLOT_EMPTY, SLOT_LIVE, SLOT_DELETED, SLOT_TEMPLATE
      5  u8  variant   see edge.resource: media * 4 + coding
      6  u16 variants  bit v set: this path has variant v (equal in all variants of a path)
      8  16s key       BLAKE2b-128(path, key=hash_key)
     24  16s etag      opaque-tag: base64url of the first 12 bytes of SHA-256(body)
     40  u64 body      segment offset of the body; 0 = not in memory (blob file named by etag)
     48  u56 length    body length in bytes
     55  u8  origin    who published it: 0 = this node, else an index into the leases
     56  u32 head      segment offset of the head record / 64
     60  u32 modified  Last-Modified, Unix seconds

The home slot of a path is ``u64le(key[0:8]) & (slot count - 1)``; all variants of a path start
there and are found by linear probing over at most :data:`MAX_PROBES` slots, ended by an empty one.
Identity is the 128-bit keyed hash: nobody without the segment's key can make two paths collide,
and by chance it happens with probability 2**-88 for a full table.

Head record (in the arena, shared by all entries with the same lines)::

      0  u16 length of lines_200        4  lines_200, then lines_304: complete header lines, each
      2  u16 length of lines_304           ended by CRLF, without Date, ETag, Last-Modified and
                                           Content-Length, which are composed per answer

SLOT_TEMPLATE marks an entry that lends its head to a POST answer and is not to be served to GET.
"""

from __future__ import annotations

from struct import Struct

MAGIC = b"EDGETBL\0"
LAYOUT_VERSION = 3
HEADER_BYTES = 4096
WORKER_BLOCK = 4096
SLOT_BYTES = 64
GRANULE = 64
ORIGIN_COUNT = 256
#: A slot's length and origin are one number.
LENGTH_BITS = 56
LENGTH_MASK = (1 << LENGTH_BITS) - 1
MAX_PROBES = 128
MAX_WORKERS = 64

SLOT_EMPTY, SLOT_LIVE, SLOT_DELETED, SLOT_TEMPLATE = range(4)

HEADER = Struct("<8sIIQQQQQII16s")
OFFSET_HASH_KEY = 64
OFFSET_EPOCH = 128
OFFSET_SEQUENCE = 192
OFFSET_COMPLETE = 200
OFFSET_ENTRIES = 204
OFFSET_LEASES = 256
OFFSET_COUNTERS = 64  # within a worker block

SLOT = Struct("<IBBH16s16sQQII")
U32 = Struct("<I")
U64 = Struct("<Q")
HEAD_RECORD = Struct("<HH")

assert SLOT.size == SLOT_BYTES


def align(value: int, to: int) -> int:
    """*value* rounded up to a multiple of *to*."""
    return -(-value // to) * to
