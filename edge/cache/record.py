"""The record of a stored answer: what lies right behind its body in the table, byte by byte.

The fast path reads the date and the ETag, the Twisted side the rest.  All integers are
little-endian::

     0  u32 date                    what Date says, Unix seconds
     4  u16 status
     6  u16 bytes of the record
     8  u32 fresh                   its lifetime: seconds from when it was made
    12  u32 stale while revalidate  seconds after that
    16  u32 stale if error
    20  u16 bytes of the name, then of the ETag, of Last-Modified and of the groups: u16 each
    28  u32 born                    ticks (edge.table.layout): when it was made, as far as its Age says
    32  u32 asked                   ticks: when it was asked for, or another node vouched for it
    36      name: the key, see edge.cache.keys
            ETag: as the application sent it, with its quotes
            Last-Modified: as the application sent it
            groups: the value of Cache-Groups
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from edge.cache.keys import LONGEST_TARGET
from edge.http.grammar import ENTITY_TAG

_HEAD = Struct("<IHHIIIHHHHII")
HEAD_BYTES = _HEAD.size
#: The longest validators and groups of an application that are kept; an answer with longer ones is not
#: stored.
LONGEST_ETAG, LONGEST_MODIFIED, LONGEST_GROUPS = 512, 64, 8192
#: The target, and a bucket for each of 64 fields.
LONGEST_NAME = 4 * LONGEST_TARGET
#: What tells the codings of an application's strong ETag apart: identity, gzip, br, zstd.
SUFFIXES = (b"", b"-gzip", b"-br", b"-zstd")
#: Forever, as far as a u32 knows.
_MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """What is kept of an answer beside its lines and its body."""

    name: bytes
    status: int
    #: Unix seconds.
    date: int
    #: Seconds: its lifetime from when it was made, and after that.
    fresh: int = 0
    stale_while_revalidate: int = 0
    stale_if_error: int = 0
    #: The application's own validators, as sent; b"": none.
    etag: bytes = b""
    modified: bytes = b""
    #: The value of Cache-Groups (RFC 9875).
    groups: bytes = b""
    #: Of one that is stored: ticks.
    born: int = 0
    asked: int = 0

    def pack(self) -> bytes:
        """The bytes behind the body.

        :raises ValueError: a part is too long.
        """
        name, etag, modified, groups = len(self.name), len(self.etag), len(self.modified), len(self.groups)
        if (
            name > LONGEST_NAME
            or etag > LONGEST_ETAG
            or modified > LONGEST_MODIFIED
            or groups > LONGEST_GROUPS
        ):
            raise ValueError("a part of a record is too long")
        size = HEAD_BYTES + name + etag + modified + groups
        head = _HEAD.pack(
            self.date & _MOST,
            self.status,
            size,
            min(self.fresh, _MOST),
            min(self.stale_while_revalidate, _MOST),
            min(self.stale_if_error, _MOST),
            name,
            etag,
            modified,
            groups,
            self.born,
            self.asked,
        )
        return b"".join((head, self.name, self.etag, self.modified, self.groups))


def own_tag(etag: bytes, variant: int) -> bytes:
    """An application's ETag, as it is written, for one variant of its answer; b"": it has none.

    A strong one is of one sequence of bytes alone, so that of a coding is another one; a weak one is of all.
    """
    if not etag or etag.startswith(b"W/"):
        return etag
    return b'%b%b"' % (etag[:-1], SUFFIXES[variant])


def opaque(etag: bytes) -> bytes:
    """The opaque-tag of *etag*: what stands between its quotes."""
    return etag[3:-1] if etag.startswith(b"W/") else etag[1:-1]


def is_entity_tag(etag: bytes) -> bool:
    """Whether *etag* is one as RFC 9110 section 8.8.3 has it, and not too long to be kept."""
    return len(etag) <= LONGEST_ETAG and ENTITY_TAG.fullmatch(etag) is not None


def size_of(head: bytes) -> int | None:
    """The size of the record that begins with *head* (36 bytes); None: that is none."""
    if len(head) < HEAD_BYTES:
        return None
    _, _, size, _, _, _, *lengths = _HEAD.unpack_from(head)[:-2]
    return size if size == HEAD_BYTES + sum(lengths) else None


def unpack(data: bytes) -> AnswerRecord | None:
    """The record at the front of *data*; None: the bytes make no sense."""
    size = size_of(data)
    if size is None or size > len(data):
        return None
    date, status, _, fresh, revalidate, on_error, *lengths, born, asked = _HEAD.unpack_from(data)
    parts, at = [], HEAD_BYTES
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    name, etag, modified, groups = parts
    return AnswerRecord(name, status, date, fresh, revalidate, on_error, etag, modified, groups, born, asked)
