"""Crawling any server: what its answers say of themselves is what browsers go by."""

from __future__ import annotations

import zlib

import zstandard

from loadgen.run.coordinator.plain_crawl import PlainCrawler
from loadgen.wire.interface import Limits
from tests.loadgen.run.coordinator.serving import Case

HTML = {"Content-Type": "text/html; charset=utf-8", "ETag": ""}


class PlainCrawlTests(Case):
    """A server that has no digests, no load document and no smart client."""

    def setUp(self) -> None:
        super().setUp()
        self.crawler: PlainCrawler = PlainCrawler(self.server.url, self.server.address)
        self.addCleanup(self.crawler.close)
        self.server.fields["/"] = HTML

    def test_what_has_no_validator_is_found_too_and_nothing_of_ours_is_asked_for(self) -> None:
        self.home(b"<link rel=stylesheet href=/a.css><a href=/b>b</a>")
        self.publish(a_css=b"css", b=b"<p>b")
        self.server.fields |= {"/b": HTML, "/a.css": {"ETag": '"not-a-digest"', "Cache-Control": "max-age=9"}}
        found = self.crawler.site("/", 100)
        self.assertEqual(self.pages(found), [["/", "/a.css"], ["/b"]])
        self.assertEqual((found.worker, found.beside), ([], []))
        self.assertEqual([path for path, _ in self.server.asked], ["/", "/a.css", "/b"])
        style = found.resources[1]
        assert style.caching is not None
        self.assertEqual((style.caching.etag, style.caching.lifetime_s), ("not-a-digest", 9))

    def test_a_download_is_no_page_and_is_not_read(self) -> None:
        self.home(b"<a href=/file.zip>file</a><a href=/b>b</a>")
        self.publish(file_zip=b"x" * (64 << 20), b=b"<p>b")
        self.server.fields |= {"/b": HTML, "/file.zip": {"Content-Type": "application/zip"}}
        self.assertEqual(self.pages(self.crawler.site("/", 100)), [["/"], ["/b"]])

    def test_what_no_run_could_take_is_left_out_and_named(self) -> None:
        self.home(b"<img src=/huge.png>")
        self.publish(huge_png=b"x" * (Limits().body_bytes + 1))
        self.assertEqual(self.pages(self.crawler.site("/", 100)), [["/"]])
        self.assertEqual(self.crawler.left_out, ["/huge.png"])

    def test_links_are_found_in_any_coding_that_browsers_take(self) -> None:
        for coding, code in (("zstd", zstandard.ZstdCompressor().compress), ("deflate", zlib.compress)):
            self.home(code(b"<a href=/b>b</a>"))
            self.publish(b=b"<p>b")
            self.server.fields |= {"/": HTML | {"Content-Encoding": coding}, "/b": HTML}
            crawler = PlainCrawler(self.server.url, self.server.address)
            self.addCleanup(crawler.close)
            self.assertEqual(self.pages(crawler.site("/", 100)), [["/"], ["/b"]], coding)

    def test_a_site_that_leads_elsewhere_says_where(self) -> None:
        self.server.statuses["/"] = 301
        self.server.fields["/"] = {"Location": "https://www.example.org/"}
        why = self.refused(self.crawler.site, "/", 100)
        self.assertIn("it leads to https://www.example.org/; name another", why)
