"""How long the body of a request is: RFC 9112 section 6, without any of its leniencies.

Whoever stands before this server must find the same end of the message.  Therefore everything that
two readers could read in two ways is refused: both lengths at once, a coding that is not known, a
number written in two ways.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from edge.http.errors import BadRequest, ContentTooLarge, NotImplementedHere
from edge.http.fields import Fields, lines_of, list_members
from edge.http.grammar import CHUNK_LINE, CONTENT_LENGTH, SMALL_CHUNK, TOKEN

#: Members of Transfer-Encoding: there are four transfer codings (RFC 9112 section 7).
CODINGS = 8
#: Octets of a chunk that is cheaper to read with others than alone.
SMALL = 31
#: In place of a length: the body comes in chunks.
CHUNKED = -1


def body_length(fields: Fields, combined: dict[bytes, bytes], is_1_0: bool, limit: int) -> int:
    """Octets of the body that follows a head with these *fields*, or :data:`CHUNKED`.

    *combined* is :func:`edge.http.fields.combine` of *fields*; 0 when neither length is there.

    :raises BadRequest: malformed, contradictory or ambiguous.
    :raises NotImplementedHere: a transfer coding other than chunked.
    :raises ContentTooLarge: more than *limit* octets announced.
    """
    coding = combined.get(b"transfer-encoding")
    length = combined.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise BadRequest("The request has both Content-Length and Transfer-Encoding.")
        if is_1_0:
            raise BadRequest("HTTP/1.0 has no Transfer-Encoding.")
        _check_coding(lines_of(fields, b"transfer-encoding"))
        return CHUNKED
    if length is None:
        return 0
    if b"," in length:
        values = lines_of(fields, b"content-length")
        if len(set(values)) != 1:
            raise BadRequest("The lines of Content-Length differ.")
        length = values[0]
    if not CONTENT_LENGTH.fullmatch(length):
        raise BadRequest("Content-Length is not a number of at most 19 digits.")
    octets = int(length)
    if octets > limit:
        raise ContentTooLarge(f"The body of the request is longer than {limit} bytes.")
    return octets


def _check_coding(lines: list[bytes]) -> None:
    """Raise unless these lines of Transfer-Encoding say ``chunked``, once and alone."""
    if len(lines) > 1:
        raise BadRequest("Transfer-Encoding is repeated.")
    if lines[0].count(b",") >= CODINGS:
        raise BadRequest(f"Transfer-Encoding has more than {CODINGS} members.")
    names: list[bytes] = []
    for member in list_members(lines[0]):
        name, semicolon, _ = member.partition(b";")
        name = name.rstrip(b" \t").lower()
        if not TOKEN.fullmatch(name):
            raise BadRequest("Transfer-Encoding is malformed.")
        if semicolon and name == b"chunked":
            raise BadRequest("The transfer coding chunked has no parameters.")
        names.append(name)
    if not names:
        raise BadRequest("Transfer-Encoding is empty.")
    if b"identity" in names:
        raise BadRequest("There is no transfer coding identity.")
    if b"chunked" in names[:-1]:
        raise BadRequest("The transfer coding chunked is not the last, or is repeated.")
    if names == [b"chunked"] and lines[0].lower() != b"chunked":
        raise BadRequest("Transfer-Encoding has an empty member.")
    if names != [b"chunked"]:
        raise NotImplementedHere("The only transfer coding that this server knows is chunked.")


def chunk_size(line: bytes) -> tuple[int, int]:
    """(octets of data, octets of extensions) of a chunk's first *line*, CRLF taken off.

    :raises BadRequest: malformed, or a size of more than 16 digits.  Extensions have to be well
        formed, and mean nothing to us.
    """
    match = CHUNK_LINE.fullmatch(line)
    if match is None:
        raise BadRequest("The size or an extension of a chunk is malformed.")
    return int(match[1], 16), len(match[2])


def small_chunks(buffer: bytes | bytearray, at: int, room: int) -> tuple[list[bytes], int]:
    """(data, octets of their chunks) of the chunks of at most :data:`SMALL` octets in *buffer* from *at*.

    There is *room* for so many octets of data; chunks have no extensions.
    """
    found = SMALL_CHUNK.findall(buffer, at)
    if found and not found[-1][2]:  # no such chunk stands there
        found.pop()
    pieces = [piece for _, _, piece in found]
    size = sum(map(len, pieces))
    if size > room:
        fitting = bisect_right(list(accumulate(map(len, pieces))), room)
        found, pieces = found[:fitting], pieces[:fitting]
        size = sum(map(len, pieces))
    return pieces, size + sum(len(two) + len(one) + 4 for two, one, _ in found)
