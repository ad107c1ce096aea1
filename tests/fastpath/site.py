"""A small published site for tests, and requests for it."""

from __future__ import annotations

import hashlib

from edge.resource import Representation, Resource, etag_of
from edge.table.segment import Segment
from edge.table.writer import Writer

PAGE = b"/a.html"
PHOTO = b"/i.jpg"
EMPTY = b"/empty"
BIG = b"/big"
#: What is there.
BODY = b"0123456789abcdef" * 12_500
DATE = b"Tue, 14 Nov 2023 22:13:20 GMT"
HOST = b"Host: example.org\r\n"

_PAGE_LINES = (
    b"Content-Type: text/html; charset=utf-8\r\n%sVary: Accept-Encoding\r\nCache-Control: no-cache\r\n"
)
_PHOTO_LINES = b"Content-Type: %s\r\nVary: Accept\r\nCache-Control: no-cache\r\n"


def _made(variant: int, body: bytes, lines_200: bytes, lines_304: bytes) -> Representation:
    digest = hashlib.sha256(body).digest()
    tail = b"Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n"
    return Representation(variant, etag_of(digest), digest, len(body), lines_200 + tail, lines_304, body)


def resources() -> list[Resource]:
    """A page in three codings, an image in three media, an empty file, a large body."""
    vary = b"Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n"
    vary_image = b"Cache-Control: no-cache\r\nVary: Accept\r\n"
    plain = b"Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-cache\r\n"
    return [
        Resource(
            PAGE,
            1_700_000_000,
            (
                _made(0, b"<p>identity</p>" * 40, _PAGE_LINES % b"", vary),
                _made(1, b"gzip bytes", _PAGE_LINES % b"Content-Encoding: gzip\r\n", vary),
                _made(2, b"br bytes", _PAGE_LINES % b"Content-Encoding: br\r\n", vary),
            ),
        ),
        Resource(
            PHOTO,
            1_600_000_000,
            (
                _made(0, b"jpeg", _PHOTO_LINES % b"image/jpeg", vary_image),
                _made(4, b"webp", _PHOTO_LINES % b"image/webp", vary_image),
                _made(8, b"avif", _PHOTO_LINES % b"image/avif", vary_image),
            ),
        ),
        Resource(EMPTY, 1_650_000_000, (_made(0, b"", plain, b"Cache-Control: no-cache\r\n"),)),
        Resource(
            BIG,
            1_650_000_001,
            (_made(0, BODY, plain, b"Cache-Control: no-cache\r\n"),),
        ),
    ]


def etag(path: bytes, variant: int = 0) -> bytes:
    """The ETag of a representation of the site."""
    for resource in resources():
        for one in resource.representations:
            if (resource.path, one.variant) == (path, variant):
                return one.etag
    raise KeyError(path, variant)


def published(workers: int = 4) -> Segment:
    """A segment with the site in it."""
    segment = Segment.create(capacity=256, arena_bytes=1 << 20, workers=workers)
    writer = Writer(segment)
    for resource in resources():
        assert writer.put(resource)
    writer.put_template(
        b"/.edge/revalidate", b"Content-Type: application/json\r\nCache-Control: no-store\r\n", b""
    )
    writer.set_complete(True)
    return segment


def get(path: bytes = PAGE, *lines: bytes, method: bytes = b"GET") -> bytes:
    """A request with these header lines (without CRLF)."""
    return (
        method + b" " + path + b" HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    )


def revalidate(body: bytes, *lines: bytes) -> bytes:
    """A batch revalidation."""
    length = b"Content-Length: %d" % len(body)
    return get(b"/.edge/revalidate", length, *lines, method=b"POST") + body
