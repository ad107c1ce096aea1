"""Rules of a site that are no entries of the table, as a worker knows them: patterns, the fallback, slashes.

The supervisor puts them into the table (:class:`edge.publish.addressing.Document`), in one piece, under a
name that no request can have.  A worker looks there when a path has no entry, and understands them anew when
they have changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from edge.addresses.fields import Fields, changed, join_lines
from edge.addresses.globs import decoded
from edge.addresses.patterns import SegmentPattern
from edge.addresses.redirects import REWRITE, AddressRules, Leads
from edge.http.target import canonical_path
from edge.node.process.own_resources import ADDRESSES
from edge.publish.addressing import Document

if TYPE_CHECKING:
    from edge.table.reader import Reader, Version

_SLASHES = re.compile(rb"/{2,}")
_DECODER = msgspec.msgpack.Decoder(Document)


class Addresses:
    """The rules of one site."""

    def __init__(self, reader: Reader, prefix: bytes = b"") -> None:
        """*prefix*: of the names of the site's entries."""
        self._reader = reader
        self._name = prefix + ADDRESSES
        self._etag = b""
        self._version: Version | None = None
        self._document = Document()
        self._rules = AddressRules()
        self._fields = Fields()

    def answers(self, path: bytes) -> bool:
        """Whether a rule says what the canonical *path* is, before any application does."""
        return self.find(path, None) is not None

    def find(self, path: bytes, query: bytes | None) -> Leads | None:
        """What a rule says of the canonical *path*; not those that are for whatever is left."""
        self._look()
        leads = self._rules.find(decoded(path), query) if self._rules else None
        return None if leads is None or _takes_all(leads) else leads

    def find_last(self, path: bytes) -> Leads | None:
        """What a rule says of all that is left: it comes after applications."""
        self._look()
        leads = self._rules.find(decoded(path)) if self._rules else None
        return leads if leads is not None and _takes_all(leads) else None

    def lines(self, path: bytes) -> bytes:
        """The header lines that rules add to a redirect from *path*, as sent."""
        self._look()
        changes = self._fields.changes((decoded(path),), b"")
        return join_lines(changed(b"", changes)) if changes else b""

    @property
    def fields(self) -> Fields:
        """The rules of response fields."""
        self._look()
        return self._fields

    @property
    def fallback(self) -> bytes | None:
        """The path of what navigations get where nothing is."""
        self._look()
        return self._document.fallback.encode("ascii") or None

    def merged(self, raw: bytes) -> bytes | None:
        """The canonical path that the path *raw*, which has empty segments, may lead to."""
        if b"//" not in raw:
            return None
        self._look()
        return canonical_path(_SLASHES.sub(b"/", raw)) if self._document.merge_slashes else None

    def _look(self) -> None:
        """Take notice of rules that have changed."""
        if self._version is not None and self._reader.is_unchanged(self._version):
            return
        self._version = self._reader.version_of(self._name)
        entry = self._reader.find_without_body(self._name)
        if entry is None or entry.etag == self._etag:
            return
        entry = self._reader.find(self._name)
        if entry is None or entry.body is None:
            return
        self._document = _DECODER.decode(entry.body)
        self._rules = AddressRules([one.rule() for one in self._document.rules])
        document = self._document
        self._fields = Fields(document.header, document.security, document.foreign)
        self._etag = entry.etag


def _takes_all(leads: Leads) -> bool:
    """Whether it is a rewrite of every path, such as ``/* /index.html 200``."""
    pattern = leads.rule.pattern
    return leads.status == REWRITE and isinstance(pattern, SegmentPattern) and pattern.begin == "/"
