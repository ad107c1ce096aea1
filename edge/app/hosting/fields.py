"""Fields of answers as applications give them, to those of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.app.messages import Fields

#: Of the connection (RFC 9110 section 7.6.1): the node has its own.
_OF_THE_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)


class WrongHead(ValueError):
    """The application began its answer with what cannot be one; str() says it."""


def split_length(given: Iterable[tuple[bytes, bytes]]) -> tuple[Fields, int | None]:
    """The fields, in lower case, without Content-Length and those of the connection; and that length."""
    fields: Fields = []
    length: int | None = None
    for name, value in given:
        name = name.lower()
        if name == b"content-length":
            length = _length(value, length)
        elif name not in _OF_THE_CONNECTION:
            fields.append((name, value))
    return fields, length


def _length(value: bytes, before: int | None) -> int:
    if not value.isdigit() or len(value) > 15:
        raise WrongHead(f"Content-Length: {value[:40]!r} is no number of bytes")
    length = int(value)
    if before is not None and before != length:
        raise WrongHead("Content-Length is there twice, with different numbers")
    return length
