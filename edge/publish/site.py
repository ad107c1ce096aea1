"""The site: what this node publishes now, and the files that it was made of.

It changes file by file (:meth:`Site.put`), and tells which paths are different then.  Of two files of one
name, the webroot's and the smart client's, one counts; a file that only holds the coded contents of another
has no path of its own.  Which addresses a file has, :mod:`edge.publish.addressing` says; where several claim
one, the offer with the lowest rank counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from edge.addresses.files import RULE_FILES
from edge.addresses.pages import OWN
from edge.publish.addressing import Addressing, Offer
from edge.publish.catalogue import PublishedFile, Statistics, blobs_of, is_same, statistics_of
from edge.resource import Resource

_NOTHING: Mapping[str, PublishedFile] = {}
#: In place of a file's name: what rules offer.
_RULES = "\0rules"
#: Likewise: a file at the address of its own name, of which nothing was kept.
_OWN = "\0own"


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
        #: Which addresses there are.
        self.addressing = Addressing()
        #: By which files are here that have not been asked since it changed.
        self._former = self.addressing
        self._unasked: dict[str, None] = {}
        #: Paths that rules have named, or name, likewise.
        self._unasked_rules: dict[str, None] = {}
        #: Offers for addresses that several may claim, or that lead elsewhere: by the name of the file.
        self._offers: dict[bytes, dict[str, list[Offer]]] = {}
        #: Addresses that depend on who has another one.
        self._depending: dict[bytes, set[bytes]] = {}

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
        rules = [self.files[name].resources[0] for name in RULE_FILES if name in self.files]
        return blobs_of([*self._resources.values(), *rules])

    def statistics(self) -> Statistics:
        """Totals of everything published."""
        return statistics_of(self._resources.values())

    def _counting(self, name: str) -> PublishedFile | None:
        """What counts under *name*."""
        if name in RULE_FILES:
            return None  # they are read, and never served
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
        by = self._former if name in self._unasked else self.addressing
        self._unasked.pop(name, None)
        before = by.offers_of(was) if was is not None else ()
        after = self.addressing.offers_of(counting) if counting is not None else ()
        yield from self._replace(name, before, after, counting is not None and counting.is_provisional)

    # Addresses

    def use(self, addressing: Addressing) -> Iterator[list[bytes]]:
        """Have these addresses from now on; lists of paths that differ, path by path and file by file."""
        while (paths := self._ask_again()) is not None:
            yield paths
        self._former, self.addressing = self.addressing, addressing
        self._unasked_rules = dict.fromkeys((*self._former.named, *addressing.named))
        self._unasked = dict.fromkeys((*self.files, *self._client))
        while (paths := self._ask_again()) is not None:
            yield paths

    def _ask_again(self) -> list[bytes] | None:
        """Ask a rule, or a file, where it is now; the paths that differ.  None: all have been asked."""
        if self._unasked_rules:
            path, _ = self._unasked_rules.popitem()
            return list(self._replace(_RULES, self._former.own(path), self.addressing.own(path)))
        while self._unasked:
            name, _ = self._unasked.popitem()
            counting = self._counting(name)
            if counting is not None:
                before, after = self._former.offers_of(counting), self.addressing.offers_of(counting)
                return list(self._replace(name, before, after, counting.is_provisional))
        return None

    def _replace(
        self, name: str, before: Sequence[Offer], after: Sequence[Offer], is_provisional: bool = False
    ) -> Iterator[bytes]:
        """*name* offers *after* in place of *before*; the paths that differ."""
        paths = dict.fromkeys([*(one.path for one in before), *(one.path for one in after)])
        old: dict[bytes, list[Offer]] = {}
        new: dict[bytes, list[Offer]] = {}
        for offers, by_path in ((before, old), (after, new)):
            for one in offers:
                by_path.setdefault(one.path, []).append(one)
        differ: dict[bytes, None] = {}
        for path in paths:
            self._claim(name, path, old.get(path, ()), new.get(path, ()), differ)
        for path in paths:
            self._resolve(path, differ)
            if is_provisional and path in new:
                self.provisional.add(path)
            else:
                self.provisional.discard(path)
        yield from differ

    def _claim(
        self, name: str, path: bytes, old: Sequence[Offer], new: Sequence[Offer], differ: dict[bytes, None]
    ) -> None:
        """Keep what *name* offers for *path*; nothing is kept where only a file itself is there."""
        is_own = _is_own(old)
        if path not in self._offers:
            if is_own and _is_own(new):
                self._set(path, new[0].resource if new else None, differ)
                return
            there = self._resources.get(path) if not old else None
            self._offers[path] = {_OWN: [Offer(path, OWN, there)]} if there is not None else {}
        offers = self._offers[path]
        if name not in offers and is_own and old:
            offers.pop(_OWN, None)
        offers.pop(name, None)
        for offer in old:
            if offer.needs:
                self._depending.get(offer.needs, set()).discard(path)
        for offer in new:
            if offer.needs:
                self._depending.setdefault(offer.needs, set()).add(path)
        if new:
            offers[name] = list(new)

    def _owner(self, path: bytes, asking: tuple[bytes, ...] = ()) -> tuple[str, Offer] | None:
        """Whose offer for *path* counts; *asking*: the paths whose offers need that.

        While some files are at the addresses of former rules, two paths may need each other: such offers
        count for nothing.
        """
        best: tuple[str, Offer] | None = None
        for name, offers in self._offers.get(path, {}).items():
            for offer in offers:
                if best is not None and (best[1].rank, best[0]) <= (offer.rank, name):
                    continue
                if offer.needs:
                    owner = self._owner(offer.needs, (*asking, path)) if offer.needs not in asking else None
                    if owner is None or owner[0] != name or owner[1].needs or owner[1].rank < OWN:
                        continue  # it leads to who is there, or no more than once
                best = name, offer
        return best

    def _resolve(self, path: bytes, differ: dict[bytes, None]) -> None:
        """Have at *path* what counts, and at what depends on it; where that is another, it is in *differ*."""
        waiting, done = [path], set[bytes]()
        while waiting:
            one = waiting.pop()
            if one in done or one not in self._offers:
                continue
            done.add(one)
            owner = self._owner(one)
            self._set(one, owner[1].resource if owner is not None else None, differ)
            if not self._offers[one]:
                del self._offers[one]
            waiting += self._depending.get(one, ())
            if not self._depending.get(one, True):
                del self._depending[one]

    def _set(self, path: bytes, resource: Resource | None, differ: dict[bytes, None]) -> None:
        """Have *resource* at *path*; None: nothing."""
        old = self._resources.get(path)
        if resource is None:
            self._resources.pop(path, None)
        else:
            self._resources[path] = resource
        if old is not resource and (old is None or resource is None or not is_same(old, resource)):
            differ[path] = None


def _is_own(offers: Sequence[Offer]) -> bool:
    """Whether they are a file at the address of its name, or nothing."""
    return not offers or (len(offers) == 1 and offers[0].rank == OWN and not offers[0].needs)
