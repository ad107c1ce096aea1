"""One request as a record: the bytes that lie in the ring of its worker; ``edge_log.h`` has the same numbers.

::

     0  u32  bytes of the whole record, a multiple of 8
     4  u16  status
     6  u8   what the cache made of it: an index into CACHE, which is append-only
     7  u8   protocol: 10 = HTTP/1.0, 11 = HTTP/1.1, 0 = none
     8  u64  when it was answered, Unix microseconds
    16  u64  bytes of the body that were sent
    24  u32  microseconds from when its head was found here until it was answered
    28  u16  bit i: text i was cut
    30  u16  0
    32  16s  address of the client: IPv6, or IPv4 mapped into it; zeros: none (a Unix socket)
    48  u16[8]  lengths of the texts
    64  the texts, in the order of TEXTS, one behind the other; then zeros up to the size

Texts are what a stranger has sent, byte for byte, up to the most bytes of each.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from edge.networks import NO_ADDRESS

_HEAD = Struct("<IHBBQQIHH16s8H")
HEAD_BYTES = 64
#: The texts and the most bytes of each.
TEXTS = {
    "method": 16,
    "target": 2048,
    "host": 256,
    "user": 128,
    "referer": 1024,
    "user_agent": 512,
    "tls": 64,
    "trace": 32,
}
#: Bytes of the longest record.
MOST = HEAD_BYTES + sum(TEXTS.values())
#: What the cache made of a request; "": nothing is known.
CACHE = ("", "hit", "stale", "miss", "expired", "collapsed", "bypass")
_YEAR_10000 = 253_402_300_800_000_000
_LIMITS = tuple(TEXTS.values())


class Record(NamedTuple):
    """One request, answered."""

    #: Unix microseconds.
    at: int
    status: int
    #: Bytes of the body.
    sent: int
    method: bytes
    target: bytes
    #: Microseconds.
    duration: int = 0
    #: 16 bytes; see the drawing.
    address: bytes = NO_ADDRESS
    #: 10, 11 or 0.
    protocol: int = 11
    #: One of :data:`CACHE`.
    cache: str = ""
    host: bytes = b""
    #: Who has logged in.
    user: bytes = b""
    referer: bytes = b""
    user_agent: bytes = b""
    #: Like ``TLSv1.3 TLS_AES_128_GCM_SHA256``.
    tls: bytes = b""
    #: The number of its trace, as traceparent has it: 32 hexadecimal digits.
    trace: bytes = b""
    #: Names of texts that were cut.
    cut: tuple[str, ...] = ()


def pack(record: Record) -> bytes:
    """The bytes of *record*; texts that are too long are cut and marked."""
    whole = (
        record.method,
        record.target,
        record.host,
        record.user,
        record.referer,
        record.user_agent,
        record.tls,
        record.trace,
    )
    texts = [text[:limit] for text, limit in zip(whole, _LIMITS, strict=True)]
    marks = sum((len(text) > limit) << i for i, (text, limit) in enumerate(zip(whole, _LIMITS, strict=True)))
    behind = b"".join(texts)
    behind += bytes(-len(behind) % 8)
    head = _HEAD.pack(
        HEAD_BYTES + len(behind),
        record.status,
        CACHE.index(record.cache),
        record.protocol,
        record.at,
        record.sent,
        min(record.duration, 0xFFFFFFFF),
        marks,
        0,
        record.address,
        *map(len, texts),
    )
    return head + behind


def unpack(data: bytes) -> Record | None:
    """The record that *data* is; None: it is none."""
    if len(data) < HEAD_BYTES:
        return None
    (_, status, cache, protocol, at, sent, duration, marks, _, address, *lengths) = _HEAD.unpack_from(data)
    texts, start = [], HEAD_BYTES
    for length in lengths:
        texts.append(data[start : start + length])
        start += length
    if not 0 <= len(data) - start < 8 or cache >= len(CACHE) or at >= _YEAR_10000:
        return None
    cut = tuple(name for i, name in enumerate(TEXTS) if marks >> i & 1)
    named = dict(zip(TEXTS, texts, strict=True))
    return Record(
        at=at,
        status=status,
        sent=sent,
        duration=duration,
        address=address,
        protocol=protocol,
        cache=CACHE[cache],
        cut=cut,
        **named,
    )
