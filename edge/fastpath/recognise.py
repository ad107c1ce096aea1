"""The recogniser: a strict subset of HTTP/1.1 (RFC 9112) is recognised, all else let go.  Sans-IO.

This is the specification of what the fast path takes, and the twin of ``edge_request.c``.  A head must
match :data:`_HEAD` whole; then every field that could change the answer is one of those that
:func:`fields_of` understands, in a form that it understands.  Anything else is for the strict parser on
the Twisted side.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from edge.remembered import remembered
from edge.resource import CODING_TOKENS, Coding

HEAD_LIMIT = 8192
FIELD_LIMIT = 64
BODY_LIMIT = 131072

_TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_LINE = _TCHAR + rb"+:" + _VALUE + rb"\r\n"
#: A request head: method, target, field lines.
_HEAD = re.compile(
    rb"(?:(GET|HEAD) (/[!-~]*)|(POST) (/\.edge/revalidate)) HTTP/1\.1\r\n((?:" + _LINE + rb")*)\r\n"
)
#: What can still become one: checked only when the end of the head is not there yet.
_BEGINNING = re.compile(
    rb"(?:(?:GET|HEAD) /[!-~]*|POST /\.edge/revalidate) HTTP/1\.1\r\n"
    rb"(?:" + _LINE + rb")*(?:" + _TCHAR + rb"+(?::" + _VALUE + rb"\r?)?|\r)?"
)
_BEGINNING_OF_LINE = re.compile(
    rb"(?:GET|HEAD) /[!-~]*(?: (?:H(?:T(?:T(?:P(?:/(?:1(?:\.(?:1\r?)?)?)?)?)?)?)?)?)?"
)
_REVALIDATE_LINE = b"POST /.edge/revalidate HTTP/1.1\r\n"

_FIELD = re.compile(rb"([^:]+):[ \t]*(.*?)[ \t]*\r\n", re.DOTALL)
_HOST = re.compile(rb"(?:[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
#: What browsers send in a query, by the query percent-encode set of the URL Standard.
_QUERY = re.compile(rb'[^"#<>]*')
_TAG = re.compile(rb"(?:(.*)&)?~etag=([A-Za-z0-9_\-]{1,64})", re.DOTALL)
_TOKEN = re.compile(_TCHAR + rb"+")
_NONE_MATCH = re.compile(rb'[ \t]*(?:W/)?"([!#-~]*)"[ \t]*(,|\Z)')
#: What opens WebSockets, and nothing else.
FEED = b"/.edge/socket"
#: The fields that an opening handshake has besides others, once each.
_OPENING = {
    b"upgrade": re.compile(rb"websocket", re.IGNORECASE),
    b"connection": re.compile(_VALUE),
    b"sec-websocket-version": re.compile(rb"13"),
    b"sec-websocket-key": re.compile(rb"[A-Za-z0-9+/]{22}=="),
}
_OPENING_LINE = re.compile(rb"^(?:" + b"|".join(_OPENING) + rb"):[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
_PLAIN = re.compile(rb"text/plain[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL)

#: Fields that change what an answer has to be in ways that are not for the fast path.
_LET_GO = frozenset(
    b"range if-range if-match if-unmodified-since expect transfer-encoding upgrade te trailer "
    b"http2-settings content-encoding x-http-method-override".split()
)
_AT_MOST_ONCE = frozenset(
    b"host connection if-none-match accept accept-encoding origin content-length".split()
)


class Fields(NamedTuple):
    """What the field lines of a head say that matters here."""

    close: bool = False
    #: The value of Host.
    host: bytes = b""
    #: Acceptable content codings, 1 << :class:`~edge.resource.Coding` each.
    codings: int = 1 << Coding.IDENTITY
    #: Opaque-tags of If-None-Match; None: absent.
    none_match: frozenset[bytes] | None = None
    #: If-None-Match: *
    any_match: bool = False
    modified_since: bool = False
    accept: bytes | None = None
    origin: bytes | None = None
    content_length: int | None = None
    content_type: bytes | None = None
    referer: bytes = b""
    user_agent: bytes = b""
    #: More than one Content-Type line.
    types: int = 0
    #: What proxies write; it means nothing where the peer is not trusted.
    forwarded: bytes | None = None
    forwarded_host: bytes | None = None
    #: Lines of X-Forwarded-For.
    forwarded_for: tuple[bytes, ...] = ()


class Request(NamedTuple):
    """A recognised request."""

    method: bytes
    target: bytes
    path: bytes
    #: The target without that validator: the key of an application's answer.
    exact: bytes
    #: The validator in the query.
    tag: bytes | None
    fields: Fields
    body: bytes
    #: Bytes of head and body.
    consumed: int
    #: Of the opening handshake of a WebSocket of the push service: Sec-WebSocket-Key; b"": it is none.
    key: bytes = b""


class Unrecognised(Enum):
    """What bytes are that are no request within the subset."""

    #: They may become one: wait for more.
    INCOMPLETE = auto()
    #: They are for the strict parser, whatever follows.
    LET_GO = auto()


def recognise(data: bytes, at: int = 0) -> Request | Unrecognised:
    """The request at *at*, or why there is none."""
    head = _HEAD.match(data, at)
    if head is None:
        return _incomplete(data, at)
    length = head.end() - at
    if head[1] == b"GET" and (head[2] == FEED or head[2].startswith(FEED + b"?")):
        return _opening(head[2], head[5], length)
    fields = fields_of(head[5])
    if fields is None or length > HEAD_LIMIT:
        return Unrecognised.LET_GO
    if head[3]:
        return _revalidation(data, at, head.end(), fields)
    if fields.content_length is not None or (fields.modified_since and not _has_none_match(fields)):
        return Unrecognised.LET_GO
    target = head[2]
    path, mark, query = target.partition(b"?")
    tag, exact = None, target
    if mark:
        if not _QUERY.fullmatch(query):
            return Unrecognised.LET_GO
        found = _TAG.fullmatch(query)
        if found:
            exact, tag = path if found[1] is None else b"%b?%b" % (path, found[1]), found[2]
    return Request(head[1], target, path, exact, tag, fields, b"", length)


def _opening(target: bytes, block: bytes, length: int) -> Request | Unrecognised:
    """A request to the push socket, which is an opening handshake (RFC 6455 section 4.1) or let go."""
    lines = _FIELD.findall(block)
    asked = [(name.lower(), value) for name, value in lines if name.lower() in _OPENING]
    told = dict(asked)
    fields = fields_of(_OPENING_LINE.sub(b"", block))
    path, mark, query = target.partition(b"?")
    if (
        length > HEAD_LIMIT
        or len(lines) > FIELD_LIMIT
        or len(asked) != len(_OPENING)
        or not all(name in told and form.fullmatch(told[name]) for name, form in _OPENING.items())
        or not _wants_upgrade(told[b"connection"])
        or fields is None
        or fields.content_length is not None
        or fields.modified_since
        or _has_none_match(fields)
        or (mark and not _QUERY.fullmatch(query))
    ):
        return Unrecognised.LET_GO
    key = told[b"sec-websocket-key"]
    return Request(b"GET", target, path, target, None, fields, b"", length, key)


def _wants_upgrade(value: bytes) -> bool:
    """Whether Connection says that, and nothing else but keep-alive."""
    members = {member.strip(b" \t").lower() for member in value.split(b",")}
    return {b"upgrade"} <= members <= {b"upgrade", b"keep-alive"}


def _has_none_match(fields: Fields) -> bool:
    return fields.any_match or fields.none_match is not None


def _revalidation(data: bytes, at: int, body_at: int, fields: Fields) -> Request | Unrecognised:
    length = fields.content_length
    if length is None or length > BODY_LIMIT or fields.types > 1:
        return Unrecognised.LET_GO
    if fields.content_type is not None and not _PLAIN.fullmatch(fields.content_type):
        return Unrecognised.LET_GO
    if fields.modified_since or _has_none_match(fields):
        return Unrecognised.LET_GO
    if len(data) - body_at < length:
        return Unrecognised.INCOMPLETE
    path = b"/.edge/revalidate"
    return Request(
        b"POST", path, path, path, None, fields, data[body_at : body_at + length], body_at + length - at
    )


def _incomplete(data: bytes, at: int) -> Unrecognised:
    """What to do with bytes that are not a whole head: wait, or let go."""
    if len(data) - at >= HEAD_LIMIT:
        return Unrecognised.LET_GO
    rest = data[at:]
    waits = (
        b"HEAD /".startswith(rest)
        or b"GET /".startswith(rest)
        or _REVALIDATE_LINE.startswith(rest)
        or _BEGINNING_OF_LINE.fullmatch(rest)
        or _BEGINNING.fullmatch(rest)
    )
    return Unrecognised.INCOMPLETE if waits else Unrecognised.LET_GO


@remembered(1024, longest=1024)
def fields_of(block: bytes) -> Fields | None:
    """The meaning of field lines whose syntax was checked; None: let go.

    Remembered, because a browser sends the same lines with every request of a page.
    """
    seen: set[bytes] = set()
    fields = Fields()
    lines = _FIELD.findall(block)
    if len(lines) > FIELD_LIMIT:
        return None
    for name, value in lines:
        name = name.lower()
        if name in _LET_GO or (name in _AT_MOST_ONCE and name in seen):
            return None
        seen.add(name)
        known = _KNOWN.get(name)
        if known is not None:
            changed = known(fields, value)
            if changed is None:
                return None
            fields = changed
    return fields if b"host" in seen else None


def _host(fields: Fields, value: bytes) -> Fields | None:
    return fields._replace(host=value) if _HOST.fullmatch(value) else None


def _connection(fields: Fields, value: bytes) -> Fields | None:
    value = value.lower()
    if value == b"close":
        return fields._replace(close=True)
    return fields if value == b"keep-alive" else None


def _none_match(fields: Fields, value: bytes) -> Fields | None:
    if value == b"*":
        return fields._replace(any_match=True)
    tags = []
    at = 0
    while True:
        member = _NONE_MATCH.match(value, at)
        if member is None:
            # Not a list of plain entity-tags.  The conditions of a request only matter once its
            # entry is found, but it is let go in either case.
            return None
        tags.append(member[1])
        if not member[2]:
            return fields._replace(none_match=frozenset(tags))
        at = member.end()


_CODINGS = {token.encode("ascii"): 1 << coding for coding, token in CODING_TOKENS.items()}


def _accept_encoding(fields: Fields, value: bytes) -> Fields | None:
    codings = 1 << Coding.IDENTITY
    for member in value.split(b","):
        member = member.strip(b" \t").lower()
        if not _TOKEN.fullmatch(member) or member in (b"*", b"identity", b"x-gzip"):
            return None
        codings |= _CODINGS.get(member, 0)
    return fields._replace(codings=codings)


def _content_length(fields: Fields, value: bytes) -> Fields | None:
    if not value.isdigit() or len(value) > 7:
        return None
    return fields._replace(content_length=int(value))


_KNOWN: dict[bytes, Callable[[Fields, bytes], Fields | None]] = {
    b"host": _host,
    b"connection": _connection,
    b"if-none-match": _none_match,
    b"if-modified-since": lambda fields, value: fields._replace(modified_since=True),
    b"referer": lambda fields, value: fields._replace(referer=value),
    b"user-agent": lambda fields, value: fields._replace(user_agent=value),
    b"accept": lambda fields, value: fields._replace(accept=value),
    b"accept-encoding": _accept_encoding,
    b"origin": lambda fields, value: fields._replace(origin=value),
    b"content-length": _content_length,
    b"forwarded": lambda fields, value: fields._replace(forwarded=value),
    b"x-forwarded-host": lambda fields, value: fields._replace(forwarded_host=value),
    b"x-forwarded-for": lambda fields, value: fields._replace(forwarded_for=(*fields.forwarded_for, value)),
    b"content-type": lambda fields, value: fields._replace(content_type=value, types=fields.types + 1),
}
