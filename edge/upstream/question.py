"""A question over HTTP/1.1: its head and the pieces of its body, byte for byte (RFC 9112).

The head has the exact bytes of the target.  All that is put in was checked where it came from: targets, Host
and fields by :mod:`edge.http`; so there is no byte that could end a line.
"""

from __future__ import annotations

from edge.http.fields import Fields

#: What ends a body in chunks.
LAST_CHUNK = b"0\r\n\r\n"


def head(
    method: bytes,
    target: bytes,
    host: bytes,
    fields: Fields,
    body_length: int | None = 0,
    upgrade: bytes = b"",
    expect_continue: bool = False,
) -> bytes:
    """The head of a question, from the request line to the empty line.

    :param body_length: octets; None: the body comes in chunks.
    :param upgrade: the protocol to switch to, b"" for none (RFC 9110 section 7.8).
    :param expect_continue: the body waits for ``100 Continue`` (RFC 9110 section 10.1.1).
    """
    lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (method, target, host)]
    lines += [b"%b: %b\r\n" % field for field in fields]
    if body_length is None:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif body_length or method in (b"POST", b"PUT", b"PATCH"):
        lines.append(b"Content-Length: %d\r\n" % body_length)  # RFC 9110 section 8.6: also of none
    if upgrade:
        lines.append(b"Connection: upgrade\r\nUpgrade: %b\r\n" % upgrade)
    if expect_continue:
        lines.append(b"Expect: 100-continue\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def chunk(data: bytes) -> bytes:
    """*data*, at least one octet, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
