"""``POST /.edge/revalidate``: many validators in one round trip.

The request's body is text, a line for each validator, ended by LF or CRLF (the last may lack it)::

    ETAG TARGET

with one space; ETAG bare, or quoted as in ETag, then also with ``W/`` before it; TARGET a path, with or
without a query, which counts for answers of applications, and does not for files.  The answer lists the
lines, counted from 0, that are no longer current::

    {"v":1,"seq":1234,"stale":[0,17],"s":"k3Jx9aF"}

``s`` is the state of the site at which all the others are current (:mod:`edge.http.changes`); it is missing
when there is none, as in the middle of a deploy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edge.http.changes import UNKNOWN
from edge.http.errors import BadRequest, ContentTooLarge, UnsupportedMediaType

#: Lines of a batch; ``edge_answer.h`` and the smart client's ``revalidator.js`` have the same.
MAX_LINES = 1000
MAX_BODY = 128 * 1024

#: VCHAR without the quote in both; a bare tag does not look like the beginning of a weak one.
_LINE = re.compile(
    rb'(?:(?:W/)?"(?P<quoted>[\x21\x23-\x7e]*)"|(?!W/)(?P<bare>[\x21\x23-\x7e]+))'
    rb" (?P<target>/[\x21-\x7e]*)"
)


def check_content_type(value: bytes | None) -> None:
    """Raise unless Content-Type is absent or ``text/plain`` with any parameters.

    :raises UnsupportedMediaType: it is something else.
    """
    if value is not None and value.partition(b";")[0].rstrip(b" \t").lower() != b"text/plain":
        raise UnsupportedMediaType("The body has to be text/plain: a line ETAG TARGET for each validator.")


def parse_validators(body: bytes) -> list[tuple[bytes, bytes]]:
    """(opaque-tag without quotes, target) of each line of *body*, in order.

    :raises ContentTooLarge: more than :data:`MAX_BODY` bytes or :data:`MAX_LINES` lines.
    :raises BadRequest: a line that is none.
    """
    if len(body) > MAX_BODY:
        raise ContentTooLarge(f"The body is longer than {MAX_BODY} bytes.")
    lines = body.split(b"\n")
    last = lines.pop()
    lines = [line[:-1] if line.endswith(b"\r") else line for line in lines]
    if last:
        lines.append(last)
    if len(lines) > MAX_LINES:
        raise ContentTooLarge(f"The body has more than {MAX_LINES} lines.")
    validators = []
    for number, line in enumerate(lines):
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadRequest(f"Line {number} of the body is not ETAG TARGET.")
        quoted, bare, target = match.groups()
        validators.append((bare if quoted is None else quoted, target))
    return validators


def render_stale(sequence: int, indexes: Iterable[int], state: bytes | None = None) -> bytes:
    """The body of the answer: *sequence* of the table, and the lines that are stale, ascending.

    *state*: of the site, at which the others are current, as :mod:`edge.http.changes` has it; not told if it
    is None or unknown.
    """
    told = b"" if state is None or state == UNKNOWN else b',"s":"%b"' % state
    stale = ",".join(map(str, indexes)).encode("ascii")
    return b'{"v":1,"seq":%d,"stale":[%b]%b}' % (sequence, stale, told)
