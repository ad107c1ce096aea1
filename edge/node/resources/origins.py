"""The origins whose scripts may read this node's answers: the configured ones, and all nodes of the cluster.

A smart client on a page of one node asks the others, too.  Who they are stands in the load document, which
every node publishes; a node that joins is allowed within :data:`FOLLOW_SECONDS`.

What changes something or holds a connection (mounts, applications, the socket) asks besides whether the page
is of this very server: :func:`edge.http.own_origins.own_origins`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import msgspec

from edge.http.own_origins import own_origins
from edge.load.document import decode
from edge.node.process.own_resources import LOAD

if TYPE_CHECKING:
    from edge.http.parser import RequestHead
    from edge.table.reader import Reader

#: Methods that change nothing (RFC 9110 section 9.2.1).
SAFE = (b"GET", b"HEAD", b"OPTIONS")
#: Why a request that changes something was refused.
FOREIGN = "Pages of other sites may not change anything here; see --public-url and --allow-origin."

FOLLOW_SECONDS = 1.0
#: Origins that the fast path has room for.
LIMIT = 64


def is_foreign(head: RequestHead, secure: bool, allowed: Collection[bytes]) -> bool:
    """Whether a page of another site has sent the request with *head*; no program but browsers says so.

    *allowed*: origins whose pages are no others.
    """
    origin, site = head.fields.get(b"origin"), head.fields.get(b"sec-fetch-site")
    if origin is not None:
        own = own_origins(head.host, secure)
        return not (origin in own or origin in allowed or b"*" in allowed)
    return site is not None and site not in (b"same-origin", b"none")


class ClusterOrigins(Collection[bytes]):
    """A set of serialized origins that follows the load document."""

    def __init__(self, configured: Collection[bytes], reader: Reader, document: bytes = LOAD) -> None:
        """*document*: the name of the load document of the site."""
        self._document = document
        self._configured = tuple(dict.fromkeys(configured))
        self._allowed: tuple[bytes, ...] = self._configured
        self._reader = reader
        self._seen = b""

    def look(self) -> bool:
        """Read the load document if it is a new one; whether there are other origins now."""
        entry = self._reader.find(self._document)
        if entry is None or entry.body is None or entry.etag == self._seen:
            return False
        self._seen = entry.etag
        try:
            nodes = decode(bytes(entry.body)).nodes
        except msgspec.DecodeError:  # of a newer program: what was allowed stays so
            return False
        urls = (node.url.encode("ascii", "replace") for node in nodes if len(node.url) <= 256)
        before = self._allowed
        self._allowed = tuple(dict.fromkeys((*self._configured, *urls)))[:LIMIT]
        return self._allowed != before

    # As collections.abc.Collection has it

    def __contains__(self, origin: object) -> bool:
        return origin in self._allowed

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._allowed)

    def __len__(self) -> int:
        return len(self._allowed)
