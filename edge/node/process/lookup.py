"""Entries on their way from the supervisor to a worker whose table does not hold them.

Packed as MessagePack: ``[variants, modified, [[variant, etag, length, lines_200, lines_304], ...]]``; the
lines of a redirect begin with its status (:func:`edge.resource.redirect`).  Bodies are never sent: the
supervisor makes sure that they lie in the blob store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge.resource import split_status
from edge.table.reader import Entry

if TYPE_CHECKING:
    from edge.resource import Resource

_Packed = tuple[int, int, list[tuple[int, bytes, int, bytes, bytes]]]
_DECODER = msgspec.msgpack.Decoder(_Packed)


def pack(resource: Resource | None) -> bytes:
    """*resource* as a worker is told of it; empty for None: nothing is published there."""
    if resource is None:
        return b""
    variants = 0
    for one in resource.representations:
        variants |= 1 << one.variant
    entries = [(r.variant, r.etag, r.length, r.lines_200, r.lines_304) for r in resource.representations]
    return msgspec.msgpack.encode((variants, resource.modified, entries))


def unpack(packed: bytes) -> dict[int, Entry]:
    """Variant -> entry; empty: nothing is published there."""
    if not packed:
        return {}
    variants, modified, entries = _DECODER.decode(packed)
    found = {}
    for variant, etag, length, lines_200, lines_304 in entries:
        status, lines = split_status(lines_200)
        entry = Entry(variant, variants, etag, modified, length, lines, lines_304, None, not length, False)
        found[variant] = entry._replace(status=status or 200)
    return found
