"""Fields of queries, cookies and forms: application/x-www-form-urlencoded, multipart/form-data (RFC 7578).

Nobody may make a server work for more than the bytes that were sent, so everything here is linear in them:
pieces are found by searches that run once over the input, and how many there may be is bounded before they
are made.  A query or a form over a bound is refused, not cut: half a form would mean something else.

Read with ``;`` beside ``&`` between fields, as ``twisted.web`` does.  Of the parts of a multipart form the
contents are taken as they are: RFC 7578 section 4.7 has abolished Content-Transfer-Encoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edge.http.errors import BadRequest, ContentTooLarge
from edge.http.grammar import MALFORMED_TRIPLET, QUOTED_STRING, TCHAR

#: Name -> its values, in order.
Fields = dict[bytes, list[bytes]]

#: Fields of a query or a form; the same bound as Django's (DATA_UPLOAD_MAX_NUMBER_FIELDS) and PHP's
#: (max_input_vars).
FIELDS = 1000
#: Bytes of an urlencoded form; Werkzeug's bound (max_form_memory_size).  A multipart form is bounded as the
#: body is: its contents are not decoded.
URLENCODED_BYTES = 512 * 1024
#: Bytes of the head of one part.
PART_HEAD_BYTES = 4 * 1024
#: Parameters of a Content-Type or Content-Disposition; RFC 7578 and 6266 have three.
PARAMETERS = 16

#: *( OWS ";" OWS [ parameter ] ), RFC 9110 section 5.6.6, one at a time.
_PARAMETER = re.compile(
    rb"[ \t]*;[ \t]*(?:(" + TCHAR + rb"+)=(?:(" + TCHAR + rb"+)|(" + QUOTED_STRING + rb")))?"
)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
#: boundary, RFC 2046 section 5.1.1.
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_DISPOSITION = b"\r\ncontent-disposition:"


def parse_query(query: bytes) -> Fields:
    """The fields of *query*, or of a body that is encoded like one; what has no ``=`` is none.

    :raises BadRequest: more than :data:`FIELDS`.
    """
    pairs = query.replace(b";", b"&")
    if pairs.count(b"&") >= FIELDS:
        raise BadRequest(f"There are more than {FIELDS} fields.")
    fields: Fields = {}
    for pair in pairs.split(b"&"):
        name, equals, value = pair.partition(b"=")
        if equals:
            fields.setdefault(_decoded(name), []).append(_decoded(value))
    return fields


def _decoded(text: bytes) -> bytes:
    """*text* with ``+`` as a space and ``%XX`` as an octet; any other percent sign stands for itself."""
    text = text.replace(b"+", b" ")
    return _unescaped(text) if b"%" in text else text


def _unescaped(text: bytes) -> bytes:
    r"""Percent-decoded by Python's codec of ``\xXX``: 10 ns an octet, ``urllib`` takes ten times that."""
    escaped = text.replace(b"\\", b"\\\\").replace(b"%", b"\\x")
    try:
        return escaped.decode("unicode_escape").encode("latin-1")
    except UnicodeDecodeError:
        return _unescaped(MALFORMED_TRIPLET.sub(b"%25", text))


def parse_cookies(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    """Name -> value of the cookies in these *lines* of Cookie, as ``twisted.web`` reads them."""
    cookies: dict[bytes, bytes] = {}
    for line in lines:
        for pair in filter(None, line.split(b";")):
            name, equals, value = pair.lstrip().partition(b"=")
            if equals:
                cookies[name] = value
    return cookies


def parse_segments(path: bytes) -> list[bytes]:
    """The segments of *path*, percent-decoded as fields are; a first slash begins none."""
    path = path[1:]
    if b"%" not in path:
        return path.split(b"/")
    if b"%2f" in path.lower():  # a slash of a segment's own
        return list(map(_unescaped, path.split(b"/")))
    return _unescaped(path).split(b"/")


def is_form(content_type: bytes) -> bool:
    """Whether :func:`parse_form` knows bodies of this Content-Type."""
    return _media_type(content_type) in _PARSERS


def parse_form(content_type: bytes, body: bytes) -> Fields:
    """The fields of the form in *body*; none if it is no form.

    :raises BadRequest: malformed, or too many fields.
    :raises ContentTooLarge: an urlencoded form of more than :data:`URLENCODED_BYTES`.
    """
    parser = _PARSERS.get(_media_type(content_type))
    return parser(content_type, body) if parser is not None else {}


def _media_type(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip(b" \t").lower()


def _urlencoded(content_type: bytes, body: bytes) -> Fields:
    if len(body) > URLENCODED_BYTES:
        raise ContentTooLarge(f"An urlencoded form has at most {URLENCODED_BYTES} bytes.")
    return parse_query(body)


def _multipart(content_type: bytes, body: bytes) -> Fields:
    boundary = _parameter(content_type, b"boundary")
    if boundary is None or not _BOUNDARY.fullmatch(boundary):
        raise BadRequest("The Content-Type of the form has no boundary.")
    # RFC 2046 section 5.1.1: the line end before a delimiter belongs to it, so the first one may have none
    _preamble, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary, FIELDS + 1)
    fields: Fields = {}
    for number, part in enumerate(parts):
        if part.startswith(b"--"):
            return fields
        if number == FIELDS:
            raise BadRequest(f"There are more than {FIELDS} fields.")
        name, value = _part(part)
        if name:
            fields.setdefault(name, []).append(value)
    raise BadRequest("The form in the body of the request has no end.")


def _part(part: bytes) -> tuple[bytes | None, bytes]:
    """(name, contents) of what stands between two delimiters."""
    end = part.find(b"\r\n\r\n", 0, PART_HEAD_BYTES)
    if end < 0:
        raise BadRequest("A part of the form has no head, or one that is too long.")
    head = part[:end]
    if head.partition(b"\r\n")[0].strip(b" \t"):  # white space may follow the delimiter
        raise BadRequest("A delimiter of the form is followed by something else.")
    at = head.lower().find(_DISPOSITION)
    if at < 0:
        return None, b""
    disposition = head[at + len(_DISPOSITION) :].partition(b"\r\n")[0]
    return _parameter(disposition, b"name"), part[end + 4 :]


def _parameter(value: bytes, wanted: bytes) -> bytes | None:
    """The first parameter of that name in a field *value*, unquoted."""
    at = value.find(b";")
    for _ in range(PARAMETERS if at >= 0 else 0):
        match = _PARAMETER.match(value, at)
        if match is None:
            break
        at = match.end()
        name, token, quoted = match.groups()
        if name is not None and name.lower() == wanted:
            return token if token is not None else _QUOTED_PAIR.sub(rb"\1", quoted[1:-1])
    return None


_PARSERS = {b"application/x-www-form-urlencoded": _urlencoded, b"multipart/form-data": _multipart}
