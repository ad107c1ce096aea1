"""Field sections: from the bytes of header or trailer lines to a list of (name, value).

What RFC 9112 section 5 lets a recipient repair is refused here, because each such repair has been
the difference between two servers that a request was smuggled through: white space around names,
folded lines, bare CR and LF.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from edge.http.errors import BadRequest, HeadTooLarge
from edge.http.grammar import CONTROL, LIST_MEMBER, TOKEN

Fields = list[tuple[bytes, bytes]]
#: Lower-case name -> the values of its lines, in order.
Lines = Mapping[bytes, Sequence[bytes]]

#: Longer names, and longer lines, than this are not remembered, so that what is remembered stays small.
_REMEMBERED_NAME, _REMEMBERED_LINE = 64, 160
#: Fields that are one visitor's alone: not remembered, nor is anything that begins so.
_OF_ONE_VISITOR = (b"authorization", b"cookie", b"proxy-auth")


def parse_fields(block: bytes, count_limit: int) -> Fields:
    """The fields of *block*: lines that each end with CRLF, without the empty line after them.

    Names and values as sent, values without the white space around them, in order.

    :raises HeadTooLarge: more than *count_limit* lines.
    :raises BadRequest: anything that RFC 9110 section 5 and RFC 9112 section 5 do not allow.
    """
    lines = block.split(b"\r\n")
    lines.pop()
    if len(lines) > count_limit:
        raise HeadTooLarge(f"The request has more than {count_limit} header fields.")
    if block.count(b"\r") != len(lines) or block.count(b"\n") != len(lines):
        raise BadRequest("A field line has a bare CR or LF.")
    if len(block.translate(None, CONTROL)) != len(block):
        raise BadRequest("A field line has NUL or another control character.")
    fields: Fields = []
    for line in lines:
        field = _remembered(line) if len(line) <= _REMEMBERED_LINE else _field(line)
        if field is None:
            name, colon, _ = line.partition(b":")
            raise BadRequest(_what_is_wrong(name, colon, first=not fields))
        fields.append(field)
    return fields


def _field(line: bytes) -> tuple[bytes, bytes] | None:
    """(name, value) of one line; None: it is no field."""
    name, colon, value = line.partition(b":")
    return (name, value.strip(b" \t")) if colon and lower_name(name) else None


@lru_cache(maxsize=1024)
def _remembered_field(line: bytes) -> tuple[bytes, bytes] | None:
    return _field(line)


def _remembered(line: bytes) -> tuple[bytes, bytes] | None:
    """As :func:`_field`; what browsers send with everything is taken apart once."""
    if line[:1] in b"aApPcC" and line.lower().startswith(_OF_ONE_VISITOR):
        return _field(line)
    return _remembered_field(line)


def lower_name(name: bytes) -> bytes:
    """The field name in lower case, or nothing if it is no token."""
    return _lower_name(name) if len(name) <= _REMEMBERED_NAME else _lower_name.__wrapped__(name)


@lru_cache(maxsize=512)  # the same few dozen names come all day
def _lower_name(name: bytes) -> bytes:
    return name.lower() if TOKEN.fullmatch(name) else b""


def are_lines(block: bytes, count: int) -> bool:
    """Whether *block*, *count* lines that end with CRLF, has no other line end and no control character."""
    return (
        block.count(b"\r") == count
        and block.count(b"\n") == count
        and len(block.translate(None, CONTROL)) == len(block)
    )


def can_be_sent(fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether each of *fields*, written as a line, is that one field for who reads it.

    It is not if its name is no token, or its value has a line end or another control character: there would
    be other fields, or another answer (RFC 9110 sections 5.1 and 5.5).
    """
    block = b"".join([b"%b: %b\r\n" % field for field in fields])
    return are_lines(block, len(fields)) and all(lower_name(name) for name, _ in fields)


def _what_is_wrong(name: bytes, colon: bytes, first: bool) -> str:
    if name[:1] in (b" ", b"\t"):
        return "White space comes before the first field." if first else "A field line is folded (obs-fold)."
    if not colon:
        return "A field line has no colon."
    if not name:
        return "A field has an empty name."
    if name[-1:] in (b" ", b"\t"):
        return "White space comes between a field name and its colon."
    return "A field name is no token."


def combine(fields: Fields) -> dict[bytes, bytes]:
    """Lower-case name -> value; those of repeated lines joined by ``, `` (RFC 9110 5.3)."""
    combined = {name.lower(): value for name, value in fields}
    if len(combined) == len(fields):  # nearly always
        return combined
    combined.clear()
    for name, value in fields:
        lower = name.lower()
        combined[lower] = value if lower not in combined else combined[lower] + b", " + value
    return combined


def lines_of(fields: Fields, lower: bytes) -> list[bytes]:
    """The values of the lines with that name, in order, not joined."""
    return [value for name, value in fields if name.lower() == lower]


def by_name(fields: Sequence[tuple[bytes, bytes]]) -> Lines:
    """*fields* for who asks for several of them."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    return found


def members_of(lines: Iterable[bytes]) -> list[bytes]:
    """The members of the list that *lines*, all those of one name, make up."""
    return [member for line in lines for member in list_members(line)]


def list_members(value: bytes) -> list[bytes]:
    """The members of a comma-separated list (RFC 9110 section 5.6.1), stripped, without empty ones.

    Commas inside of quoted strings do not separate.
    """
    parts = value.split(b",") if b'"' not in value else LIST_MEMBER.findall(value)
    return [member for part in parts if (member := part.strip(b" \t"))]
