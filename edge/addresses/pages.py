"""The addresses of pages: clean URLs, index files and trailing slashes.

A file has the address of its name.  A page may have another one, at which it *is*, and further ones that lead
there:

==================  =====================================  ================================================
``/about.html``     with ``clean-urls``: is at ``/about``  ``/about.html`` leads there
``/docs/index...``  is at ``/docs/``                       ``/docs`` leads there, with ``clean-urls`` the
                                                           index file, too
==================  =====================================  ================================================

``trailing-slash``: ``add`` has all pages end with a slash, ``remove`` none but the root; the other form leads
to it.  ``keep`` is as above: folders end with one and files do not.

Two files may claim one address: the one with the lower :attr:`Address.rank` has it.  What would lead to an
address that another file has, does not (:class:`edge.publish.site.Site`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from edge.http.target import path_of_name

INDEX = "index.html"
#: The page that answers what does not exist: it has no address besides its own.
_NOT_FOUND = b"/404.html"
_PAGE = b".html"
#: Ranks of what claims an address, the strongest first: a file itself, an index file (and those after it in
#: the list), a clean URL, the other form.
OWN, INDEXED, CLEAN, OTHER_FORM = 0, 10, 100, 200

TrailingSlash = Literal["keep", "add", "remove"]


class Address(NamedTuple):
    """One address of a file."""

    path: bytes
    rank: int
    #: Where it leads; b"": the file is there.
    to: bytes = b""


@dataclass(frozen=True)
class PageAddresses:
    """How pages are addressed."""

    clean_urls: bool = False
    #: Names of files that stand for their folder, the first that is there.
    index: tuple[str, ...] = (INDEX,)
    trailing_slash: TrailingSlash = "keep"

    @property
    def is_plain(self) -> bool:
        """Whether they are as they are where nobody says anything."""
        return self == PageAddresses()

    def of(self, path: bytes) -> tuple[Address, ...]:
        """The addresses of the file whose name gives the canonical *path*; no path twice."""
        folder, _, name = path.rpartition(b"/")
        names = [_encoded(one) for one in self.index]
        if name in names:
            return self._of_index(path, folder, names.index(name))
        if not self.clean_urls or not name.endswith(_PAGE) or name == _PAGE or path == _NOT_FOUND:
            return (Address(path, OWN),)
        base = path[: -len(_PAGE)]
        here, other = (base + b"/", base) if self.trailing_slash == "add" else (base, base + b"/")
        found = [Address(here, CLEAN), Address(path, OWN, here)]
        if self.trailing_slash != "keep":
            found.append(Address(other, OTHER_FORM, here))
        return tuple(found)

    def _of_index(self, path: bytes, folder: bytes, number: int) -> tuple[Address, ...]:
        """*number*: its place among the names of index files."""
        with_slash = folder + b"/"
        removes = self.trailing_slash == "remove" and folder != b""
        here, other = (folder, with_slash) if removes else (with_slash, folder)
        found = [Address(here, INDEXED + number)]
        found.append(Address(path, OWN, here) if self.clean_urls else Address(path, OWN))
        if self.trailing_slash != "keep" and folder:
            found.append(Address(other, OTHER_FORM, here))
        return tuple(found)


@lru_cache(maxsize=64)
def _encoded(name: str) -> bytes:
    """An index file's name as the last segment of a path."""
    return path_of_name([name])[1:]
