"""Records and rings for tests."""

from __future__ import annotations

import mmap

from hypothesis import strategies as st

from edge.logs.record import CACHE, MOST, TEXTS, Record
from edge.logs.ring import HEADER_BYTES, Ring, make_ring
from edge.networks import NO_ADDRESS, mapped

RECORD = Record(
    at=1_700_000_000_250_000,
    status=200,
    sent=5,
    method=b"GET",
    target=b"/a?b",
    duration=1_000_042,
    address=mapped(bytes((192, 0, 2, 1))),
    cache="hit",
    host=b"example.org",
    referer=b"https://example.org/",
    user_agent=b"curl/8.0",
    tls=b"TLSv1.3 TLS_AES_128_GCM_SHA256",
)

_GROUP = st.sampled_from([b"\0\0", b"\0\1", b"\x0a\xbc", b"\xff\xff"])
ADDRESSES = st.one_of(
    st.just(NO_ADDRESS),
    st.binary(min_size=4, max_size=4).map(mapped),
    st.lists(_GROUP, min_size=8, max_size=8).map(b"".join),
    st.binary(min_size=16, max_size=16),
)
RECORDS = st.builds(
    Record,
    at=st.integers(0, 253_402_300_799_999_999),
    status=st.integers(0, 0xFFFF),
    sent=st.integers(0, 2**64 - 1),
    duration=st.integers(0, 2**32 - 1),
    address=ADDRESSES,
    protocol=st.sampled_from([0, 10, 11, 20]),
    cache=st.sampled_from(CACHE),
    cut=st.just(()),
    **{name: st.binary(max_size=limit + 2 if limit < 200 else 60) for name, limit in TEXTS.items()},
)


def ring_memory(size: int = 1 << 16) -> mmap.mmap:
    """An empty ring of *size* bytes."""
    memory = mmap.mmap(-1, HEADER_BYTES + size)
    make_ring(memory)
    return memory


def ring_of(*records: Record) -> mmap.mmap:
    """A ring that holds *records*."""
    memory = ring_memory(1 << (MOST * (len(records) + 1)).bit_length())
    ring = Ring(memory)
    for record in records:
        ring.write(record)
    return memory
