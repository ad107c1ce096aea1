"""The crawler of any server: its answers are what they are, and a browser's cache goes by their fields."""

from __future__ import annotations

import http.client

from loadgen.models import http_caching
from loadgen.run.client.content_checking import LOOKED_AT, form_of
from loadgen.run.coordinator.crawl import Crawler, text_of
from loadgen.run.messages.sitemap import HTML_ACCEPT, CrawledResource, SiteMap
from loadgen.wire.interface import Limits

#: What a page may be; what else a link leads to is no page, but a download.
_PAGES = ("text/html", "application/xhtml+xml")


class PlainCrawler(Crawler):
    """A crawl of a server that has no ``/.edge/``; has the form of :class:`Crawler`."""

    _way_out = "is the server running?"

    def _complete(self, pages: list[list[int]]) -> SiteMap:
        self._with_queries(pages)
        return SiteMap(self.resources, pages)

    def _found(
        self, path: str, kind: str, answer: http.client.HTTPResponse, body: bytes
    ) -> CrawledResource | None:
        if answer.status != 200 or (kind == "document" and not _is_page(answer)):
            return None
        if len(body) > Limits().body_bytes:
            self.left_out.append(path)
            return None
        fields: dict[str, str] = {}
        for name, value in answer.getheaders():
            known = fields.get(name.lower())
            fields[name.lower()] = value if known is None else f"{known}, {value}"
        caching = http_caching.read(fields)
        form = form_of(text_of(body, fields.get("content-encoding"), LOOKED_AT))
        return CrawledResource(
            path, kind, caching.etag, len(body), caching.lifetime_s, form=form, caching=caching
        )

    def _is_read(self, answer: http.client.HTTPResponse, accept: str) -> bool:
        """A download is not."""
        return accept != HTML_ACCEPT or answer.status != 200 or _is_page(answer)


def _is_page(answer: http.client.HTTPResponse) -> bool:
    return (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower() in _PAGES
