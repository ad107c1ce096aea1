"""A resource put together from the contents that belong to it: its representations and their header lines.

The lines of all variants of a path agree in Vary and Cache-Control: caches keep the variants of a
path under what the Vary of any of them says (RFC 9111 section 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from edge.publish.rules import lines_200, lines_304, vary
from edge.resource import (
    CODING_TOKENS,
    MEDIA_TYPES,
    Coding,
    Media,
    Representation,
    Resource,
    etag_of,
    variant_number,
)

#: The file that stands for its directory.
INDEX = "index.html"
_MAX_MODIFIED = 2**32 - 1  # a field of the table


class Body(Protocol):
    """A body: :class:`edge.publish.reading.Content` or :class:`edge.publish.store.Coded`."""

    @property
    def digest(self) -> bytes | None:
        """SHA-256 of it."""

    @property
    def length(self) -> int:
        """Its length in bytes."""

    @property
    def body(self) -> bytes | None:
        """The bytes, or None: in the blob store."""


def build(
    path: bytes,
    type_value: bytes,
    cache_control: bytes,
    modified: float,
    codings: Mapping[Coding, Body],
    media: Mapping[Media, Body],
) -> tuple[Resource, ...]:
    """The resource at *path*; for an index file, also the one of its directory.

    *type_value* is its Content-Type.  *codings* has the original too, as IDENTITY.  *modified* is in Unix
    seconds.
    """
    varies = vary(media=bool(media), coding=len(codings) > 1)
    lines = lines_304(varies, cache_control)

    def represent(number: int, type_: bytes, encoding: str, body: Body) -> Representation:
        digest = body.digest
        assert digest is not None
        head = lines_200(type_, encoding, varies, cache_control)
        return Representation(number, etag_of(digest), digest, body.length, head, lines, body.body)

    representations = [
        represent(
            variant_number(Media.ORIGINAL, coding), type_value, CODING_TOKENS.get(coding, ""), codings[coding]
        )
        for coding in sorted(codings)
    ]
    representations += [
        represent(variant_number(kind, Coding.IDENTITY), MEDIA_TYPES[kind].encode("ascii"), "", media[kind])
        for kind in sorted(media)
    ]
    seconds = min(max(int(modified), 0), _MAX_MODIFIED)
    resource = Resource(path, seconds, tuple(representations))
    directory, slash, file = path.rpartition(b"/")
    if file == INDEX.encode("ascii"):
        return resource, Resource(directory + slash, seconds, resource.representations)
    return (resource,)
