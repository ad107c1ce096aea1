"""Resources and representations (RFC 9110, section 3): what table, gossip and publishing share.

Publishing makes them (:mod:`edge.publish`), the table keeps them (:mod:`edge.table`), gossip passes their
metadata on (:mod:`edge.gossip.changes`); so this module imports none of the three.

A *redirect* is a resource of one empty representation, whose lines begin with a status (:func:`redirect`):
so it passes wherever a representation does, and only who writes it into the table looks into it.

A *representation* is the bytes and headers of one resource in one variant.  A variant is a number,
``media * 4 + coding``, so that the set of variants of a path fits a 16-bit mask.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256


class Coding(IntEnum):
    """Content codings, by their numbers in variants; which is preferred, see :data:`PREFERENCE`."""

    IDENTITY = 0
    GZIP = 1
    BR = 2
    ZSTD = 3


class Media(IntEnum):
    """Media variants of an image, least preferred first."""

    ORIGINAL = 0
    WEBP = 1
    AVIF = 2


#: Of codings that a client takes as gladly, the first: by the bytes that they make of text.
PREFERENCE = (Coding.BR, Coding.ZSTD, Coding.GZIP, Coding.IDENTITY)
#: What goes into Content-Encoding / matches Accept-Encoding.
CODING_TOKENS = {Coding.GZIP: "gzip", Coding.BR: "br", Coding.ZSTD: "zstd"}
#: What must stand in Accept, explicitly, for the media variant to be chosen.
MEDIA_TYPES = {Media.WEBP: "image/webp", Media.AVIF: "image/avif"}


def variant_number(media: Media, coding: Coding) -> int:
    """The table's number for one variant."""
    return media * 4 + coding


def etag_of(digest: bytes) -> bytes:
    """The opaque-tag (16 characters, no quotes) of a body with this SHA-256 *digest*."""
    return urlsafe_b64encode(digest[:12])


#: The rank of a page.
PAGE_RANK = 3
#: Content types by what may refer to what: each only to those before it.
_RANKS = (
    (b"Content-Type: text/html", PAGE_RANK),
    (b"Content-Type: application/xhtml+xml", PAGE_RANK),
    (b"Content-Type: text/javascript", 2),
    (b"Content-Type: text/css", 1),
)
#: The rank of a removal: after everything else.
REMOVAL_RANK = 4


def rank_of(lines_200: bytes) -> int:
    """When a deploy puts a resource with these header lines: 0 first (images, fonts), pages (3) last."""
    return next((rank for line, rank in _RANKS if lines_200.startswith(line)), 0)


@dataclass(frozen=True, slots=True)
class Representation:
    """One variant of a resource, ready to serve."""

    variant: int
    #: 16 characters of base64url: :func:`etag_of` of *digest*.
    etag: bytes
    #: SHA-256 of the body.
    digest: bytes
    length: int
    #: Complete header lines of a 200 (each ended by CRLF), see edge.table.layout "Head record".
    lines_200: bytes
    #: The same for a 304: Cache-Control and Vary only.
    lines_304: bytes
    #: The body where it is small; None: in the blob store, in the file named by *etag*.
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Resource:
    """Everything published under one path."""

    #: Canonical, percent-encoded, absolute path (no query), ASCII.
    path: bytes
    #: Last-Modified, Unix seconds.
    modified: int
    #: Variant 0 always exists and comes first.
    representations: tuple[Representation, ...]


#: What the lines of a redirect begin with; HTTP has no such field.
_STATUS = b"Status: "


def redirect(path: bytes, status: int, location: bytes, modified: int = 0, lines: bytes = b"") -> Resource:
    """The resource at *path* that leads to *location* with *status*; or is gone, where *location* is empty.

    *lines*: further header lines.  In place of those of a 304 stands the line Location.
    """
    first = b"%b%d\r\n" % (_STATUS, status)
    where = b"Location: %b\r\n" % location if location else b""
    digest = sha256(first + where).digest()
    one = Representation(0, etag_of(digest), digest, 0, first + lines, where, b"")
    return Resource(path, modified, (one,))


def split_status(lines_200: bytes) -> tuple[int, bytes]:
    """(status, the other lines) of a resource with these lines; 0: it is no redirect."""
    if not lines_200.startswith(_STATUS):
        return 0, lines_200
    line, _, rest = lines_200.partition(b"\r\n")
    status = line[len(_STATUS) :]
    return (int(status), rest) if len(status) == 3 and status.isdigit() else (0, lines_200)
