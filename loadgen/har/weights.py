"""Pages and their parts out of what a browser did, and the figures that plans and simulations take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from loadgen.har.archive import Exchange
from loadgen.logs.private import is_private

#: Of our own nodes; no part of a page.
_OWN = ("/.edge/", "/sw.js", "/edge.json")
_MOST_BYTES = 1e12


class Part(NamedTuple):
    """A resource, and what it weighs."""

    path: str
    #: Of its body, as sent.
    size: float
    #: Of the request with its head; -1: not told.
    head: float


class Page(NamedTuple):
    """A document, and what it uses."""

    document: Part
    parts: list[Part]


class Site(NamedTuple):
    """The pages of one origin, and what of the file is not in them."""

    origin: str
    pages: list[Page]
    #: Exchanges of other origins; not given (no GET, or no 200, 304); with private addresses.
    others: int
    not_given: int
    private: int


def site(exchanges: Iterable[Exchange]) -> Site:
    """The pages in *exchanges*, which are in the order of time; the first document's origin is the site's."""
    origin = ""
    others = not_given = private = 0
    by_page: dict[str, dict[str, tuple[Part, bool]]] = {}
    for one in exchanges:
        address = _address(one.request.url)
        if address is None or one.request.method != "GET" or one.response.status not in (200, 304):
            not_given += 1
            continue
        its_origin, path = address
        is_document = one.response.content.mimeType.lower().startswith(("text/html", "application/xhtml"))
        origin = origin or (its_origin if is_document else "")
        if its_origin != origin:
            others += 1
        elif is_private(path.encode("ascii")):
            private += 1
        elif not path.startswith(_OWN):
            part = Part(path, _size(one), one.request.headersSize)
            by_page.setdefault(one.pageref, {}).setdefault(path, (part, is_document))
    pages: dict[str, Page] = {}
    for found in by_page.values():
        page: Page | None = None
        for part, is_document in found.values():
            if is_document and (page is None or "" in by_page):
                page = pages.setdefault(part.path, Page(part, []))
            elif page is not None and part.path not in {known.path for known in page.parts}:
                page.parts.append(part)
    return Site(origin, list(pages.values()), others, not_given, private)


def _address(url: str) -> tuple[str, str] | None:
    """Origin and path, without the query; None: it is none of a server."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    path = quote(re.sub(r"[\s#]", "", parts.path) or "/", safe="!$%&'()*+,-./:;=@_~")
    return f"{parts.scheme}://{parts.hostname}{port}", path


def _size(one: Exchange) -> float:
    sent = one.response.bodySize
    size = sent if sent > 0 else one.response.content.size
    return min(max(0.0, size), _MOST_BYTES)


class Figures(NamedTuple):
    """Means over the pages."""

    resources_per_view: float
    bytes_per_resource: float
    path_bytes: float
    #: -1: not told.
    head_bytes: float
    page_bytes: float
    asset_bytes: float
    assets_per_page: float
    #: Parts that more than half of the pages have.
    shared_assets: int


def figures(pages: Sequence[Page]) -> Figures:
    """Of *pages*, one at least."""
    documents = [page.document for page in pages]
    parts = [part for page in pages for part in page.parts]
    everything = documents + parts
    heads = [part.head for part in everything if part.head > 0]
    pages_with: dict[str, int] = {}
    for part in parts:
        pages_with[part.path] = pages_with.get(part.path, 0) + 1
    return Figures(
        len(everything) / len(pages),
        _mean([part.size for part in everything]),
        _mean([float(len(part.path)) for part in everything]),
        _mean(heads) if heads else -1.0,
        _mean([part.size for part in documents]),
        _mean([part.size for part in parts]),
        len(parts) / len(pages),
        sum(count > len(pages) / 2 for count in pages_with.values()) if len(pages) > 1 else 0,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
