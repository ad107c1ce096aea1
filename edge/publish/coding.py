"""Content codings of a body: brotli (RFC 7932), Zstandard (RFC 8878) and gzip (RFC 1952), both ways.

Coding is deterministic: the same library gives the same bytes for the same body and quality, so
all nodes arrive at the same ETags.  All functions release the GIL while they work.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotlicffi
import zstandard

from edge.resource import Coding

#: File name suffix of a sibling that holds the coded contents.
SIBLING_SUFFIXES = {Coding.GZIP: ".gz", Coding.BR: ".br", Coding.ZSTD: ".zst"}

#: A coded body is kept only if it is smaller by this share of the body: below it, the client's work for
#: decoding and the room in the table cost more than the bytes.
SAVING = 0.05

#: Brotli's quality while others wait: 30 to 180 MB/s, beside 0.6 to 5 MB/s at 11, for 15 % more bytes.
QUICK_BROTLI = 5
#: Zstandard's level likewise: 70 MB/s, beside 3 MB/s at 19, for 6 % more bytes.
QUICK_ZSTD = 6
#: RFC 9659: a client need not decode what asks for a larger window than 8 MiB.
_ZSTD_WINDOW_LOG = 23

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Qualities:
    """How hard to try, and from what size on."""

    #: 0..11.  11 takes about a second per megabyte, and 15 % fewer bytes than 5.
    brotli: int = 11
    #: 1..9.
    gzip: int = 9
    #: 1..22; 0: not at all.  19 takes a quarter of the time of brotli 11, for 13 % more bytes.
    zstd: int = 19
    #: Bytes.  Smaller bodies fit one packet with their head either way.
    smallest: int = 256

    def of(self, coding: Coding) -> int:
        """The quality for one coding."""
        return {Coding.GZIP: self.gzip, Coding.BR: self.brotli, Coding.ZSTD: self.zstd}[coding]

    def quick(self, coding: Coding) -> int:
        """The quality at first: gzip is quick enough (15 to 150 MB/s) to be coded once and for all."""
        quick = {Coding.GZIP: self.gzip, Coding.BR: QUICK_BROTLI, Coding.ZSTD: QUICK_ZSTD}
        return min(self.of(coding), quick[coding])

    def codings(self) -> tuple[Coding, ...]:
        """The codings that are made."""
        return (Coding.GZIP, Coding.BR, Coding.ZSTD) if self.zstd else (Coding.GZIP, Coding.BR)


def is_worth_it(length: int, coded: int) -> bool:
    """Whether *coded* bytes instead of *length* are enough of a gain."""
    return coded <= length * (1 - SAVING)


def encode(body: bytes, coding: Coding, quality: int) -> bytes:
    """*body* in *coding*; for gzip without time and name, so that equal bodies stay equal."""
    if coding is Coding.BR:
        return bytes(brotlicffi.compress(body, quality=quality))
    if coding is Coding.ZSTD:
        return _zstd(body, quality)
    compressor = zlib.compressobj(quality, zlib.DEFLATED, _GZIP_WINDOW, 9)
    return compressor.compress(body) + compressor.flush()


def decodes_to(coded: bytes, coding: Coding, body: bytes) -> bool:
    """Whether *coded* is whole and gives exactly *body*; never makes more than a little over its size."""
    return _DECODERS[coding](coded, len(body) + 1) == body


def _zstd(body: bytes, level: int) -> bytes:
    """One frame that says its length."""
    known = zstandard.ZstdCompressionParameters.from_level(level, source_size=len(body))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, source_size=len(body), window_log=min(known.window_log, _ZSTD_WINDOW_LOG)
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(body)


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


def _unzstd(coded: bytes, limit: int) -> bytes | None:
    """The contents of the one frame that *coded* has to be."""
    try:
        if zstandard.frame_content_size(coded) > limit:  # -1: not said
            return None
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG)
        return decompressor.decompress(coded, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError:
        return None


_DECODERS: dict[Coding, Callable[[bytes, int], bytes | None]] = {
    Coding.GZIP: _gunzip,
    Coding.BR: _unbrotli,
    Coding.ZSTD: _unzstd,
}
