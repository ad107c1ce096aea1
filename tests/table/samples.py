"""Resources for tests of the table: everything about them follows from a path and a number."""

from __future__ import annotations

import hashlib

from edge.resource import Representation, Resource, etag_of
from edge.table.reader import Entry, Reader


def body_of(path: bytes, number: int, variant: int, size: int) -> bytes:
    """*size* bytes that name what they are the body of."""
    text = b"%s|%d|%d|" % (path, number, variant)
    return (text * (size // len(text) + 1))[:size]


def resource(path: bytes, number: int, variants: tuple[int, ...] = (0,), size: int = 100) -> Resource:
    """Version *number* of *path* with these variants, each with a body of *size* bytes."""
    made = []
    for variant in variants:
        body = body_of(path, number, variant, size)
        digest = hashlib.sha256(body).digest()
        lines = b"X-Number: %d\r\n" % (number % 7)
        made.append(
            Representation(variant, etag_of(digest), digest, size, lines + b"X-Kind: 200\r\n", lines, body)
        )
    return Resource(path, 1_700_000_000 + number, tuple(made))


def number_in(entry: Entry) -> int:
    """The version that *entry* says it is."""
    return entry.modified - 1_700_000_000


def is_whole(path: bytes, entry: Entry) -> bool:
    """Whether all parts of *entry* belong to the same version of *path*."""
    number = number_in(entry)
    body = body_of(path, number, entry.variant, entry.length)
    return (
        (entry.body is None or entry.body == body)
        and entry.etag == etag_of(hashlib.sha256(body).digest())
        and entry.lines_304 == b"X-Number: %d\r\n" % (number % 7)
        and entry.lines_200 == entry.lines_304 + b"X-Kind: 200\r\n"
    )


def version_of(reader: Reader, path: bytes, variant: int = 0) -> int | None:
    """The version of *path* that a reader finds, which must be whole; None: not there."""
    entry = reader.find(path, variant)
    if entry is None:
        return None
    if not is_whole(path, entry):
        raise AssertionError(f"a torn entry for {path!r}: {entry!r}")
    return number_in(entry)
