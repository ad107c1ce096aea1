"""A schedule: requests of a log, each with its time, in a file that coordinator and processes share.

One record a request, little-endian, ascending by time::

    offset  bytes
    0       8       when it is due, microseconds from the beginning of the run
    8       4       number of the user, 0 ..
    12      2       status that the log has
    14      1       1: HEAD, 0: GET
    15      2       length of the target, n
    17      n       the target, as it is sent
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_HEAD = struct.Struct("<QIHBH")
_PIECE = 1 << 20


class ScheduledRequest(NamedTuple):
    """A request of the log."""

    due_us: int
    user: int
    status: int
    is_head: bool
    target: bytes


def pack(request: ScheduledRequest) -> bytes:
    """The bytes of *request*."""
    due, user, status, is_head, target = request
    return _HEAD.pack(due, user, status, is_head, len(target)) + target


def unpack(file: BinaryIO, part: int = 0, parts: int = 1) -> Iterator[ScheduledRequest]:
    """The requests in *file*; of every *parts* users those of number *part*, numbered anew."""
    data = b""
    while piece := file.read(_PIECE):
        data, at = data + piece, 0
        while len(data) - at >= _HEAD.size:
            due, user, status, is_head, length = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + length
            if end > len(data):
                break
            if user % parts == part:
                yield ScheduledRequest(due, user // parts, status, bool(is_head), data[end - length : end])
            at = end
        data = data[at:]
