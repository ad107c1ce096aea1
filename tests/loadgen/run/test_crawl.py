"""Finding out what a site has: from pages to what belongs to them, over connections to a small server."""

from __future__ import annotations

import gzip
import http.server
import socket
import threading
from pathlib import Path
from typing import Any

import brotlicffi
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import encode as encode_load
from loadgen.errors import LoadgenError, UsageError
from loadgen.run import crawl
from loadgen.run.crawl import Crawler, _Links, _max_age
from loadgen.run.site import SiteMap
from tests.loadgen.run.samples import etag, load

HOME = b"""<!doctype html><title>x</title>
<link rel="stylesheet" href="/style.css"><link rel=icon href=/icon.svg>
<script type=module src="/app.js"></script><img src="/logo.png"><img src=/later.png loading=lazy>
<a href="about.html">about</a> <a href="/about.html#team">team</a>
"""
ABOUT = b'<link rel=stylesheet href="style.css"><a href="/">home</a><a href="/more/?page=2">more</a>'


class Server:
    """Answers what a test says, with correct ETags unless it says otherwise; keeps what it was asked."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.fields: dict[str, dict[str, str]] = {}
        self.statuses: dict[str, int] = {}
        #: What goes over the wire instead of an answer, before the connection closes.
        self.raw: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_GET(self) -> None:
                outer.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                if self.path in outer.raw:
                    self.wfile.write(outer.raw[self.path])
                    self.close_connection = True
                    return
                body = outer.bodies.get(self.path, b"")
                self.send_response(outer.statuses.get(self.path, 200 if self.path in outer.bodies else 404))
                fields = {"ETag": f'"{etag(body)}"', "Content-Length": str(len(body))}
                for name, value in (fields | outer.fields.get(self.path, {})).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *arguments: Any) -> None:
                """A crawler that goes away is what some tests are about."""

        self.connections = 0
        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address: tuple[str, int] = ("127.0.0.1", self.http.server_address[1])
        self.url = f"http://localhost:{self.address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(20)


class Case(SynchronousTestCase):
    """One node."""

    def setUp(self) -> None:
        self.server = Server()
        self.addCleanup(self.server.close)
        self.crawler = Crawler(self.server.url, self.server.address)
        self.addCleanup(self.crawler._connection.close)

    def publish(self, **bodies: bytes) -> None:
        """Keywords are names with _ for . in /NAME."""
        self.server.bodies |= {"/" + name.replace("_", "."): body for name, body in bodies.items()}

    def home(self, body: bytes) -> None:
        self.server.bodies["/"] = body

    def pages(self, found: SiteMap) -> list[list[str]]:
        """Paths."""
        return [[found.resources[one].path for one in parts] for parts in found.pages]

    def refused(self, what: Any, *arguments: Any) -> str:
        """Why."""
        with self.assertRaises(LoadgenError) as caught:
            what(*arguments)
        return str(caught.exception)


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
            self.addCleanup(self.crawler._connection.close)
            body = code(b"<a href=/about.html>about</a>")
            self.home(body)
            self.server.fields["/"] = {"Content-Encoding": coding}
            self.publish(about_html=b"about")
            found = self.crawler.site("/", 10)
            self.assertEqual(self.pages(found), [["/"], ["/about.html"]])
            self.assertEqual(found.resources[0].etag, etag(body))

    def test_a_damaged_or_unknown_coding_is_a_page_without_links(self) -> None:
        for coding in ("gzip", "br", "zstd", "x"):
            self.crawler = Crawler(self.server.url, self.server.address)
            self.addCleanup(self.crawler._connection.close)
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
            self.assertGreaterEqual(len(_Links(text).found), links, text)

    @settings(deadline=None)
    @given(st.text(alphabet="<>!/[]-&#; ='\"ahrefscriptsrc\n", max_size=60))
    def test_no_text_is_too_broken(self, text: str) -> None:
        for _, address in _Links(text).found:
            Crawler("http://localhost:1", ("127.0.0.1", 1))._local("/", address)


class ListTests(Case):
    """A file that names pages."""

    def listed(self, text: str | bytes) -> SiteMap:
        self.file = Path(self.mktemp())
        self.file.write_bytes(text.encode() if isinstance(text, str) else text)
        return self.crawler.listed(self.file)

    def test_a_line_is_a_page_with_its_assets(self) -> None:
        self.home(HOME)
        self.publish(a_css=b"css", b=b"b")
        found = self.listed("# pages\n/ /a.css\n\n/b /a.css  # also\n")
        self.assertEqual(self.pages(found), [["/", "/a.css"], ["/b", "/a.css"]])
        self.assertEqual([one.kind for one in found.resources], ["document", "fetch", "document"])

    def test_each_mistake_is_named_with_its_line(self) -> None:
        self.home(b"home")
        for text, line, why in (
            ("/\nindex.html\n", 2, "'index.html' is no path"),
            ("/ http://localhost/x\n", 1, "is no path"),
            ("/ \N{SNOWMAN}\n", 1, "is no path"),
            ("\n/ /gone.css\n", 2, f"{self.server.url}/gone.css is not there"),
        ):
            with self.assertRaises(UsageError) as caught:
                self.listed(text)
            self.assertIn(f"{self.file}, line {line}: ", str(caught.exception))
            self.assertIn(why, str(caught.exception))

    def test_a_file_without_pages_or_without_sense_is_refused(self) -> None:
        for text in ("", "# nothing\n", b"\xff\xfe"):
            with self.assertRaises(UsageError) as caught:
                self.listed(text)
            self.assertIn(str(self.file), str(caught.exception))
        with self.assertRaisesRegex(UsageError, "No such file"):
            self.crawler.listed(Path(self.mktemp()))


class LoadTests(Case):
    """Where the nodes are."""

    def test_the_load_document_is_read(self) -> None:
        self.server.bodies["/.edge/load"] = encode_load(load())
        self.assertEqual(self.crawler.load(), load())

    def test_what_has_none_is_no_node(self) -> None:
        for body in (b"", b"<html>not found", b"{}", b'{"v":2}', b"\xff", b'{"x":' + b"[" * 100_000):
            self.server.bodies["/.edge/load"] = body
            why = self.refused(self.crawler.load)
            self.assertIn(f"{self.server.url}/.edge/load: no load document", why)
            self.assertIn("is this a node of twistd edge?", why)


class ConnectionTests(Case):
    """What goes wrong on the way."""

    def test_a_connection_that_the_node_closed_is_opened_again(self) -> None:
        self.home(b"<a href=/a><a href=/b>")
        self.publish(a=b"a", b=b"b")
        self.server.fields["/a"] = {"Connection": "close"}
        self.assertEqual(len(self.crawler.site("/", 10).pages), 3)

    def test_when_nobody_listens_that_is_said(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        crawler = Crawler(f"http://localhost:{port}", ("127.0.0.1", port))
        why = self.refused(crawler.load)
        self.assertIn(f"http://localhost:{port}/.edge/load: no answer: Connection refused", why)
        self.assertIn("make run", why)

    def test_an_answer_that_is_none_or_cut_off_is_asked_for_once_more_and_then_named(self) -> None:
        for raw in (
            b"",
            b"SSH-2.0-OpenSSH\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsho",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
        ):
            self.server.raw["/"] = raw
            self.server.asked.clear()
            self.assertIn(f"{self.server.url}/: no answer: ", self.refused(self.crawler.site, "/", 1), raw)
            self.assertEqual(len(self.server.asked), 2)

    def test_a_body_beyond_all_reason_is_not_waited_for(self) -> None:
        self.patch(crawl, "_MOST_BYTES", 1 << 20)
        self.home(b"x" * (2 << 20))
        self.assertIn("is over 1 MiB", self.refused(self.crawler.site, "/", 1))

    def test_nor_is_one_that_trickles(self) -> None:
        self.patch(crawl, "_PATIENCE_S", -1.0)
        self.home(b"home")
        self.assertIn("does not end", self.refused(self.crawler.site, "/", 1))


class MaxAgeTests(SynchronousTestCase):
    """For how long an answer is fresh."""

    def test_seconds_or_none(self) -> None:
        for value, expected in {
            None: -1, "": -1, "max-age=60": 60, "public, max-age=31536000, immutable": 31_536_000,
            "max-age=0": -1,
            "no-cache": -1, "no-store, max-age=60": -1, "Max-Age=5": 5, "max-age=x": -1, "max-age": -1,
            "max-age=60 , public": 60, "private, no-cache=\"x\", max-age=9": -1, "max-age=\xb2": -1,
            "s-maxage=60": -1,
        }.items():  # fmt: skip
            self.assertEqual(_max_age(value), expected, value)
