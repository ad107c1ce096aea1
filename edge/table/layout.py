"""The bytes of the shared-memory ETag table: a hash table with open addressing and linear probing.

Only numbers and :mod:`struct` formats live here.  The same numbers stand in
``edge/fastpath/src/edge_layout.h``; ``tests/table/test_layout.py`` compares them.  All integers
are little-endian.  Field positions are append-only: a change of meaning needs a new
:data:`LAYOUT_VERSION`.

::

    offset 0                    header, 4096 bytes
    slots_offset (4096-aligned) slots, 64 bytes each (one cache line), a power of two of them
    arena_offset (4096-aligned) arena: head records and bodies, in 64-byte granules

Header::

      0  8s  magic b"EDGETBL\\0"        64 16s hash_key: BLAKE2b key of this segment
      8  u32 layout version            128 u64 epoch    (alone on its cache line)
     12  u32 header bytes (4096)       192 u64 sequence: publishes and purges so far
     16  u64 segment bytes             200 u32 complete: 1 = an entry that is not here
     24  u64 slots offset                       does not exist on this node
     32  u64 slot count                204 u32 live entries
     40  u64 arena offset
     48  u64 arena bytes
     56  u32 worker blocks               208 u64 lease of answers: until when they are fresh at
     60  u32 worker block bytes                  most, as those below; all ones: it has no end

     256 u64[256] leases: until when entries of each origin may be confirmed, CLOCK_MONOTONIC in
                  milliseconds; the origin 0, this node itself, has none and needs none
    2304 u32[256] doubts: of each application, how often all its answers became doubtful

Worker block: memory of its own for each worker, all that this worker may write.  Nothing is shared between
cores, and a worker that is taken over can damage neither the table nor another's figures::

         0  u64 epoch: 0 = quiescent, else the global epoch when the worker began to read
        64  u64 counters[COUNTER_COUNT], see :mod:`edge.table.counters`
      4096  u8  hits[slot count]: 1 = the worker has sent the answer in this slot; the writer clears it

Behind it, in the same memory and whole pages, too, if requests are counted by site, a row for each site and
one for hosts of nobody (:mod:`edge.table.site_counts`)::

         0  u64 answers[5], by class of status: 1xx to 5xx
        40  u64 bytes of their bodies
        48  16 bytes unused

Slot: one (path, variant)::

      0  u32 seq       seqlock: odd while the writer is inside; a reader that sees it change starts over
      4  u8  state     SLOT_EMPTY, SLOT_LIVE, SLOT_DELETED, SLOT_TEMPLATE, SLOT_ANSWER, SLOT_OTHER,
                       SLOT_REDIRECT
      5  u8  variant   see edge.resource: media * 4 + coding
      6  u16 variants  bit v set: this path has variant v (equal in all variants of a path); of answers
                       also OWN_ETAG, OWN_CORS
      8  16s key       BLAKE2b-128(path, key=hash_key); of answers, of the name of their key
     24  16s etag      opaque-tag: base64url of the first 12 bytes of SHA-256(body)
     40  u32 body      segment offset of the body / 64; 0 = not in memory (blob file named by etag)
     44  u32 doubts    of answers: those of its application when it was stored; of others 0
     48  u56 length    body length in bytes
     55  u8  origin    who published it: 0 = this node, else an index into the leases; of answers:
                       the application, an index into the doubts
     56  u32 head      segment offset of the head record / 64
     60  u32 modified  Last-Modified, Unix seconds; of answers: until when it is fresh, in ticks; of
                       redirects: the status

The home slot of a path is ``u64le(key[0:8]) & (slot count - 1)``; all variants of a path start
there and are found by linear probing over at most :data:`MAX_PROBES` slots, ended by an empty one.
Identity is the 128-bit keyed hash: nobody without the segment's key can make two paths collide,
and by chance it happens with probability 2**-88 for a full table.

Head record (in the arena, shared by all entries with the same lines)::

      0  u16 length of lines_200        4  lines_200, then lines_304: complete header lines, each
      2  u16 length of lines_304           ended by CRLF, without Date, ETag, Last-Modified and
                                           Content-Length, which are composed per answer

SLOT_TEMPLATE marks an entry that lends its head to a POST answer, or tells workers something, and is not to
be served to GET.

SLOT_REDIRECT marks an entry that leads elsewhere.  It has no body; in place of lines_304 stands the line
Location, which is empty where the status says that nothing is there.

SLOT_ANSWER marks an answer of an application with status 200, SLOT_OTHER one with another status, which only
the Twisted side sends.  An answer is served while it is *fresh*: the present is before its last tick, its
application has been doubted no more often than when it was stored, and the lease of answers holds.  Ticks are
sixteenths of a second of CLOCK_MONOTONIC, plus 2**31, modulo 2**32: so an answer can be older than the
machine's uptime.  Right behind the body of its variant 0 lies its record (:mod:`edge.cache.record`).
OWN_ETAG: its record has an ETag of the application, which goes out in place of ours; OWN_CORS: its lines say
themselves which origins may read it.
"""

from __future__ import annotations

from struct import Struct

MAGIC = b"EDGETBL\0"
LAYOUT_VERSION = 5
HEADER_BYTES = 4096
#: What of a worker block does not depend on the count of slots.
WORKER_BLOCK = 4096
SLOT_BYTES = 64
SITE_ROW_BYTES = 64
GRANULE = 64
ORIGIN_COUNT = 256
#: Applications whose answers are doubted each by itself.
APPLICATION_COUNT = 256
#: A slot's length and origin are one number.
LENGTH_BITS = 56
LENGTH_MASK = (1 << LENGTH_BITS) - 1
MAX_PROBES = 128
MAX_WORKERS = 64

SLOT_EMPTY, SLOT_LIVE, SLOT_DELETED, SLOT_TEMPLATE, SLOT_ANSWER, SLOT_OTHER, SLOT_REDIRECT = range(7)
#: Bits in the mask of variants of an answer, above those of variants.
OWN_ETAG, OWN_CORS = 1 << 15, 1 << 14
TICKS_PER_SECOND = 16
_TICK_BASE = 2**31
_TICK_MASK = 2**32 - 1

HEADER = Struct("<8sIIQQQQQII16s")
OFFSET_HASH_KEY = 64
OFFSET_EPOCH = 128
OFFSET_SEQUENCE = 192
OFFSET_COMPLETE = 200
OFFSET_ENTRIES = 204
OFFSET_ANSWERS_LEASE = 208
OFFSET_LEASES = 256
OFFSET_DOUBTS = 2304
OFFSET_COUNTERS = 64  # within a worker block
OFFSET_HITS = WORKER_BLOCK  # likewise

SLOT = Struct("<IBBH16s16sIIQII")
OFFSET_STATE, OFFSET_KEY, OFFSET_SLOT_DOUBTS = 4, 8, 44  # within a slot
U32 = Struct("<I")
#: The same bytes by one store of the machine: readers find the one number or the other, and nothing between.
WHOLE_U32, WHOLE_U64 = Struct("@I"), Struct("@Q")
U64 = Struct("<Q")
HEAD_RECORD = Struct("<HH")

assert SLOT.size == SLOT_BYTES


def align(value: int, to: int) -> int:
    """*value* rounded up to a multiple of *to*."""
    return -(-value // to) * to


def worker_block_bytes(slots: int) -> int:
    """Bytes of the block of one worker of a table with so many *slots*: whole pages."""
    return WORKER_BLOCK + align(slots, WORKER_BLOCK)


def site_rows_bytes(sites: int) -> int:
    """Bytes behind the block of a worker that counts requests of so many *sites*: whole pages; 0: of none."""
    return align((sites + 1) * SITE_ROW_BYTES, WORKER_BLOCK) if sites else 0


def ticks_of(monotonic_ms: int) -> int:
    """CLOCK_MONOTONIC in milliseconds, as ticks."""
    return (monotonic_ms * 2 // 125 + _TICK_BASE) & _TICK_MASK


def ticks_between(earlier: int, later: int) -> int:
    """Ticks from *earlier* to *later*; negative if it is the other way round."""
    return ((later - earlier + _TICK_BASE) & _TICK_MASK) - _TICK_BASE
