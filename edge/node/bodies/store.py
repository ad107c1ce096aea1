"""The body store: content-addressed bodies, wherever they are.

A body is named by its SHA-256, or by the etag made of it.  It is in one of three places:

* in memory, as part of the site that this node publishes (small ones);
* in a blob file (:mod:`edge.publish.blobs`): large ones, small ones that did not fit into the table, and
  those of other nodes;
* with another node, from where it is fetched (:mod:`edge.node.bodies.fetcher`) into a blob file.

Publishing tells it what it has published; the table of a cluster asks it for the bodies of other nodes'
entries; the other nodes ask it for ours.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edge.errors import EdgeError
from edge.resource import etag_of
from edge.sites import split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Set

    from edge.publish.blobs import Blobs
    from edge.publish.site import Site
    from edge.resource import Representation, Resource


class NoHolderError(EdgeError):
    """No node has, or gives, a body."""


class Wanted(NamedTuple):
    """A body that is not here: what it is, and an entry that refers to it."""

    #: SHA-256.
    digest: bytes
    #: In bytes.
    length: int
    #: Canonical path and variant of the entry.
    path: bytes
    variant: int
    #: The node that published it.
    origin: str


class Fetcher(Protocol):
    """Gets bodies from other nodes: :class:`edge.node.bodies.fetcher.BodyFetcher`."""

    async def fetch(self, wanted: Wanted, urgent: bool) -> None:
        """Return when the body is a blob, verified and retained; :class:`NoHolderError`."""


class BodyStore:
    """Finds and keeps the bodies of one node's entries; *fetcher*: None for a node without peers."""

    def __init__(self, blobs: Blobs, fetcher: Fetcher | None = None) -> None:
        self._blobs = blobs
        self._fetcher = fetcher
        #: By prefix of the names of their entries (:mod:`edge.sites`).
        self._sites: dict[bytes, Site] = {}
        self._answers: Callable[[bytes, int, bytes], bytes | None] = lambda name, variant, digest: None
        #: ETags of bodies of the site that did not fit into the table.
        self._spilled: set[bytes] = set()

    # Own bodies

    def lend(self, answers: Callable[[bytes, int, bytes], bytes | None]) -> None:
        """Give others bodies of stored answers, too: by (name of the key, variant, digest)."""
        self._answers = answers

    def hold(self, site: Site, prefix: bytes = b"") -> None:
        """What this node publishes of the site with *prefix* is what is in *site*, at each time."""
        self._sites[prefix] = site

    def _published(self, name: bytes) -> Resource | None:
        """What this node publishes under *name*."""
        prefix, path = split_name(name)
        site = self._sites.get(prefix)
        return None if site is None else site.get(path)

    def spill(self, representation: Representation) -> None:
        """Put a body that should have been in the table's memory into a blob.

        :class:`~edge.errors.PublishError` when there is no room for it.
        """
        if representation.body is not None and representation.etag not in self._spilled:
            self._blobs.put(representation.body)
            self._spilled.add(representation.etag)

    def find(self, digest: bytes, path: bytes, variant: int) -> bytes | str | None:
        """The body, the name of its file, or None: not here.  *path*, *variant*: an entry that has it."""
        resource = self._published(path)
        for one in resource.representations if resource is not None else ():
            if one.variant == variant and one.digest == digest and one.body is not None:
                return one.body
        answer = self._answers(path, variant, digest)
        if answer is not None:
            return answer
        file = self._blobs.path(etag_of(digest))
        return file if os.path.exists(file) else None

    # Bodies of other nodes

    def retain(self, etags: Iterable[bytes]) -> None:
        """Keep these blobs, whether they are here yet or not, until :meth:`collect` says otherwise."""
        self._blobs.retain(etags)

    def has(self, etag: bytes, length: int | None = None) -> bool:
        """Whether the blob is here, and of the right *length*."""
        try:
            size = os.stat(self._blobs.path(etag)).st_size
        except OSError:
            return False
        return length is None or size == length

    def read(self, etag: bytes, length: int) -> bytes | None:
        """The blob of *length* bytes; None: it is not here, or damaged."""
        try:
            body = _read(self._blobs.path(etag), length)
        except OSError:
            return None
        if len(body) != length:
            return None
        if etag_of(sha256(body).digest()) != etag:
            with suppress(EdgeError):  # a disk that cannot be written to: it is found damaged again
                self._blobs.discard(etag)  # so that it is fetched again
            return None
        return body

    def restore(self, path: bytes, etag: bytes) -> bool:
        """Write the blob *etag* of *path* again, if its body is in memory; whether it was."""
        resource = self._published(path)
        for one in resource.representations if resource is not None else ():
            if one.etag == etag and one.body is not None:
                self._blobs.put(one.body)
                return True
        return False

    async def fetch(self, wanted: Wanted, urgent: bool) -> None:
        """Return when the blob is here, from whatever node has it.

        *urgent*: a client waits.  :class:`NoHolderError` when no node gives it.
        """
        if self._fetcher is None:
            raise NoHolderError("this node has no peers")
        await self._fetcher.fetch(wanted, urgent)

    # Garbage

    def needed(self) -> set[bytes]:
        """ETags of the bodies of this node's own entries that are blobs."""
        if self._spilled:  # what has no entry any more needs no room on the disk, either
            resources = (resource for site in self._sites.values() for resource in site.values())
            self._spilled &= {one.etag for resource in resources for one in resource.representations}
        return self._spilled.union(*(site.blobs() for site in self._sites.values()))

    def collect(self, etags: Set[bytes]) -> None:
        """Delete all blobs but these, and those of the call before.  To be run in a thread.

        *etags*: :meth:`needed`, and what other nodes' entries refer to.
        """
        self._blobs.collect(etags)


def _read(path: str, length: int) -> bytes:
    """At most *length* + 1 bytes of a file; a million of them are read in a cold join."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, length + 1)
    finally:
        os.close(fd)
