"""Content codings of bodies, undone as browsers do it (RFC 9110 section 8.4.1).

What is made of a body is bounded, whatever it says: some kilobytes can stand for gigabytes.  What follows
after the end of a gzip stream is passed over, as browsers do.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable

import brotlicffi
import zstandard

from loadgen.wire import interface

#: RFC 9659: a client need not decode what asks for a larger window than 8 MiB.
_ZSTD_WINDOW = 8 << 20
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_GZIP_BEGINS = b"\x1f\x8b"
#: Of one body; each costs a copy of what follows it.
_MEMBERS = 16
#: What is said of an answer whose body is damaged.
DAMAGED = "a body that is not what its Content-Encoding says"
#: How far the check decodes one, bytes; the different ones that it remembers.
_FAR, _MOST = 16 << 20, 100_000
#: Different bodies that are all decoded; of further ones each so-manieth: a server may make each of its own.
_ALL, _EACH = 1000, 16


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
    text = bytes(decompressor.decompress(body, output_buffer_limit=most))
    return text if decompressor.is_finished() or len(text) >= most else None


def _unzstd(body: bytes, most: int) -> bytes | None:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with decompressor.stream_reader(body) as reader:
        text = reader.read(most)
    # A reader says nothing of an end that comes too early.
    return text if len(text) == most else decompressor.decompress(body, max_output_size=most)


#: By the name of the coding.
CODINGS: dict[str, Callable[[bytes, int], bytes | None]] = {
    "gzip": _gunzip, "deflate": _inflate, "br": _unbrotli, "zstd": _unzstd,
}  # fmt: skip


class CodingChecker:
    """Whether bodies are what their Content-Encoding says; equal ones are decoded once."""

    def __init__(self) -> None:
        self._whole: set[Hashable] = set()
        self._different = 0

    def is_damaged(self, key: Hashable, coding: int, body: bytes | memoryview) -> bool:
        """Whether a *body* of that *coding*, a number of an answer, is; *key*: of all that equal it."""
        name = interface.CODINGS[coding]
        if name not in CODINGS or key in self._whole:
            return False
        self._different += 1
        if self._different > _ALL and self._different % _EACH:
            return False
        if decoded(bytes(body), name, _FAR) is None:
            return True
        if len(self._whole) >= _MOST:
            self._whole.clear()
        self._whole.add(key)
        return False
