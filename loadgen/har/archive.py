"""A HAR file (HTTP Archive 1.2), as browsers' developer tools save one.

Read are method, address, status, type and sizes.  Cookies, other fields and bodies, which such files have,
too, are never decoded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from loadgen.errors import UsageError

#: Of a whole file; one has bodies in it, often.
MOST_BYTES = 256 << 20


class Request(msgspec.Struct):
    """What was asked."""

    method: str
    url: str
    #: -1: not told.
    headersSize: float = -1


class Content(msgspec.Struct):
    """The body, unpacked."""

    size: float = -1
    mimeType: str = ""


class Response(msgspec.Struct):
    """What was answered."""

    status: int
    content: Content = msgspec.field(default_factory=Content)
    #: As sent; -1: not told; 0: nothing, it was stored.
    bodySize: float = -1


class Exchange(msgspec.Struct):
    """One request and its answer."""

    request: Request
    response: Response
    #: Which page it was for; "": not told.
    pageref: str = ""


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]


class _Archive(msgspec.Struct):
    log: _Log


_EXCHANGE: Any = msgspec.json.Decoder(Exchange)


def read(path: Path) -> tuple[list[Exchange], int]:
    """The exchanges in the file *path*, and how many are none; :exc:`UsageError` if it is no HAR file."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: over {MOST_BYTES >> 20} MiB; save it without content")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name a HAR file") from None
    try:
        # Some programs begin with a byte order mark.
        entries = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Archive).log.entries
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: this is no HAR file: {error}") from None
    found: list[Exchange] = []
    for entry in entries:
        try:
            found.append(_EXCHANGE.decode(entry))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return found, len(entries) - len(found)
