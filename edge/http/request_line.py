"""The request line: RFC 9112 section 3, and what a line that is none is refused for."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from edge.http.errors import BadRequest, NotImplementedHere, TargetTooLong, VersionNotSupported
from edge.http.grammar import LONGEST_METHOD, METHODS, TOKEN, VERSION
from edge.http.target import Target, parse_target

#: A request line with its CRLF is longer than its target by less than this, in bytes.
LINE_OVERHEAD = LONGEST_METHOD + len(b"  HTTP/1.1\r\n") + 20


class RequestLine(NamedTuple):
    """A correct request line."""

    method: bytes
    #: The request-target as sent.
    raw: bytes
    #: ``HTTP/1.x``.
    version: bytes
    target: Target


def parse_request_line(line: bytes, target_limit: int) -> RequestLine:
    """Read *line*, CRLF taken off.

    :raises ProtocolError: 400, 414 (target over *target_limit* bytes), 501 (unknown method) or 505.
        The version is judged before the method, so that ``PRI * HTTP/2.0`` gets 505.
    """
    words = line.split(b" ")
    if len(words) == 2 and words[0] == b"GET":
        raise BadRequest("HTTP/0.9 is not spoken here.")
    if len(words) != 3 or not words[1]:
        raise BadRequest("The request line is not method, target and version with one space between.")
    method, raw, version = words
    _check_method(method)
    if len(raw) > target_limit:
        raise _too_long(target_limit)
    numbers = VERSION.fullmatch(version)
    if numbers is None or numbers[1] == b"0":
        raise BadRequest("The HTTP version is malformed, or older than 1.0.")
    if numbers[1] != b"1":
        raise VersionNotSupported()
    if method not in METHODS and method != b"CONNECT":
        raise NotImplementedHere()
    return RequestLine(method, raw, version, parse_target(method, raw))


def refuse_long_line(start: bytes, target_limit: int) -> NoReturn:
    """Raise for a line of which *start*, ``target_limit + LINE_OVERHEAD`` bytes, has no LF.

    :raises ProtocolError: 414 if it is the target that goes on, 501 the method, else 400.
    """
    method, _, rest = start.partition(b" ")
    _check_method(method)
    if len(rest.partition(b" ")[0]) > target_limit:
        raise _too_long(target_limit)
    raise BadRequest("The request line is malformed.")


def _check_method(method: bytes) -> None:
    if not TOKEN.fullmatch(method[:LONGEST_METHOD]):
        raise BadRequest("The method is no token.")
    if len(method) > LONGEST_METHOD:
        raise NotImplementedHere()


def _too_long(target_limit: int) -> TargetTooLong:
    return TargetTooLong(f"The request target is longer than {target_limit} bytes.")
