"""One span as a record: the bytes that lie in the ring of its worker.

::

     0  u32  bytes of the whole record, a multiple of 8
     4  u32  bytes of the array
     8  MessagePack: an array of the elements of :class:`Span`, in their order; then zeros up to the size

Texts in it are what a stranger has sent, and are cut.  Who reads records believes none of them: who has taken
over a worker may write what he likes.
"""

from __future__ import annotations

from struct import Struct
from typing import Annotated

import msgspec

#: Bytes of the longest record.
MOST = 8192
#: Characters of a text, and attributes of a span.
MOST_TEXT, MOST_ATTRIBUTES = 1024, 32
#: What a span is about: who was asked by others, and who asks others.
SERVER, CLIENT = 0, 1
_SIZES = Struct("<II")

_Text = Annotated[str, msgspec.Meta(max_length=MOST_TEXT)]
_Time = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
_Number = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
Value = _Text | _Number


class Span(msgspec.Struct, array_like=True, frozen=True):
    """Something that took time, and is over."""

    trace_id: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    span_id: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
    #: 8 bytes, or b"": nobody that is known has caused it.
    parent_id: Annotated[bytes, msgspec.Meta(max_length=8)]
    #: The parent is a span of another program.
    parent_is_remote: bool
    #: tracestate.
    state: Annotated[str, msgspec.Meta(max_length=512)]
    kind: Annotated[int, msgspec.Meta(ge=SERVER, le=CLIENT)]
    name: _Text
    #: Unix nanoseconds.
    start: _Time
    end: _Time
    attributes: Annotated[dict[_Text, Value], msgspec.Meta(max_length=MOST_ATTRIBUTES)]
    #: It has failed.
    is_error: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Span).decode


def pack(span: Span) -> bytes:
    """The record of *span*; :exc:`ValueError`: it is longer than :data:`MOST`."""
    array = _encode(span)
    size = _SIZES.size + len(array)
    whole = size + -size % 8
    if whole > MOST:
        raise ValueError(f"a span of {whole} bytes; {MOST} are possible")
    return _SIZES.pack(whole, len(array)) + array + bytes(whole - size)


def unpack(record: bytes) -> Span | None:
    """The span that *record* is; None: it is none."""
    if len(record) < _SIZES.size:
        return None
    size, length = _SIZES.unpack_from(record)
    if size != len(record) or not 0 <= size - _SIZES.size - length < 8:
        return None
    try:
        span = _decode(record[_SIZES.size : _SIZES.size + length])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    well_formed = any(span.trace_id) and any(span.span_id) and span.start <= span.end
    return span if well_formed and len(span.parent_id) in (0, 8) else None
