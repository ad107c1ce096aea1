"""Content codings of a body: brotli (RFC 7932) and gzip (RFC 1952), both ways.

Coding is deterministic: the same library gives the same bytes for the same body and quality, so
all nodes arrive at the same ETags.  All functions release the GIL while they work.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import brotlicffi

from edge.resource import Coding

#: File name suffix of a sibling that holds the coded contents.
SIBLING_SUFFIXES = {Coding.GZIP: ".gz", Coding.BR: ".br"}

#: A coded body is kept only if it is smaller by this share of the body: below it, the client's work for
#: decoding and the room in the table cost more than the bytes.
SAVING = 0.05

#: Brotli's quality while others wait: 30 to 180 MB/s, beside 0.6 to 5 MB/s at 11, for 15 % more bytes.
QUICK_BROTLI = 5

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Qualities:
    """How hard to try, and from what size on."""

    #: 0..11.  11 takes about a second per megabyte, and 15 % fewer bytes than 5.
    brotli: int = 11
    #: 1..9.
    gzip: int = 9
    #: Bytes.  Smaller bodies fit one packet with their head either way.
    smallest: int = 256

    def of(self, coding: Coding) -> int:
        """The quality for one coding."""
        return self.brotli if coding is Coding.BR else self.gzip

    def quick(self, coding: Coding) -> int:
        """The quality at first: gzip is quick enough (15 to 150 MB/s) to be coded once and for all."""
        return min(self.brotli, QUICK_BROTLI) if coding is Coding.BR else self.gzip


def is_worth_it(length: int, coded: int) -> bool:
    """Whether *coded* bytes instead of *length* are enough of a gain."""
    return coded <= length * (1 - SAVING)


def encode(body: bytes, coding: Coding, quality: int) -> bytes:
    """*body* in *coding*; for gzip without time and name, so that equal bodies stay equal."""
    if coding is Coding.BR:
        return bytes(brotlicffi.compress(body, quality=quality))
    compressor = zlib.compressobj(quality, zlib.DEFLATED, _GZIP_WINDOW, 9)
    return compressor.compress(body) + compressor.flush()


def decodes_to(coded: bytes, coding: Coding, body: bytes) -> bool:
    """Whether *coded* is whole and gives exactly *body*; never makes more than a little over its size."""
    decoded = _gunzip(coded, len(body) + 1) if coding is Coding.GZIP else _unbrotli(coded, len(body) + 1)
    return decoded == body


def _gunzip(coded: bytes, limit: int) -> bytes | None:
    """At most *limit* bytes; None if *coded* is not one or more whole members (RFC 1952 section 2.2)."""
    parts: list[bytes] = []
    rest = coded
    while rest:
        decompressor = zlib.decompressobj(_GZIP_WINDOW)
        try:
            part = decompressor.decompress(rest, limit)
        except zlib.error:
            return None
        if not decompressor.eof:
            return None
        parts.append(part)
        limit = max(limit - len(part), 1)
        rest = decompressor.unused_data
    return b"".join(parts)


def _unbrotli(coded: bytes, limit: int) -> bytes | None:
    decompressor = brotlicffi.Decompressor()
    try:
        decoded = bytes(decompressor.decompress(coded, output_buffer_limit=limit))
        return decoded if decompressor.is_finished() else None
    except brotlicffi.error:
        return None
