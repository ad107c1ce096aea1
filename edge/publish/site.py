"""The site: what this node publishes now, and the files that it was made of.

It changes file by file (:meth:`Site.put`), and tells which paths are different then.  Of two files of one
name, the webroot's and the smart client's, one counts; a file that only holds the coded contents of another
has no path of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from edge.publish.catalogue import PublishedFile, Statistics, blobs_of, is_same, statistics_of
from edge.resource import Resource

_NOTHING: Mapping[str, PublishedFile] = {}


class Site(Mapping[bytes, Resource]):
    """Resources by their paths."""

    def __init__(self, publish_siblings: bool = False) -> None:
        """*publish_siblings*: ``x.br`` has a path of its own although it holds the contents of ``x``."""
        #: The webroot's, by name, whether they have a path or not.
        self.files: dict[str, PublishedFile] = {}
        self._client = _NOTHING
        self._client_counts = False
        self._publish_siblings = publish_siblings
        #: Names of files that hold the coded contents of others, and of how many.
        self._siblings: Counter[str] = Counter()
        self._resources: dict[bytes, Resource] = {}
        #: Paths of what is coded quickly as yet.
        self.provisional: set[bytes] = set()

    def __getitem__(self, path: bytes) -> Resource:
        return self._resources[path]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)

    def put(self, name: str, published: PublishedFile | None) -> list[bytes]:
        """*published* is what the file *name* is from now on (None: there is none); paths that differ.

        A listing is put under the name of its folder with a slash behind it, which no file has.
        """
        old = self.files.get(name)
        siblings = dict.fromkeys((*(old.siblings if old else ()), *(published.siblings if published else ())))
        names = (name, *siblings)
        before = [self._counting(one) for one in names]
        if old is not None:
            self._siblings.subtract(old.siblings)
        if published is None:
            self.files.pop(name, None)
        else:
            self.files[name] = published
            self._siblings.update(published.siblings)
        for sibling in siblings:
            if not self._siblings[sibling]:
                del self._siblings[sibling]
        return [path for one, was in zip(names, before, strict=True) for path in self._exchange(one, was)]

    def set_client(self, client: Mapping[str, PublishedFile], counts: bool) -> list[bytes]:
        """The smart client beside the site; *counts*: also where the site has a file of the same name."""
        names = dict.fromkeys((*self._client, *client))
        before = [self._counting(one) for one in names]
        self._client, self._client_counts = client, counts
        return [path for one, was in zip(names, before, strict=True) for path in self._exchange(one, was)]

    def blobs(self) -> set[bytes]:
        """ETags of the bodies that must be in the blob store."""
        return blobs_of(self._resources.values())

    def statistics(self) -> Statistics:
        """Totals of everything published."""
        return statistics_of(self._resources.values())

    def _counting(self, name: str) -> PublishedFile | None:
        """What counts under *name*."""
        client = self._client.get(name)
        if client is not None and self._client_counts:
            return client
        own = self.files.get(name)
        if own is not None and (self._publish_siblings or name not in self._siblings):
            return own
        return client

    def _exchange(self, name: str, was: PublishedFile | None) -> Iterator[bytes]:
        """Bring the resources of *name* up to date; the paths that differ."""
        counting = self._counting(name)
        if counting is was:
            return
        new = {one.path: one for one in counting.resources} if counting is not None else {}
        for resource in was.resources if was is not None else ():
            # An index file that has come has taken over the path of its folder from the listing.
            if resource.path not in new and self._resources.get(resource.path) is resource:
                del self._resources[resource.path]
                self.provisional.discard(resource.path)
                yield resource.path
        for path, resource in new.items():
            if counting is not None and counting.is_provisional:
                self.provisional.add(path)
            else:
                self.provisional.discard(path)
            old = self._resources.get(path)
            self._resources[path] = resource
            if old is None or not is_same(old, resource):
                yield path
