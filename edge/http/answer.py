"""The heads of answers, byte for byte.

The one place where heads are written in Python: the fast path's Python build and the Twisted side
both use it, and the native build writes the same bytes.  The order of lines is part of the promise
that a request gets one answer whichever way it takes::

    200  Date  ETag  Last-Modified  Content-Length                 lines_200  cors  state  close
    206  Date  ETag  Last-Modified  Content-Range  Content-Length  lines_200  cors  state  close
    304  Date  ETag                                                lines_304  cors  close
    answers of applications, from the table: their Date, their age, their Last-Modified among the lines
    200  Date  Age  ETag  lines_200  cors  Content-Length                           close
    304  Date  Age  ETag  lines_304  cors                                           close
    other representations, batch answers
         Date  Content-Length                                      lines_200  cors  close
    errors, redirects
         Date  Content-Type  Content-Length                        lines      close
    redirects that are published
         Date  Content-Type  Content-Length  Location  lines_200  cors  close

*lines_200* and *lines_304* come from publishing: complete lines, each ended by CRLF.  *date* is
always the 29 bytes of :func:`edge.http.dates.format_date`.  *cors* is what :func:`cors_line` gives;
after it, 200 and 206 let scripts read all header lines.
*state*, Edge-State, tells at which state of the site the representation is current; see
:mod:`edge.http.changes`.
*close* adds ``Connection: close``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from edge.http.dates import format_date
from edge.http.errors import DEFAULT_EXPLANATIONS, ProtocolError, reason_phrase
from edge.http.target import canonical_path

if TYPE_CHECKING:
    from edge.http.ranges import Span

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

MOVED = "The resource is at the address that Location names."
_CORS = b"Access-Control-Allow-Origin: *\r\n"
#: Goes with it where scripts have a use for the header lines: ETag, Vary, Date.
_EXPOSE = b"Access-Control-Expose-Headers: *\r\n"
#: Paths whose own lines carry that field already.
_EDGE = b"/.edge/"
_NO_DATE = format_date(0)
_PORT = re.compile(rb":[0-9]*\Z")
_QUERY = re.compile(rb"[\x21-\x7e]*")


def cors_line(path: bytes, origin: bytes | None, allowed: Collection[bytes]) -> bytes:
    """The line that lets pages of another origin read the answer, or nothing.

    :param path: of the request, as sent.
    :param origin: value of Origin; None: not sent.
    :param allowed: serialized origins; ``*`` among them allows all.
    """
    if origin is None or path.startswith(_EDGE):
        return b""
    return _CORS if origin in allowed or b"*" in allowed else b""


def has_own_cors(lines: bytes) -> bool:
    """Whether the header *lines* of an entry say themselves which origins may read it."""
    return b"\r\nAccess-Control-Allow-Origin:" in b"\r\n" + lines


def _readable(cors: bytes) -> bytes:
    return cors + _EXPOSE if cors else b""


def state_line(state: bytes | None) -> bytes:
    """The line that says at which *state* of the site what is sent is current; None: no line."""
    return b"" if state is None else b"Edge-State: %b\r\n" % state


def _end(close: bool) -> bytes:
    return b"Connection: close\r\n\r\n" if close else b"\r\n"


def head_200(
    date: bytes,
    etag: bytes,
    modified: int,
    length: int,
    lines_200: bytes,
    cors: bytes = b"",
    close: bool = False,
    state: bytes | None = None,
) -> bytes:
    """Of a whole representation; *etag* without quotes, *modified* in Unix seconds.

    *state* is that of :func:`edge.table.site_state.state_since`.
    """
    return (
        b'HTTP/1.1 200 OK\r\nDate: %b\r\nETag: "%b"\r\nLast-Modified: %b\r\nContent-Length: %d\r\n%b%b%b%b'
        % (
            date,
            etag,
            format_date(modified),
            length,
            lines_200,
            _readable(cors),
            state_line(state),
            _end(close),
        )
    )


def head_304(date: bytes, etag: bytes, lines_304: bytes, cors: bytes = b"", close: bool = False) -> bytes:
    """The client's copy is still good.  No reason phrase, no more fields than RFC 9110 15.4.5 asks for."""
    return b'HTTP/1.1 304 \r\nDate: %b\r\nETag: "%b"\r\n%b%b%b' % (date, etag, lines_304, cors, _end(close))


def head_206(
    date: bytes,
    etag: bytes,
    modified: int,
    span: Span,
    length: int,
    lines_200: bytes,
    cors: bytes = b"",
    close: bool = False,
    state: bytes | None = None,
) -> bytes:
    """Of *span* of a representation of *length* octets."""
    return (
        b'HTTP/1.1 206 Partial Content\r\nDate: %b\r\nETag: "%b"\r\nLast-Modified: %b\r\n'
        b"Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n%b%b%b%b"
        % (
            date,
            etag,
            format_date(modified),
            span.first,
            span.last,
            length,
            span.length,
            lines_200,
            _readable(cors),
            state_line(state),
            _end(close),
        )
    )


def head_answer(
    date: bytes,
    age: int,
    etag: bytes,
    length: int,
    lines_200: bytes,
    cors: bytes = b"",
    close: bool = False,
) -> bytes:
    """Of an application's stored answer; *age* in seconds, *etag* as it is written, with quotes.

    In the order in which answers are passed on (:mod:`edge.node.connection.framing`).
    """
    return b"HTTP/1.1 200 OK\r\nDate: %b\r\nAge: %d\r\nETag: %b\r\n%b%bContent-Length: %d\r\n%b" % (
        date,
        age,
        etag,
        lines_200,
        _readable(cors),
        length,
        _end(close),
    )


def head_answer_304(
    date: bytes, age: int, etag: bytes, lines_304: bytes, cors: bytes = b"", close: bool = False
) -> bytes:
    """The client's copy of an application's answer is still good; otherwise :func:`head_304`."""
    return b"HTTP/1.1 304 \r\nDate: %b\r\nAge: %d\r\nETag: %b\r\n%b%b%b" % (
        date,
        age,
        etag,
        lines_304,
        cors,
        _end(close),
    )


def head_plain(
    status: int, date: bytes, length: int, lines: bytes, cors: bytes = b"", close: bool = False
) -> bytes:
    """Of a body without validators: the answer to a batch, or ``/404.html`` with status 404."""
    return b"HTTP/1.1 %d %b\r\nDate: %b\r\nContent-Length: %d\r\n%b%b%b" % (
        status,
        reason_phrase(status).encode("ascii"),
        date,
        length,
        lines,
        cors,
        _end(close),
    )


#: What 429 says.
TOO_MANY = "More requests than this address may make; try again later."


def error(
    status: int, explanation: str = "", date: bytes = _NO_DATE, lines: bytes = b"", close: bool = True
) -> tuple[bytes, bytes]:
    """(head, body) of an answer that says why there is no other; to HEAD only the head is sent.

    :param explanation: one sentence; empty: what is usual for the status.
    :param date: to be given whenever the answer is sent as it is.
    :param lines: more header lines (Allow, Location, Content-Range ...), each ended by CRLF.
    """
    name = f"{status} {reason_phrase(status)}"
    explanation = explanation or DEFAULT_EXPLANATIONS.get(status, "")
    body = (f"{name}: {explanation}\n" if explanation else f"{name}\n").encode("utf-8")
    head = b"HTTP/1.1 %b\r\nDate: %b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%b%b"
    return head % (name.encode("ascii"), date, len(body), lines, _end(close)), body


def error_answer(
    status: int, explanation: str = "", date: bytes = _NO_DATE, lines: bytes = b"", close: bool = True
) -> bytes:
    """:func:`error`, in one piece."""
    return b"".join(error(status, explanation, date, lines, close))


def too_many(date: bytes, seconds: int, close: bool) -> tuple[bytes, bytes]:
    """(head, body) of 429 (RFC 6585 section 4): the client may try again in so many *seconds*."""
    return error(429, TOO_MANY, date, b"Retry-After: %d\r\n" % seconds, close)


def refusal(problem: ProtocolError, date: bytes) -> tuple[bytes, bytes]:
    """(head, body) of the answer to a request that *problem* was raised for; closes."""
    return error(problem.status, problem.explanation, date, problem.lines, close=True)


def head_416(length: int, date: bytes, cors: bytes = b"", close: bool = False) -> tuple[bytes, bytes]:
    """(head, body): no octet of the range lies in the representation, which has *length* octets."""
    return error(416, "", date, b"Content-Range: bytes */%d\r\n%b" % (length, cors), close)


def not_allowed(methods: Collection[bytes], date: bytes, close: bool = False) -> tuple[bytes, bytes]:
    """(head, body) of 405: the resource has only these *methods* (RFC 9110 section 15.5.6)."""
    return error(405, "", date, b"Allow: %b\r\n" % b", ".join(sorted(methods)), close)


def hsts_line(value: str) -> bytes:
    """The line Strict-Transport-Security with *value*; nothing for ""."""
    return b"Strict-Transport-Security: %b\r\n" % value.encode("ascii") if value else b""


def with_hsts(head: bytes, line: bytes) -> bytes:
    """*head* with *line*, Strict-Transport-Security (RFC 6797), at its end.

    A 304 is left as it is: it has to be small, and a browser that has a copy was told with that.  So are
    interim answers and those that switch protocols.
    """
    if not line or head[9:12] == b"304" or head[9:10] == b"1":
        return head
    return head[:-2] + line + b"\r\n"


#: The media type of a page, in a head; names of fields are case-insensitive.
_PAGE = re.compile(rb"\r\ncontent-type: text/html", re.IGNORECASE)


def speculation_line(path: str) -> bytes:
    """The line that tells browsers where the rules of speculative loading are (HTML, section 7.6.2)."""
    return b'Speculation-Rules: "%b"\r\n' % path.encode("ascii")


def with_speculation(head: bytes, line: bytes) -> bytes:
    """*head* with *line* (:func:`speculation_line`) at its end, if it is that of a page (200, HTML)."""
    if not line or head[9:12] != b"200" or not _PAGE.search(head):
        return head
    return head[:-2] + line + b"\r\n"


def with_keep_alive(head: bytes) -> bytes:
    """*head* that tells a client of HTTP/1.0 that the connection persists (RFC 9112 section 9.3)."""
    return head[:-2] + b"Connection: keep-alive\r\n\r\n"


def head_options(methods: Collection[bytes], date: bytes, cors: bytes = b"", close: bool = False) -> bytes:
    """Of the answer to OPTIONS, also to ``OPTIONS *``: 204 with Allow, no body."""
    allow = b", ".join(sorted(methods))
    return b"HTTP/1.1 204 No Content\r\nDate: %b\r\nAllow: %b\r\n%b%b" % (date, allow, cors, _end(close))


def redirect_published(
    status: int, location: bytes, query: bytes | None, date: bytes, lines: bytes = b"", close: bool = False
) -> tuple[bytes, bytes]:
    """(head, body) of a redirect that a rule of the site says.

    :param location: the line Location, whole.
    :param query: of the request; passed on where the address has none.
    :param lines: more header lines, each ended by CRLF.
    """
    address, mark, fragment = location[:-2].partition(b"#")
    if query is not None and b"?" not in address:
        address += b"?" + query
    return error(status, MOVED, date, b"%b%b%b\r\n%b" % (address, mark, fragment, lines), close)


def redirect_to_https(
    host: bytes, port: int, path: bytes, query: bytes | None, date: bytes, close: bool = False
) -> tuple[bytes, bytes]:
    """(head, body) of 308 to the same resource over HTTPS.

    :param host: as a request named it (:data:`edge.http.grammar.HOST`); its port, if any, is left out.
    :param port: of HTTPS; 443 is left out.
    :param path: as sent, canonical or not: it names the same over HTTPS.
    :param query: as sent, without its ``?``.
    """
    name = _PORT.sub(b"", host) + (b"" if port == 443 else b":%d" % port)
    target = path if path.startswith(b"/") else b"/"
    if query is not None:
        target += b"?" + query
    return error(
        308,
        MOVED,
        date,
        b"Location: https://%b%b\r\n" % (name, target),
        close,
    )


def redirect(
    path: bytes, query: bytes | None, date: bytes, status: int = 301, lines: bytes = b"", close: bool = False
) -> tuple[bytes, bytes]:
    """(head, body) of a redirect to *path* on this very host; *query* is kept.

    Location is a path alone, so that no Host and no ``//`` in a request can lead anywhere else.

    :raises ValueError: *path* is not canonical (see :func:`edge.http.target.canonical_path`): it
        could name another host, or end the line.
    """
    if canonical_path(path) != path:
        raise ValueError(f"not a path to redirect to: {path!r}")
    if query is not None:
        if not _QUERY.fullmatch(query):
            raise ValueError(f"not a query to redirect with: {query!r}")
        path += b"?" + query
    return error(
        status,
        MOVED,
        date,
        b"Location: %b\r\n%b" % (path, lines),
        close,
    )
