"""From a request line and its fields to a :class:`~edge.http.events.RequestHead`.

What concerns the message itself is checked and taken out; what concerns the resource is left to others.
"""

from __future__ import annotations

from edge.http.errors import BadRequest, ExpectationFailed
from edge.http.events import RequestHead
from edge.http.fields import Fields, combine, list_members
from edge.http.framing import CHUNKED, body_length
from edge.http.grammar import HOST
from edge.http.request_line import RequestLine


def make_head(line: RequestLine, headers: Fields, body_limit: int) -> RequestHead:
    """The head that *line* and *headers* make.

    :param body_limit: octets; a Content-Length above it is refused.
    :raises ProtocolError: 400 (Host, framing), 413, 417 or 501 (transfer coding).
    """
    fields = combine(headers)
    is_1_0 = line.version == b"HTTP/1.0"
    host = fields.get(b"host")
    if host is None:
        if not is_1_0:
            raise BadRequest("The request has no Host.")
    elif not HOST.fullmatch(host):  # two lines were joined by a comma and a space
        raise BadRequest("Host is empty, malformed or repeated.")
    length = body_length(headers, fields, is_1_0, body_limit)
    waits = _expects_continue(fields.get(b"expect"))
    return RequestHead(
        method=line.method,
        target=line.raw,
        version=line.version,
        headers=headers,
        fields=fields,
        path=line.target.path,
        query=line.target.query,
        tag=line.target.tag,
        host=line.target.authority or host,
        keep_alive=_persists(is_1_0, fields.get(b"connection")),
        # RFC 9110 section 10.1.1: not in HTTP/1.0, and there has to be something to wait with
        expect_continue=waits and not is_1_0 and length != 0,
        content_length=None if length == CHUNKED else length,
    )


def _expects_continue(expect: bytes | None) -> bool:
    """Whether Expect asks for 100 (Continue); anything else that it may ask for is refused."""
    members = list_members(expect.lower()) if expect else []
    if any(member != b"100-continue" for member in members):
        raise ExpectationFailed()
    return bool(members)


def _persists(is_1_0: bool, connection: bytes | None) -> bool:
    """Whether the connection may serve another request: RFC 9112 section 9.3."""
    options = list_members(connection.lower()) if connection is not None else []
    return b"close" not in options and (not is_1_0 or b"keep-alive" in options)
