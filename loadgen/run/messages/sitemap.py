"""What a site consists of, as crawling found it; goes from the coordinator, which crawled, to the processes.

Beside it the kinds of resources that browsers tell apart, and what they send for each.
"""

from __future__ import annotations

import msgspec

#: What the users' browsers accept; the node's ETags are those of these codings.
ACCEPT_ENCODING = "gzip, deflate, br, zstd"


class Kind(msgspec.Struct, frozen=True):
    """What a browser sends for a resource of a kind."""

    destination: str
    accept: str
    #: The regular expression of paths is looked at where markup does not tell.
    mode: str = "cors"


HTML_ACCEPT = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
)
KINDS = {
    "document": Kind("document", HTML_ACCEPT, "navigate"),
    "style": Kind("style", "text/css,*/*;q=0.1", "no-cors"),
    "script": Kind("script", "*/*"),
    "image": Kind("image", "image/avif,image/webp,*/*", "no-cors"),
    "fetch": Kind("empty", "*/*"),
}


class CrawledResource(msgspec.Struct):
    """A resource as crawling found it."""

    path: str
    kind: str
    etag: str
    size: int
    #: Seconds; -1: to be confirmed each time.
    max_age: int


class SiteMap(msgspec.Struct):
    """A site as crawling found it; goes from the process that crawled to those that load."""

    resources: list[CrawledResource]
    #: For each page the number of its resource, then those of its assets.
    pages: list[list[int]]
    #: What the smart client itself consists of, and what it confirms beside each page.
    worker: list[int] = []
    beside: list[int] = []
