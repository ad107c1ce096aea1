"""A small published site for tests, and requests for it."""

from __future__ import annotations

import hashlib

from edge.cache.record import AnswerRecord
from edge.cache.status import HIT
from edge.resource import Representation, Resource, etag_of, redirect
from edge.table.layout import OWN_CORS, OWN_ETAG, ticks_of
from edge.table.segment import Segment
from edge.table.writer import StoredAnswer, Writer

PAGE = b"/a.html"
PHOTO = b"/i.jpg"
EMPTY = b"/empty"
BIG = b"/big"
#: It says itself who may read it.
OWN_CORS_PAGE = b"/own-cors"
#: They lead elsewhere, or to nothing: (path, status, address).
REDIRECTS = (
    (b"/moved", 308, b"/a.html"),
    (b"/moved-301", 301, b"https://example.org/#there"),
    (b"/moved-302", 302, b"/a.html?own=1"),
    (b"/moved-303", 303, b"/a#b?c"),
    (b"/moved-307", 307, b"/" + b"x" * 4000),
    (b"/gone", 410, b""),
    (b"/gone-page", 404, b"/a.html"),
)
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


def page(name: bytes, body: bytes) -> Resource:
    """A small page, whose entry has this *name*."""
    return Resource(name, 1_700_000_000, (_made(0, body, _PAGE_LINES % b"", b"Cache-Control: no-cache\r\n"),))


def resources() -> list[Resource]:
    """A page in four codings, an image in three media, an empty file, a large body, redirects."""
    vary = b"Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n"
    vary_image = b"Cache-Control: no-cache\r\nVary: Accept\r\n"
    own = b"Access-Control-Allow-Origin: https://n2.example\r\n"
    plain = b"Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-cache\r\n"
    return [
        Resource(
            PAGE,
            1_700_000_000,
            (
                _made(0, b"<p>identity</p>" * 40, _PAGE_LINES % b"", vary),
                _made(1, b"gzip bytes", _PAGE_LINES % b"Content-Encoding: gzip\r\n", vary),
                _made(2, b"br bytes", _PAGE_LINES % b"Content-Encoding: br\r\n", vary),
                _made(3, b"zstd bytes", _PAGE_LINES % b"Content-Encoding: zstd\r\n", vary),
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
        Resource(OWN_CORS_PAGE, 1_650_000_002, (_made(0, b"own", plain + own, own),)),
        *(redirect(path, status, to, 1, b"X-Moved: yes\r\n") for path, status, to in REDIRECTS),
        redirect(b"/moved-cors", 302, b"/x", 0, own),
    ]


#: The present of whoever reads answers, CLOCK_MONOTONIC in milliseconds.
NOW_MS = 10_000_000
#: Keys of answers of an application: the last one is no longer fresh, and is older than the machine's uptime.
ANSWERS = (b"/app", b"/app?x=1", b"/app?q=%7B%7D&y", b"/app/own", b"/app/other", b"/app/old")
#: What Date says in them.
ANSWERED = 1_699_999_990


def answer(name: bytes) -> StoredAnswer:
    """The answer of an application under *name*: in four codings, and made 5 s ago."""
    own = name == b"/app/own"
    lines = b"Content-Type: text/html\r\n%bCache-Control: s-maxage=60\r\nVary: Accept-Encoding\r\n"
    lines += (b"Access-Control-Allow-Origin: https://n2.example\r\n" if own else b"") + HIT
    short = b"Cache-Control: s-maxage=60\r\nVary: Accept-Encoding\r\n"
    codings = (b"", b"Content-Encoding: gzip\r\n", b"Content-Encoding: br\r\n", b"Content-Encoding: zstd\r\n")
    made = []
    for variant, coding in enumerate(codings):
        body = b"%b in %d" % (name, variant)
        digest = hashlib.sha256(body).digest()
        made.append(Representation(variant, etag_of(digest), digest, len(body), lines % coding, short, body))
    old = name == b"/app/old"
    born = ticks_of(NOW_MS) - 16 * 20_000 if old else ticks_of(NOW_MS - 5_500)
    code, tag = 404 if name == b"/app/other" else 200, b'"own"' if own else b""
    record = AnswerRecord(name, code, ANSWERED, 60, 30, 60, tag, born=born, asked=born)
    until = ticks_of(NOW_MS) if old else ticks_of(NOW_MS + 54_500)
    flags = OWN_ETAG | OWN_CORS if own else 0
    return StoredAnswer(name, tuple(made), record.pack(), until, flags, plain=code == 200)


def etag(path: bytes, variant: int = 0) -> bytes:
    """The ETag of a representation of the site, or of an answer."""
    if path in ANSWERS:
        return answer(path).representations[variant].etag
    for resource in resources():
        for one in resource.representations:
            if (resource.path, one.variant) == (path, variant):
                return one.etag
    raise KeyError(path, variant)


def published(workers: int = 4, answers: bool = False, sites: int = 0) -> Segment:
    """A segment with the site in it, and *answers* of an application; it counts by so many *sites*."""
    segment = Segment.create(capacity=256, arena_bytes=1 << 20, workers=workers, sites=sites)
    writer = Writer(segment)
    for resource in resources():
        assert writer.put(resource)
    for name in ANSWERS if answers else ():
        assert writer.put_answer(answer(name)) is not None
    writer.put_template(
        b"/.edge/revalidate", b"Content-Type: application/json\r\nCache-Control: no-store\r\n", b""
    )
    writer.set_complete(True)
    return segment


def put_state(segment: Segment, history: bytes) -> None:
    """Have the entry of the state of the site be this *history* (:mod:`edge.http.changes`)."""
    lines = b"Content-Type: text/plain\r\n"
    one = _made(0, history, lines, b"")
    writer_of(segment).put(Resource(b"/.edge/changes", 1_700_000_000, (one,)), counts=False)


def writer_of(segment: Segment) -> Writer:
    """A writer that goes on with what is in *segment*."""
    writer = Writer(segment)
    writer.recover()
    return writer


def get(path: bytes = PAGE, *lines: bytes, method: bytes = b"GET") -> bytes:
    """A request with these header lines (without CRLF)."""
    return (
        method + b" " + path + b" HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    )


def revalidate(body: bytes, *lines: bytes) -> bytes:
    """A batch revalidation."""
    length = b"Content-Length: %d" % len(body)
    return get(b"/.edge/revalidate", length, *lines, method=b"POST") + body
