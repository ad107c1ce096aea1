"""Finding out what a site has: from pages to what belongs to them, over connections to a small server."""

from __future__ import annotations

import gzip

import brotlicffi
from hypothesis import given
from hypothesis import strategies as st

from loadgen.run.coordinator.crawl import Crawler
from loadgen.run.coordinator.links import Links
from tests.loadgen.run.coordinator.serving import Case
from tests.loadgen.run.samples import etag

HOME = b"""<!doctype html><title>x</title>
<link rel="stylesheet" href="/style.css"><link rel=icon href=/icon.svg>
<script type=module src="/app.js"></script><img src="/logo.png"><img src=/later.png loading=lazy>
<a href="about.html">about</a> <a href="/about.html#team">team</a>
"""
ABOUT = b'<link rel=stylesheet href="style.css"><a href="/">home</a><a href="/more/?page=2">more</a>'


class SiteTests(Case):
    """Crawling."""

    def test_pages_and_what_belongs_to_them(self) -> None:
        self.home(HOME)
        self.publish(about_html=ABOUT, style_css=b"css", app_js=b"js", icon_svg=b"svg", logo_png=b"png")
        self.server.bodies["/more/?page=2"] = b"<p>more"
        found = self.crawler.site("/", 100)
        self.assertEqual(
            self.pages(found),
            [
                ["/", "/style.css", "/icon.svg", "/app.js", "/logo.png"],
                ["/about.html", "/style.css"],
                ["/more/?page=2"],
            ],
        )
        kinds = {one.path: one.kind for one in found.resources}
        self.assertEqual(
            [kinds[path] for path in self.pages(found)[0]], ["document", "style", "image", "script", "image"]
        )

    def test_each_thing_is_asked_for_once(self) -> None:
        self.home(HOME)
        self.publish(about_html=ABOUT, style_css=b"css")
        self.crawler.site("/", 100)
        asked = [path for path, _ in self.server.asked]
        self.assertEqual(len(asked), len(set(asked)))

    def test_one_connection_does_for_all(self) -> None:
        self.home(HOME)
        self.publish(about_html=ABOUT, style_css=b"css", app_js=b"")
        self.crawler.site("/", 100)
        self.assertEqual(self.server.connections, 1)

    def test_what_is_known_of_each_is_what_the_node_said(self) -> None:
        self.home(b"<link rel=stylesheet href=/a.css>")
        self.publish(a_css=b"body {}")
        self.server.fields["/a.css"] = {"Cache-Control": "public, max-age=60"}
        page, style = self.crawler.site("/", 1).resources
        self.assertEqual((style.etag, style.size, style.max_age), (etag(b"body {}"), 7, 60))
        self.assertEqual(page.max_age, -1)

    def test_it_asks_as_browsers_do(self) -> None:
        self.home(b"<script src=/app.js></script>")
        self.publish(app_js=b"js")
        self.crawler.site("/", 1)
        first, second = self.server.asked[:2]
        self.assertIn("text/html", first[1]["accept"])
        self.assertEqual(second[1]["accept"], "*/*")
        self.assertEqual(first[1]["accept-encoding"], "gzip, deflate, br, zstd")
        self.assertEqual(first[1]["host"], self.server.url.partition("://")[2])

    def test_links_are_found_in_coded_bodies_and_the_etag_is_of_the_coded_bytes(self) -> None:
        for coding, code in (("gzip", gzip.compress), ("br", brotlicffi.compress)):
            self.crawler = Crawler(self.server.url, self.server.address)
            self.addCleanup(self.crawler.close)
            body = code(b"<a href=/about.html>about</a>")
            self.home(body)
            self.server.fields["/"] = {"Content-Encoding": coding}
            self.publish(about_html=b"about")
            found = self.crawler.site("/", 10)
            self.assertEqual(self.pages(found), [["/"], ["/about.html"]])
            self.assertEqual(found.resources[0].etag, etag(body))

    def test_who_names_resources_without_end_is_not_asked_for_them(self) -> None:
        """In a page, or in scripts that import others."""
        self.home(b"".join(b"<img src=/%d.png>" % number for number in range(3_000)))
        self.assertIn("/: it names more than 2,000 resources", self.refused(self.crawler.site, "/", 1))
        self.assertLess(len(self.server.asked), 10)
        self.home(b"<script src=/a.js></script>")
        self.publish(a_js=b"".join(b'import "/%d.js";' % number for number in range(3_000)))
        crawler = Crawler(self.server.url, self.server.address)
        self.addCleanup(crawler.close)
        self.assertIn("/a.js: it names more than 2,000 resources", self.refused(crawler.site, "/", 1))

    def test_what_looks_like_an_import_and_never_becomes_one_costs_no_time(self) -> None:
        """A megabyte of it: with a time in its square the crawl would not end."""
        self.home(b"<script src=/a.js></script>")
        self.publish(a_js=b"import" + b" " * 1_000_000 + b"from(" * 200_000)
        self.assertEqual(self.pages(self.crawler.site("/", 1)), [["/", "/a.js"]])

    def test_a_damaged_or_unknown_coding_is_a_page_without_links(self) -> None:
        for coding in ("gzip", "br", "zstd", "x"):
            self.crawler = Crawler(self.server.url, self.server.address)
            self.addCleanup(self.crawler.close)
            self.home(b"<a href=/about.html>about</a>")
            self.server.fields["/"] = {"Content-Encoding": coding}
            self.assertEqual(self.pages(self.crawler.site("/", 10)), [["/"]])

    def test_modules_bring_what_they_import_and_what_that_imports(self) -> None:
        self.home(b"<script type=module src=/js/app.js></script>")
        self.server.bodies |= {
            "/js/app.js": b'import { a } from "./a.js";\nimport("../lazy.js");import x from "react"',
            "/js/a.js": b"export * from './b.js'; import '/js/app.js'",
            "/js/b.js": b"export const b = 1",
            "/lazy.js": b"",
        }
        (page,) = self.pages(self.crawler.site("/", 1))
        self.assertEqual(page[:2], ["/", "/js/app.js"])
        self.assertEqual(set(page[2:]), {"/js/a.js", "/js/b.js", "/lazy.js"})
        self.assertEqual(len(page), len(set(page)))

    def test_the_smart_client_is_found_and_its_rules_beside_every_page(self) -> None:
        self.home(b"home")
        self.server.bodies |= {"/sw.js": b'import "/w.js"', "/w.js": b"", "/edge.json": b"{}"}
        found = self.crawler.site("/", 1)
        paths = [one.path for one in found.resources]
        self.assertEqual([paths[one] for one in found.worker], ["/sw.js", "/w.js"])
        self.assertEqual([paths[one] for one in found.beside], ["/sw.js", "/edge.json"])

    def test_a_site_without_one_has_none(self) -> None:
        self.home(b"home")
        found = self.crawler.site("/", 1)
        self.assertEqual((found.worker, found.beside), ([], []))

    def test_other_sites_are_not_looked_at(self) -> None:
        port = self.server.address[1]
        self.home(
            b"<a href=http://example.com/>x</a><a href=//example.com/>x</a><a href=https://localhost:%d/s>x</a>"
            b"<a href=http://localhost:%d/p>x</a><a href=mailto:a@b>x</a><a href='javascript:x()'>x</a>"
            b"<a href='http://[x'>x</a><a href='http://x:99999/'>x</a><a href>x</a><a name=x>x</a>"
            b"<img src=data:image/png;base64,AAAA><script src=https://example.com/x.js></script>"
            b"<a href='http://localhost:%d/own'>x</a><a href=' /also '>x</a>" % (port, port + 1, port)
        )
        self.publish(own=b"own", also=b"also")
        self.assertEqual(self.pages(self.crawler.site("/", 10)), [["/"], ["/own"], ["/also"]])
        self.assertTrue(all(fields["host"].startswith("localhost:") for _, fields in self.server.asked))

    def test_no_more_pages_than_wanted_and_the_nearest_first(self) -> None:
        self.home(b"<a href=/a>a</a><a href=/b>b</a>")
        self.publish(a=b"<a href=/deep>deep</a>", b=b"b", deep=b"deep")
        self.assertEqual(self.pages(self.crawler.site("/", 3)), [["/"], ["/a"], ["/b"]])
        self.assertNotIn("/deep", [path for path, _ in self.server.asked])

    def test_what_is_not_there_or_cannot_be_confirmed_is_left_out(self) -> None:
        self.home(b"<a href=/gone><a href=/moved><a href=/untagged><a href=/weak><img src=/gone.png>")
        self.publish(untagged=b"x", weak=b"x")
        self.server.statuses["/moved"] = 301
        self.server.fields = {"/untagged": {"ETag": ""}, "/weak": {"ETag": 'W/"abc"'}}
        self.assertEqual(self.pages(self.crawler.site("/", 10)), [["/"]])

    def move(self, path: str, to: str) -> None:
        """What is at *path* is elsewhere."""
        self.server.statuses[path] = 301
        self.server.fields[path] = {"Location": to}

    def test_what_pages_name_and_is_not_there_is_kept_to_be_said(self) -> None:
        """Not what nobody has named: a smart client that a site may have."""
        self.home(b"<link rel=stylesheet href=/gone.css><a href=/broken>b</a><a href=/also>a</a>")
        self.publish(also=b"<link rel=stylesheet href=/gone.css>")
        self.server.statuses["/broken"] = 500
        self.crawler.site("/", 10)
        self.assertEqual(self.crawler.missing, ["/gone.css (404)", "/broken (500)"])

    def test_a_folder_without_its_slash_leads_to_its_page(self) -> None:
        """As the node answers; links on it are relative to where it led."""
        self.home(b"<a href=/docs>docs</a><a href=/docs/>docs</a><script src=/js></script>")
        self.move("/docs", "/docs/")
        self.move("/js", "/scripts/app.js")
        self.server.bodies |= {
            "/docs/": b"<a href=intro>intro</a><img src=i.png>", "/docs/intro": b"intro",
            "/docs/i.png": b"png", "/scripts/app.js": b"import './a.js'", "/scripts/a.js": b"",
        }  # fmt: skip
        self.assertEqual(
            self.pages(self.crawler.site("/", 10)),
            [["/", "/scripts/app.js", "/scripts/a.js"], ["/docs/", "/docs/i.png"], ["/docs/intro"]],
        )

    def test_what_leads_in_circles_or_elsewhere_leads_nowhere(self) -> None:
        self.home(b"<a href=/a>a</a><a href=/away>x</a><a href=/nowhere>x</a><a href=/0>0</a>")
        self.move("/a", "/b")
        self.move("/b", "/a")
        self.move("/away", "http://example.com/")
        self.move("/nowhere", "http://[x")
        for number in range(2000):
            self.move(f"/{number}", f"/{number + 1}")
        self.assertEqual(self.pages(self.crawler.site("/", 10)), [["/"]])
        self.assertLess(len(self.server.asked), 40)

    def test_addresses_are_relative_to_the_base_that_a_page_names(self) -> None:
        self.home(b"<base href=/v2/><base href=/v3/><a href=next>next</a><img src=/logo.png>")
        self.server.bodies |= {
            "/v2/next": b"<base href=http://example.com/><a href=x>x</a>",
            "/logo.png": b"png",
        }
        self.assertEqual(self.pages(self.crawler.site("/", 10)), [["/", "/logo.png"], ["/v2/next"]])

    def test_an_image_that_is_shown_and_linked_is_no_page(self) -> None:
        self.home(b"<a href=/photo.jpg><img src=/photo.jpg></a><a href=/next>next</a>")
        self.publish(photo_jpg=b"\xff\xd8", next=b"<a href=/style.css><link rel=stylesheet href=/style.css>")
        self.publish(style_css=b"css")
        self.assertEqual(
            self.pages(self.crawler.site("/", 10)), [["/", "/photo.jpg"], ["/next", "/style.css"]]
        )

    def test_without_a_first_page_there_is_nothing_to_do(self) -> None:
        why = self.refused(self.crawler.site, "/nothing", 10)
        self.assertIn(f"{self.server.url}/nothing: there is no page", why)
        self.assertIn("[site] start", why)

    def test_an_etag_that_is_not_the_digest_is_no_node_of_ours(self) -> None:
        self.home(b"home")
        self.server.fields["/"] = {"ETag": '"abcdef"'}
        self.assertIn(
            f"{self.server.url}/: its ETag is not the digest", self.refused(self.crawler.site, "/", 1)
        )

    def test_broken_pages_have_the_links_before_the_break(self) -> None:
        for text, links in (
            ("<a href=/a><![foo[<a href=/b>", 1),
            ("<a href=/a><!DOCTYPE [<<a href=/b>", 1),
            ("<a href=/a><a href='/b", 1),
            ("\x00<a href=/a></\xff>", 1),
        ):
            self.assertGreaterEqual(len(Links(text).found), links, text)

    @given(st.text(alphabet="<>!/[]-&#; ='\"ahrefscriptsrc\n", max_size=60))
    def test_no_text_is_too_broken(self, text: str) -> None:
        for _, address in Links(text).found:
            Crawler("http://localhost:1", ("127.0.0.1", 1)).local_path("/", address)
