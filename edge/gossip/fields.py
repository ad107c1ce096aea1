"""What the fields of the gossip messages may hold: ranges by msgspec, grammars of bytes by a function.

msgspec checks ranges, lengths and the patterns of text.  It knows no patterns for bytes: those are a
:class:`Grammar` in the type's metadata, which :mod:`edge.gossip.schema` finds there and enforces as well.
Numbers, names and figures that load reports have, too, are in :mod:`edge.load.wire`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from edge.http.grammar import TOKEN
from edge.http.target import canonical_path
from edge.load.wire import NAME
from edge.sites import is_prefix, split_name


@dataclass(frozen=True)
class Grammar:
    """What some bytes have to look like, beyond their length."""

    #: What they are, for the message that refuses others.
    what: str
    accepts: Callable[[bytes], bool]
    #: One that is accepted.
    example: bytes


#: Field names that :mod:`edge.http.answer` writes itself, or that say where a message ends and who gets it.
OWN_FIELDS = frozenset(
    b"connection content-length content-range date etag keep-alive last-modified proxy-authenticate "
    b"proxy-connection server te trailer transfer-encoding upgrade".split()
)
_LINE = re.compile(
    rb"(" + TOKEN.pattern + rb"):[ \t]?([!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?\r\n"
)


#: Fields that no stored answer has: those above that the node writes for it, and what is for one reader.
NOT_OF_ANSWERS = OWN_FIELDS - {b"server", b"last-modified"} | {b"age", b"set-cookie"}


@lru_cache(maxsize=1024)
def are_header_lines(lines: bytes) -> bool:
    """Whether *lines* are header lines, each ended by CRLF, and none that frames a message (RFC 9112)."""
    return _are_lines_without(lines, OWN_FIELDS)


@lru_cache(maxsize=1024)
def are_answer_lines(lines: bytes) -> bool:
    """Whether *lines* are header lines that a stored answer may have, which goes to anybody."""
    return _are_lines_without(lines, NOT_OF_ANSWERS)


def _are_lines_without(lines: bytes, forbidden: frozenset[bytes]) -> bool:
    at = 0
    while at < len(lines):
        found = _LINE.match(lines, at)
        if found is None or found[1].lower() in forbidden:
            return False
        at = found.end()
    return True


#: Below it are the marks: ``/.edge/step/n1`` is that of the node n1.
MARKS = b"/.edge/step/"
_MARK = re.compile(re.escape(MARKS) + NAME.encode("ascii").removeprefix(b"^"))


def is_mark_path(path: bytes) -> bool:
    """Whether *path* is that of the marks of some node."""
    return _MARK.fullmatch(path) is not None


def is_published_path(path: bytes) -> bool:
    """Whether *path* names an entry of a site: a path in canonical form, behind the site's prefix.

    ``/.edge/`` belongs to each node itself.  Except marks (:mod:`edge.gossip.steps`), which are no entries.
    """
    prefix, path = split_name(path)
    if canonical_path(path) != path or not is_prefix(prefix):
        return False
    return not path.startswith(b"/.edge/") or (not prefix and is_mark_path(path))


PATH = Grammar("a canonical path of the site", is_published_path, b"/a")
LINES = Grammar("header lines", are_header_lines, b"Content-Type: text/html\r\n")

Path = Annotated[bytes, Meta(min_length=1, max_length=8192, extra={"grammar": PATH})]
Lines = Annotated[bytes, Meta(max_length=4096, extra={"grammar": LINES})]

#: The name of a node, or nobody's.
MaybeName = Annotated[str, Meta(max_length=63, pattern=rf"^\Z|{NAME}")]
#: Where a gossip port is: an IP address, or a host's name.
Host = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9.:_-]+\Z")]
#: A digest in hexadecimal digits, or none.
MaybeHex = Annotated[str, Meta(max_length=64, pattern=r"^[0-9a-f]*\Z")]
#: Of a protocol.
Version = Annotated[int, Meta(ge=0, le=255)]
Port = Annotated[int, Meta(ge=0, le=65535)]
#: Where browsers reach a node: scheme, host and port (RFC 6454), or nothing.
URL = Annotated[
    str,
    Meta(
        max_length=256,
        pattern=r"^(?:https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)?\Z",
    ),
]
#: Bytes of a body: at most 1 TiB.
Length = Annotated[int, Meta(ge=0, le=1 << 40)]
Variant = Annotated[int, Meta(ge=0, le=15)]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
#: Unix seconds, as the table has them.
Seconds = Annotated[int, Meta(ge=0, lt=1 << 32)]
#: When in a deploy a change is put: :func:`edge.resource.rank_of`.
Rank = Annotated[int, Meta(ge=0, le=4)]
