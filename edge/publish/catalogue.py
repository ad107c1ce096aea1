"""The catalogue: an immutable snapshot of the site; and the deploy: the steps from one snapshot to the next.

A :class:`Catalogue` never changes; a scan makes a new one.  :func:`diff` gives the steps from the one
to the other, in an order that keeps pages whole while they are taken: first what pages refer to (images and
fonts, then style sheets, which refer to those, then scripts), then the pages, and removals last.
So nobody gets a new page before the assets it names.

Of a webroot that changes while it is served the same order is kept by :mod:`edge.publish.schedule`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from edge.publish.store import Signature
from edge.resource import Representation, Resource, rank_of


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


@dataclass(frozen=True, slots=True)
class Deploy:
    """The steps from one catalogue to another."""

    #: To be put in this order; a resource that was there is replaced whole, with all its variants.
    puts: tuple[Resource, ...]
    #: Paths to be removed, after all puts.
    removes: tuple[bytes, ...]

    def __bool__(self) -> bool:
        return bool(self.puts or self.removes)

    def statistics(self) -> Statistics:
        """Totals of the puts."""
        return statistics_of(self.puts)


def diff(old: Mapping[bytes, Resource] | None, new: Mapping[bytes, Resource]) -> Deploy:
    """The steps from *old* (None: nothing) to *new*."""
    before: Mapping[bytes, Resource] = old if old is not None else {}
    puts = [
        resource
        for path, resource in new.items()
        if (was := before.get(path)) is not resource and (was is None or not is_same(was, resource))
    ]
    puts.sort(key=lambda one: (rank_of(one.representations[0].lines_200), one.path))
    return Deploy(tuple(puts), tuple(sorted(path for path in before if path not in new)))


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
