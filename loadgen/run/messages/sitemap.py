"""The site map: what a site consists of, as the coordinator's crawl found it for the processes.

Beside it the kinds of resources that browsers tell apart, and what they send for each.
"""

from __future__ import annotations

import msgspec

from loadgen.models.http_caching import Caching

#: What the users' browsers accept; the node's ETags are those of these codings.
ACCEPT_ENCODING = "gzip, deflate, br, zstd"


class Kind(msgspec.Struct, frozen=True):
    """A kind of resource, by what a browser sends for it: Sec-Fetch-Dest, Accept, Sec-Fetch-Mode."""

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
    """A resource as the crawl found it."""

    path: str
    kind: str
    etag: str
    size: int
    #: Seconds; -1: to be confirmed each time.
    max_age: int
    #: An application's: an answer that passes has no ETag of ours.
    is_shared: bool = False
    #: Of its body, see :mod:`loadgen.run.client.content_checking`.
    form: str = ""
    #: What else a browser's cache goes by; only of a plain server's.
    caching: Caching | None = None


class SiteMap(msgspec.Struct):
    """A site as the crawl found it: resources by number, and of which of them each page consists."""

    resources: list[CrawledResource]
    #: For each page the number of its resource, then those of its assets.
    pages: list[list[int]]
    #: What the smart client itself consists of, and what it confirms beside each page.
    worker: list[int] = []
    beside: list[int] = []
