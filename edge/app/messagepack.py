"""The part of MessagePack that edge-app/1 needs, for interpreters without ``msgspec``.

A message is an array of nil, booleans, integers, byte strings, and arrays of byte strings or of pairs of
them; nothing is nested deeper, and what is text is bytes, too.  :mod:`.codec` takes msgspec where that is
installed, which does the same in C; ``tests/app/test_codec.py`` holds both to one meaning.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Arrays in arrays: the message, its fields, one field.
DEPTH = 3


def encode(value: object) -> bytes:
    """*value* in MessagePack, in the shortest form; :class:`TypeError` for what messages never hold."""
    out = bytearray()
    _encode(value, out)
    return bytes(out)


def _encode(value: object, out: bytearray) -> None:
    if value is None:
        out.append(0xC0)
    elif value is False or value is True:
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        _encode_integer(value, out)
    elif isinstance(value, bytes | bytearray | memoryview):
        _head(len(value), (0xC4, 0xC5, 0xC6), out)
        out += value
    elif isinstance(value, list | tuple):
        if len(value) < 16:
            out.append(0x90 | len(value))
        else:
            _head(len(value), (0, 0xDC, 0xDD), out)
        for item in value:
            _encode(item, out)
    else:
        raise TypeError(f"{type(value).__name__} is not in any message")


_NEGATIVE = (
    (0xD0, ">b", -(1 << 7)),
    (0xD1, ">h", -(1 << 15)),
    (0xD2, ">i", -(1 << 31)),
    (0xD3, ">q", -(1 << 63)),
)


def _encode_integer(value: int, out: bytearray) -> None:
    if 0 <= value < 128:
        out.append(value)
    elif -32 <= value < 0:
        out.append(value & 0xFF)
    elif value >= 0:
        _head(value, (0xCC, 0xCD, 0xCE, 0xCF), out)
    else:
        for code, form, least in _NEGATIVE:
            if value >= least:
                out.append(code)
                out += struct.pack(form, value)
                return
        raise TypeError(f"{value} is too small for any message")


_FORMS = ((">B", 0xFF), (">H", 0xFFFF), (">I", 0xFFFF_FFFF), (">Q", 0xFFFF_FFFF_FFFF_FFFF))


def _head(number: int, codes: Sequence[int], out: bytearray) -> None:
    """*number* in the first of 1, 2, 4, 8 bytes that hold it, after its code; code 0: no such form."""
    for code, (form, most) in zip(codes, _FORMS, strict=False):
        if code and number <= most:
            out.append(code)
            out += struct.pack(form, number)
            return
    raise TypeError(f"{number} is too large for any message")


def decode(data: bytes) -> list[object]:
    """The array that *data* is, whole; :class:`ValueError` for anything else."""
    try:
        value, end = _decode(data, 0, 0)
    except (IndexError, struct.error) as error:
        raise ValueError(f"no MessagePack: {error}") from None
    if end != len(data):
        raise ValueError("more than one value in a frame")
    if not isinstance(value, list):
        raise ValueError("no array")
    return value


#: Code -> (form of the number after it, what the number is).
_NUMBERED = {
    0xC4: (">B", "bytes"), 0xC5: (">H", "bytes"), 0xC6: (">I", "bytes"),
    0xDC: (">H", "array"), 0xDD: (">I", "array"),
    0xCC: (">B", "integer"), 0xCD: (">H", "integer"), 0xCE: (">I", "integer"), 0xCF: (">Q", "integer"),
    0xD0: (">b", "integer"), 0xD1: (">h", "integer"), 0xD2: (">i", "integer"), 0xD3: (">q", "integer"),
}  # fmt: skip


def _decode(data: bytes, at: int, depth: int) -> tuple[object, int]:
    """The value at *at*, and where it ends."""
    code = data[at]
    at += 1
    if code < 0x80:
        return code, at
    if code >= 0xE0:
        return code - 0x100, at
    if 0x90 <= code < 0xA0:
        return _array(data, at, code & 0x0F, depth)
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], at
    form, kind = _NUMBERED.get(code, ("", ""))
    if not kind:
        raise ValueError(f"a value of the kind 0x{code:02x}, which is in no message")
    (number,) = struct.unpack_from(form, data, at)
    at += struct.calcsize(form)
    if kind == "integer":
        return number, at
    if kind == "array":
        return _array(data, at, number, depth)
    return _bytes(data, at, number)


def _bytes(data: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(data):
        raise ValueError("cut off")
    return bytes(data[at : at + length]), at + length


def _array(data: bytes, at: int, length: int, depth: int) -> tuple[object, int]:
    """The array of *length* items at *at*: a list, the innermost a pair."""
    if depth == DEPTH or (depth == DEPTH - 1 and length != 2):
        raise ValueError("arrays are nested too deeply, or are no pairs")
    if length > len(data) - at:  # each item has a byte at least
        raise ValueError("cut off")
    items = []
    for _ in range(length):
        item, at = _decode(data, at, depth + 1)
        if depth and not isinstance(item, bytes) and (depth > 1 or not isinstance(item, tuple)):
            raise ValueError("an array in a message holds byte strings, or pairs of them")
        items.append(item)
    return tuple(items) if depth == DEPTH - 1 else items, at
