"""The catalogue, a snapshot of a folder as a scan finds it, and whether two resources are the same.

A webroot that changes while it is served is a :mod:`edge.publish.site`; what of it is put first, by
:mod:`edge.publish.schedule`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from edge.publish.store import Signature
from edge.resource import Representation, Resource


class PublishedFile(NamedTuple):
    """What one file, with its siblings, was published as, and the signatures by which a change shows."""

    #: What stat said of the file and of each of its siblings, by their names.
    signatures: tuple[tuple[str, Signature], ...]
    #: False: it changed so shortly before it was read that another change may not show in stat.
    settled: bool
    #: One, or two for an index file.
    resources: tuple[Resource, ...]
    #: Names of the siblings that hold its coded contents.
    siblings: tuple[str, ...]
    #: Its contents are not the first that were published under its name.
    has_changed: bool = False
    #: Other contents had the same Last-Modified: it moves as soon as the clock has.
    is_undated: bool = False
    #: Coded quickly: there will be fewer bytes of the same contents.
    is_provisional: bool = False


class Statistics(NamedTuple):
    """How much a catalogue or a deploy holds."""

    #: Resources, one for each path.
    resources: int
    representations: int
    #: Of the bodies.
    bytes: int


class Catalogue(Mapping[bytes, Resource]):
    """An immutable snapshot of a webroot: its resources by their paths."""

    def __init__(
        self,
        files: Mapping[str, PublishedFile] | None = None,
        rules: object = None,
        *,
        written_since: Mapping[str, float] | None = None,
        look_again: bool = False,
    ) -> None:
        """*files*: by name relative to the webroot.  *rules*: what, besides the files, they depend on.

        *written_since*: files that are being written, and the Unix seconds when that was first seen.
        *look_again*: another scan in a moment will find more, even if nothing says that something changes.
        """
        self.written_since: Mapping[str, float] = MappingProxyType(dict(written_since or {}))
        self.look_again = look_again
        self.files: Mapping[str, PublishedFile] = MappingProxyType(dict(files or {}))
        self.rules = rules
        self._resources = {
            resource.path: resource for published in self.files.values() for resource in published.resources
        }

    def __getitem__(self, path: bytes) -> Resource:
        return self._resources[path]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)

    def blobs(self) -> set[bytes]:
        """ETags of the bodies that must be in the blob store."""
        return blobs_of(self._resources.values())

    def statistics(self) -> Statistics:
        """Totals of everything published."""
        return statistics_of(self._resources.values())


def is_same(a: Resource, b: Resource) -> bool:
    """Equality, but for where the bodies are kept: their digests say whether they are equal."""
    return a.modified == b.modified and [_essence(r) for r in a.representations] == [
        _essence(r) for r in b.representations
    ]


def _essence(representation: Representation) -> tuple[object, ...]:
    return (
        representation.variant,
        representation.digest,
        representation.lines_200,
        representation.lines_304,
        representation.body is None,
    )


def blobs_of(resources: Iterable[Resource]) -> set[bytes]:
    """ETags of the bodies of *resources* that must be in the blob store."""
    return {one.etag for resource in resources for one in resource.representations if one.body is None}


def statistics_of(resources: Iterable[Resource]) -> Statistics:
    """Totals of *resources*."""
    count = representations = size = 0
    for resource in resources:
        count += 1
        representations += len(resource.representations)
        size += sum(representation.length for representation in resource.representations)
    return Statistics(count, representations, size)
