"""Where files are found, and with which fields: from what a file was published as to entries of the table.

A file *offers* entries for addresses (:class:`Offer`): itself where it is, redirects where it is not any
more (:mod:`edge.addresses.pages`), itself once more where a rewrite leads to it.  Rules offer, too: a
redirect from an exact path.  :class:`edge.publish.site.Site` decides whose offer counts.

So a redirect and a clean URL are entries as a file is, made when the file is published, and cost nobody
anything when they are asked for.  A rule with captures matches more paths than there are entries: among those
that files have it is applied here, all others workers look up (:meth:`Addressing.document`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from edge.addresses.fields import LONGEST_LINES, Changes, FieldRule, Fields, changed, join_lines, of_304
from edge.addresses.globs import decoded
from edge.addresses.pages import OWN, PageAddresses
from edge.addresses.redirects import LEADING, REWRITE, AddressRule, AddressRules, Leads
from edge.http.target import canonical_path
from edge.publish.catalogue import PublishedFile
from edge.publish.rules import NO_CACHE, client_cache_control
from edge.resource import Representation, Resource, redirect

#: Ranks beside those of pages: rules with force; redirects and rewrites where nothing else is; listings.
FORCED, ELSEWHERE, REWRITTEN, LISTED = -1, 1000, 1001, 2000
#: Status of a redirect from one form of an address to the other.
PERMANENT = 308
_SAFE = "/-._~!$&'()*+,;=:@"
#: Paths that are written as they are.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")
_CACHE_CONTROL, _CLIENT = b"cache-control", b"Edge-Client-Cache-Control"


class Offer(NamedTuple):
    """An entry for an address."""

    path: bytes
    #: The lowest counts.
    rank: int
    resource: Resource
    #: It counts only while the same file has that address, too; b"": always.
    needs: bytes = b""


class OpenRule(msgspec.Struct, frozen=True, array_like=True):
    """A rule with captures, as workers are told of it; see :class:`~edge.addresses.redirects.AddressRule`."""

    source: str
    regex: str
    to: str
    status: int
    slashes: bool

    def rule(self) -> AddressRule:
        """It, understood when it is first needed."""
        return AddressRule(self.source, self.regex, self.to, self.status, True, self.slashes)


class Document(msgspec.Struct, frozen=True, array_like=True):
    """What workers need where the table has nothing."""

    rules: tuple[OpenRule, ...] = ()
    #: The path that navigations are answered with; "": none.
    fallback: str = ""
    merge_slashes: bool = True
    #: For redirects that are no entries, and answers of applications.
    header: tuple[FieldRule, ...] = ()
    security: str = "off"
    foreign: bool = False


class Addressing:
    """The addresses and fields of one site."""

    def __init__(
        self,
        pages: PageAddresses | None = None,
        fields: Fields | None = None,
        rules: AddressRules | None = None,
        fallback: str = "",
        merge_slashes: bool = True,
    ) -> None:
        self._pages = pages if pages is not None else PageAddresses()
        #: The rules in force: of fields, and those that lead elsewhere.
        self.fields = fields if fields is not None else Fields()
        self.rules = rules if rules is not None else AddressRules()
        self._fallback = fallback
        self._merge_slashes = merge_slashes
        self._is_plain = self._pages.is_plain and self.fields.is_plain and not self.rules
        self._has_forced = any(rule.force for rule in self.rules.rules)
        #: By the path that is rewritten to: (path, force).
        self._rewrites: dict[str, list[tuple[str, bool]]] = {}
        for path in dict.fromkeys(self.rules.rewritten):
            leads = self.rules.find(path)
            if leads is not None and leads.status == REWRITE and leads.path is not None:
                self._rewrites.setdefault(leads.path, []).append((path, leads.rule.force))

    def paths_of(self, path: bytes) -> Iterator[bytes]:
        """The addresses of the file whose name gives *path*, whether they count or not."""
        yield from (one.path for one in self._pages.of(path))
        if self._rewrites:
            for address in {decoded(path), *(decoded(one.path) for one in self._pages.of(path))}:
                for rewritten, _ in self._rewrites.get(address, ()):
                    if (encoded := _encoded(rewritten)) is not None:
                        yield encoded

    def document(self) -> bytes:
        """:class:`Document`, packed."""
        rules = tuple(
            OpenRule(rule.source, rule.regex, rule.to, rule.status, rule.slashes) for rule in self.rules.open
        )
        fields = self.fields
        return msgspec.msgpack.encode(
            Document(
                rules, self._fallback, self._merge_slashes, fields.rules, fields.security, fields.foreign
            )
        )

    @property
    def named(self) -> Iterator[str]:
        """The decoded paths for which rules may offer something, whatever files there are."""
        return self.rules.exact

    def own(self, path: str) -> Sequence[Offer]:
        """What rules offer for the decoded *path*."""
        leads, encoded = self.rules.find(path) if self.rules else None, _encoded(path)
        if leads is None or encoded is None or leads.status == REWRITE or not self.rules.names(path):
            return ()
        rank = FORCED if leads.rule.force else ELSEWHERE
        return (Offer(encoded, rank, self._leading(encoded, leads, 0)),)

    def offers_of(self, published: PublishedFile) -> Sequence[Offer]:
        """What a file offers."""
        first = published.resources[0]
        if first.path.endswith(b"/"):  # a listing, where no file stands for the folder
            return [
                Offer(one.path, LISTED, self._content(one, one.path, "", False))
                for one in published.resources
            ]
        if self._is_plain:
            return [Offer(one.path, OWN, one) for one in published.resources]
        return list(self._offers_of(first, published.has_changed))

    def _offers_of(self, main: Resource, has_changed: bool) -> Iterator[Offer]:
        name = decoded(main.path)
        here = {name}
        for address in self._pages.of(main.path):
            asked = decoded(address.path)
            leads = self.rules.find(asked, forced=True) if self._has_forced else None
            if leads is not None:
                if leads.status != REWRITE:  # that is looked up where nothing is
                    yield Offer(address.path, FORCED, self._leading(address.path, leads, main.modified))
            elif address.to:
                lines = self._lines_of_redirect(asked)
                resource = redirect(address.path, PERMANENT, address.to, main.modified, lines)
                yield Offer(address.path, address.rank, resource, address.to)
                if address.rank == OWN:  # where another file has the better address, it is here
                    yield Offer(
                        address.path, address.rank + 1, self._content(main, address.path, name, has_changed)
                    )
            else:
                here.add(asked)
                yield Offer(address.path, address.rank, self._content(main, address.path, name, has_changed))
        for path in sorted(here) if self._rewrites else ():
            for rewritten, force in self._rewrites.get(path, ()):
                encoded = _encoded(rewritten)
                if encoded is not None:
                    rank = FORCED if force else REWRITTEN
                    yield Offer(encoded, rank, self._content(main, encoded, name, has_changed))

    def _leading(self, path: bytes, leads: Leads, modified: int) -> Resource:
        lines = self._lines_of_redirect(decoded(path)) if leads.status in LEADING else b""
        return redirect(path, leads.status, leads.address, modified, lines)

    def _lines_of_redirect(self, path: str) -> bytes:
        changes = self.fields.changes((path,), b"")
        return join_lines(changed(b"", changes)) if changes else b""

    def _content(self, main: Resource, path: bytes, name: str, has_changed: bool) -> Resource:
        """*main* at *path*; *name*: the path that the name of its file gives."""
        first = main.representations[0].lines_200
        changes = self.fields.changes((decoded(path), name or decoded(path)), _type_of(first))
        if not changes:
            return main if path == main.path else Resource(path, main.modified, main.representations)
        return Resource(
            path,
            main.modified,
            tuple([_with_changes(one, changes, has_changed) for one in main.representations]),
        )


def _with_changes(one: Representation, changes: Changes, has_changed: bool) -> Representation:
    lines_200, lines_304 = lines_after(one.lines_200, changes, has_changed)
    return Representation(one.variant, one.etag, one.digest, one.length, lines_200, lines_304, one.body)


@lru_cache(maxsize=8192)
def lines_after(lines: bytes, changes: Changes, has_changed: bool = False) -> tuple[bytes, bytes]:
    """(lines of a 200, of a 304) out of the *lines* of a 200 and what rules change of them.

    *has_changed*: other contents had the same address before: nobody is told that they never change.  Changes
    that make the lines longer than other nodes take them are left out, the last ones first.
    """
    fields = list(changed(lines, changes))
    while len(join_lines(fields)) > LONGEST_LINES and changes:
        changes = changes[:-1]
        fields = list(changed(lines, changes))
    if any(name.lower() == "cache-control" for _, name, _ in changes):
        fields = [field for field in fields if field[0] != _CLIENT]
        at = next((n for n, (name, _) in enumerate(fields) if name.lower() == _CACHE_CONTROL), None)
        if at is not None:
            name, value = fields[at]
            if has_changed and b"immutable" in value.lower():
                value = NO_CACHE
            client = client_cache_control(value)
            fields[at : at + 1] = [(name, value), *([(_CLIENT, client)] if client else [])]
    return join_lines(fields), of_304(fields)


def is_too_long(lines: bytes, changes: Changes) -> bool:
    """Whether :func:`lines_after` leaves something out."""
    return len(join_lines(changed(lines, changes))) > LONGEST_LINES


@lru_cache(maxsize=1024)
def _type_of(lines: bytes) -> bytes:
    return lines.partition(b"Content-Type: ")[2].partition(b"\r\n")[0]


def _encoded(path: str) -> bytes | None:
    """The canonical path that is decoded as *path*; None: there is none, or it is the node's own."""
    if _PLAIN.fullmatch(path) and not path.startswith("/.edge/"):
        return path.encode("ascii")
    found = canonical_path(quote(path, safe=_SAFE, errors="surrogateescape").encode("ascii"))
    return None if found is None or found.startswith(b"/.edge/") else found
