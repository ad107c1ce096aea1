"""The smart client's tag in pages that do not name it: where it stands, where it does not."""

from __future__ import annotations

import gzip
import os
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.publish.injection import LONGEST, TAG, Pages, with_client
from edge.publish.problems import Kind
from edge.resource import etag_of
from tests.publish.site import PROSE, ScanTestCase

HERE = b"@"
#: What pages are made of, and what breaks them.
PIECES = (
    b"<!doctype html>", b"<html>", b"<head>", b"</head>", b"<body>", b"<title>", b"</title>", b"<script>",
    b"</script>", b"<!--", b"-->", b"<p a='", b"'>", b'"', b"<", b">", b"<meta ", b"x=y ", b"/>", b"text",
    b" ", b"<style>", b"</style", b"<base href=//x>", b"<\xff", b"importmap", b"<script type=importmap>", TAG,
)  # fmt: skip


class PlaceTests(SynchronousTestCase):
    """Where the tag is put: ``@`` marks the place."""

    def test_it_stands_at_the_end_of_the_head_however_much_of_that_is_written(self) -> None:
        for page in (
            b"<!doctype html><html><head><meta charset=utf-8><title>t</title>@</head><body><p>b</html>",
            b"<!doctype html><title>t</title>@<p>b",
            b"<!doctype html>@<p>b",
            b"<!doctype html>\n@text",
            b"<html>@<body>b</body></html>",
            b"<!DOCTYPE HTML><HTML><HEAD><TITLE>t</TITLE>@</HEAD><BODY>",
            b"\xef\xbb\xbf<!doctype html><meta charset=utf-8>@<h1>b",
            b"<!-- c --><!doctype html><!-- <body> -->@<main>",
            b"<!doctype html><script>'</head><body>'</script><style>b > i {}</style>@<b>",
            b"<!doctype html><title></head> & <body></title>@<b>",
            b"<!doctype html><link rel=x title='</head><body>' data-a=it's href=/a/>@</head>",
            b'<!doctype html><meta content="a > b"><noscript><link rel=x></noscript>@<p>',
            b"<title>only a head</title>@",
            b"<!doctype html><head>@</head><frameset>",
            b"<!doctype html><meta charset=latin-1><title>caf\xe9</title>@</head>",
            b"<!doctype html>@<body><script type=text/x-map>importmap</script>",
            b"<!doctype html><body><script type=importmap>{}</script>@<script type=module src=a></script>",
            b"<!doctype html><base href=/docs/>@<p>",
        ):
            with self.subTest(page):
                bare = page.replace(HERE, b"")
                self.assertEqual(with_client(bare), (page.replace(HERE, TAG), ""))
                self.assertEqual(with_client(page.replace(HERE, TAG)), (None, ""), "once only")

    def test_pages_that_have_it_parts_of_pages_and_amp_are_left_alone(self) -> None:
        for page in (
            b'<!doctype html><script src="/edge/client.js" type=module></script><p>',
            b"<!doctype html><p>b<script type=module src='https://www.example/edge/client.js?1'></script>",
            b"<nav><a href=/>menu</a></nav>",
            b"",
            b"text alone",
            b"<!-- <!doctype html> --><li>",
            b"<!doctype html><html amp><head></head>",
            "<!doctype html><html \u26a1><head></head>".encode(),
        ):
            with self.subTest(page):
                self.assertEqual(with_client(page), (None, ""))

    def test_text_about_the_tag_is_not_the_tag(self) -> None:
        for text in (
            b"<!-- %b -->" % TAG,
            b"<title>%b</title>" % TAG,
            b"<a href=/edge/client.js>",
            b"&lt;/edge/client.js",
        ):
            with self.subTest(text):
                page, _ = with_client(b"<!doctype html>" + text)
                assert page is not None
                self.assertEqual(page.count(TAG), 1 + text.count(TAG))

    def test_where_it_would_do_nothing_or_harm_it_says_so(self) -> None:
        def policy(text: str) -> bytes:
            return f'<!doctype html><meta http-equiv="content-security-policy" content="{text}"><p>'.encode()

        for page, reason in (
            (policy("default-src 'none'"), "permits no script"),
            (policy("script-src 'nonce-1' 'strict-dynamic' 'self'"), "permits no script"),
            (policy("default-src 'self'; script-src https://cdn.example"), "permits no script"),
            (policy("script-src &#39;none&#39;"), "permits no script"),
            (policy("default-src 'self', script-src 'none'"), "permits no script"),
            (b"<!doctype html><base href=//cdn.example/><p>", "<base>"),
            (b"<!doctype html><base href='HTTPS://cdn.example/'><p>", "<base>"),
            ("\ufeff<!doctype html><p>".encode("utf-16"), "encoding"),
            ("<!doctype html><p>\u3042".encode("iso-2022-jp"), "encoding"),
            (b"<!doctype html>" + b" " * LONGEST, "MiB"),
            (b"<!doctype html><head><title>never closed", "in the middle"),
            (b"<!doctype html><!-- never closed", "in the middle"),
        ):
            with self.subTest(page[:80]):
                got, why = with_client(page)
                self.assertIsNone(got)
                self.assertIn(reason, why)
        for text in (
            "script-src 'self'",
            "default-src https:",
            "img-src 'none'",
            "default-src 'none'; script-src 'self'",
            "",
        ):
            self.assertIsNotNone(with_client(policy(text))[0], text)

    @given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
    def test_whatever_a_page_is_only_the_tag_comes_to_it(self, page: bytes) -> None:
        got, _ = with_client(page)
        if got is not None:
            self.assertEqual(len(got), len(page) + len(TAG))
            self.assertIn(
                page, {got[:at] + got[at + len(TAG) :] for at in range(len(got)) if got.startswith(TAG, at)}
            )

    def test_hostile_pages_cost_their_length(self) -> None:
        for page in (
            b"<!doctype html>" + unit * 100_000
            for unit in (
                b"<",
                b"<!--",
                b"<a ",
                b"<a '",
                b"<meta a=",
                b"</",
                b"<script>",
                b"</script",
                b"<title></titl",
                b"<p importmap>",
                b"<link\t/",
                b"= ",
                b"<!",
            )
        ):
            with_client(page)  # minutes, if any of it were quadratic


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.sources.append(dict(attrs).get("src"))


class PagesTests(SynchronousTestCase):
    def test_globs_are_those_of_cache_rules(self) -> None:
        pages = Pages(["/blog/**", "*.htm"])
        for name, wanted in (
            ("blog/a.html", True),
            ("a.html", False),
            ("x/a.htm", True),
            ("blog/x/y.html", True),
        ):
            self.assertEqual(pages.has(name), wanted, name)
        self.assertFalse(Pages().has("index.html"))
        self.assertTrue(Pages(["**"]).has("index.html"))
        self.assertRaises(ConfigError, Pages, [""])


PAGE = b"<!doctype html><html><head><title>t</title></head><body>" + PROSE + b"</body></html>"


class PublishedTests(ScanTestCase):
    """What is published of a site with ``--inject-client``."""

    def test_each_page_is_published_with_the_tag_under_etags_of_its_own(self) -> None:
        self.write("index.html", PAGE)
        self.write("plain.html", PAGE)
        self.write("data.json", b"{}")
        store = self.store()
        plain = self.scan(store)
        catalogue = self.scan(store, inject_client=("index.html",))
        for path in (b"/index.html", b"/"):
            bodies = self.bodies(catalogue[path])
            self.assertGreater(len(bodies), 1, "coded, too")
            reader = _Scripts()
            reader.feed(bodies[0].decode())
            self.assertEqual(reader.sources, ["/edge/client.js"])
            self.assertEqual(bodies[0].replace(TAG, b""), PAGE)
            etags = {one.etag for one in catalogue[path].representations}
            self.assertFalse(etags & {one.etag for one in plain[path].representations})
        self.assertEqual(catalogue[b"/plain.html"], plain[b"/plain.html"])
        self.assertEqual(catalogue[b"/data.json"], plain[b"/data.json"])
        with open(os.path.join(self.root, "index.html"), "rb") as file:
            self.assertEqual(file.read(), PAGE, "nothing edited")
        self.assertEqual(self.problems, [])

    def test_large_pages_are_blobs_with_it_and_a_scan_again_finds_them_unchanged(self) -> None:
        self.write("big.html", PAGE * 40)
        store = self.store()
        settings = {"inject_client": ("**",), "body_limit": 10_000}
        first = self.scan(store, **settings)
        body = self.bodies(first[b"/big.html"])[0]
        self.assertEqual(body.count(TAG), 1)
        self.assertEqual(
            first[b"/big.html"].representations[0].etag,
            etag_of(first[b"/big.html"].representations[0].digest),
        )
        again = self.scan(store, **settings)
        self.assertEqual(again[b"/big.html"], first[b"/big.html"])

    def test_a_page_that_is_coded_already_is_coded_anew(self) -> None:
        self.write("a.html", PAGE, age=100)
        self.write("a.html.gz", gzip.compress(PAGE), age=50)
        catalogue = self.scan(self.store(), inject_client=("**",))
        bodies = self.bodies(catalogue[b"/a.html"])
        coded = [body for body in bodies.values() if body.startswith(b"\x1f\x8b")]
        self.assertEqual([gzip.decompress(one).count(TAG) for one in coded], [1])
        self.assertEqual(self.problems, [])

    def test_a_page_that_cannot_have_it_is_published_as_it_is_and_said(self) -> None:
        page = b"<!doctype html><base href=//cdn.example/><p>" + PROSE
        self.write("a.html", page)
        catalogue = self.scan(self.store(), inject_client=("**",))
        self.assertEqual(self.bodies(catalogue[b"/a.html"])[0], page)
        self.assertEqual(self.kinds(), {"a.html": Kind.NO_CLIENT})
        self.assertIn("leads to another site", str(self.problems[0]))
