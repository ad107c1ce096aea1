"""Content codings of bodies, undone as browsers do it (RFC 9110 section 8.4.1).

What is made of a body is bounded, whatever it says: some kilobytes can stand for gigabytes.  What follows
after the end of a gzip or Brotli stream is passed over, as browsers do; behind a Zstandard frame only further
frames may come (RFC 8878 section 3.1), and browsers show nothing of a body that has something else there.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotlicffi
import zstandard

#: RFC 9659: a client need not decode what asks for a larger window than 8 MiB.
_ZSTD_WINDOW = 8 << 20
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_GZIP_BEGINS = b"\x1f\x8b"
#: Of one body; each costs a copy of what follows it.
_MEMBERS = 16
_ZSTD_FRAME, _ZSTD_SKIPPED = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"
#: Of Zstandard blocks: types, and bytes of their headers.
_RLE, _RESERVED, _BLOCK_HEADER = 1, 3, 3
#: Of frames: bytes of a header, magic number and all; whether a checksum follows the blocks, and its bytes.
_LONGEST_HEADER, _HAS_CHECKSUM, _CHECKSUM_BYTES = 18, 4, 4
#: Bytes of Brotli that are decoded at once where the end of a stream is looked for.
_STEPS = 1 << 14, 1 << 7, 1
#: Blocks that are looked at, before a body is taken as whole: a stranger may send five million empty ones.
_BLOCKS = 10_000


def decoded(body: bytes, coding: str, most: int) -> bytes | None:
    """The first *most* bytes of *body* without its *coding*, one of :data:`CODINGS`; "": it has none.

    None: it is damaged, or ends too early.
    """
    if not coding or not body:
        return body[:most]
    try:
        return CODINGS[coding](body, most)
    except (zlib.error, brotlicffi.error, zstandard.ZstdError):
        return None


def _gunzip(body: bytes, most: int) -> bytes | None:
    """The text of all members (RFC 1952 section 2.2)."""
    text, rest = b"", body
    for _ in range(_MEMBERS):
        part, rest = _inflated(rest, most - len(text), _GZIP)
        if part is None:
            return None
        text += part
        if len(text) == most or not rest.startswith(_GZIP_BEGINS):
            break
    return text


def _inflate(body: bytes, most: int) -> bytes | None:
    """By zlib's format (RFC 1950), or without it, as many servers send it."""
    try:
        return _inflated(body, most, _ZLIB)[0]
    except zlib.error:
        return _inflated(body, most, _RAW)[0]


def _inflated(body: bytes, most: int, window: int) -> tuple[bytes | None, bytes]:
    """The text of one stream (None: it ends too early), and what follows it."""
    inflater = zlib.decompressobj(window)
    text = inflater.decompress(body, most)
    return (text if inflater.eof or len(text) == most else None), inflater.unused_data


def _unbrotli(body: bytes, most: int) -> bytes | None:
    decompressor = brotlicffi.Decompressor()
    try:
        text = bytes(decompressor.decompress(body, output_buffer_limit=most))
    except brotlicffi.error:
        if not decompressor.is_finished():
            raise
        return _unbrotli_beginning(body, most)
    return text if decompressor.is_finished() or len(text) >= most else None


def _unbrotli_beginning(body: bytes, most: int) -> bytes | None:
    """The text of the stream that *body* begins with: the library takes what follows it for an error.

    The piece in which it ends is found, then the one in that piece, then the byte.
    """
    begin = 0
    for step in _STEPS:
        decompressor = brotlicffi.Decompressor()
        text = bytes(decompressor.decompress(body[:begin], output_buffer_limit=most)) if begin else b""
        for at in range(begin, len(body), step):
            left = most - len(text)
            try:
                text += bytes(decompressor.decompress(body[at : at + step], output_buffer_limit=left))
            except brotlicffi.error:
                begin = at
                break
            if decompressor.is_finished() or len(text) >= most:
                return text
    return None


def _unzstd(body: bytes, most: int) -> bytes | None:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with decompressor.stream_reader(body, read_across_frames=True) as reader:
        text = reader.read(most)
    # A reader says nothing of an end that comes too early.
    return text if len(text) == most or _are_frames(body) else None


def _are_frames(body: bytes) -> bool:
    """Whether Zstandard frames fill *body*, the last one whole; of what could be decoded (RFC 8878)."""
    at, blocks = 0, 0
    while at < len(body) and blocks < _BLOCKS:
        if body.startswith(_ZSTD_SKIPPED, at + 1):
            at += 8 + int.from_bytes(body[at + 4 : at + 8], "little")
            blocks += 1
            continue
        if not body.startswith(_ZSTD_FRAME, at):
            return False
        header_bytes = zstandard.frame_header_size(body[at : at + _LONGEST_HEADER])
        checksum = _CHECKSUM_BYTES if body[at + 4] & _HAS_CHECKSUM else 0
        at += header_bytes
        is_last = False
        while not is_last and blocks < _BLOCKS:
            header = int.from_bytes(body[at : at + _BLOCK_HEADER], "little")
            if at + _BLOCK_HEADER > len(body) or header >> 1 & 3 == _RESERVED:
                return False
            is_last = bool(header & 1)
            at += _BLOCK_HEADER + (1 if header >> 1 & 3 == _RLE else header >> 3)
            blocks += 1
        at += checksum
    return at == len(body) or blocks == _BLOCKS


#: By the name of the coding.
CODINGS: dict[str, Callable[[bytes, int], bytes | None]] = {
    "gzip": _gunzip, "deflate": _inflate, "br": _unbrotli, "zstd": _unzstd,
}  # fmt: skip
