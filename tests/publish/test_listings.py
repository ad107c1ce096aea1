"""Listings: what a page shows of a folder, whatever is in there, and how it is published."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from pathlib import Path
from urllib.parse import unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.addresses.pages import PageAddresses
from edge.http.target import path_of_name
from edge.publish import listings as module
from edge.publish.jobs import look
from edge.publish.listings import Entry, Listings, Page, entries_of, pages_of
from edge.publish.schedule import Look, Looked
from edge.publish.settings import AddressSettings, PublishSettings
from edge.publish.site import Site
from edge.publish.walk import Listing, Place, SourceFile
from edge.resource import Coding
from tests.publish.site import FAST, SiteTestCase

PLACE = Place("pub", b"/pub/", "/srv/pub", (), 0)
#: Names that try to be something else.
HOSTILE = (
    "<script>alert(1)", '"onclick="x', "a&amp;b", "javascript:alert(1)", "::evil.org", "<b>bold",
    "?q#f", "\u202egnp.exe", "\n\t\x1b[2J", "%2e%2e", "..a", "&lt;", os.fsdecode(b"\xff\xfe"), "a" * 255,
)  # fmt: skip


def file(name: str, size: int = 1, seconds: int = 1_700_000_000) -> SourceFile:
    """A file of the folder ``pub``."""
    signature = (1, hash(name), size, seconds * 1_000_000_000, seconds * 1_000_000_000)
    return SourceFile(f"pub/{name}", b"/pub" + path_of_name([name]), "/srv/pub", name, signature)


def listing(*files: SourceFile, folders: tuple[str, ...] = ()) -> Listing:
    """What is in it."""
    places = [Place(f"pub/{one}", b"/pub" + path_of_name([one, ""]), "/x", (), 0) for one in folders]
    return Listing({one.file: one for one in files}, places, frozenset(), [])


def pages(*files: SourceFile, folders: tuple[str, ...] = ()) -> dict[str, str]:
    """The pages that list them, by name."""
    entries = entries_of(listing(*files, folders=folders), frozenset())
    return {page.name: page.body.decode() for page in pages_of(PLACE, entries)}


def links(text: str) -> list[str]:
    """The addresses in the body of the table."""
    return [unescape(one) for one in re.findall(r'<td><a href="([^"]*)"', text)]


class PageTests(SynchronousTestCase):
    def test_folders_stand_first_and_each_order_is_a_page(self) -> None:
        found = pages(file("b", 5, 30), file("a", 9, 10), file("C", 1, 20), folders=("z",))
        up = ["../", "./z/"]
        for name, order in {
            "": "abC",
            ".name-down": "Cba",
            ".newest": "bCa",
            ".oldest": "aCb",
            ".largest": "abC",
            ".smallest": "Cba",
        }.items():
            self.assertEqual(links(found.pop(name)), up + [f"./{one}" for one in order], name)
        self.assertEqual(found, {})

    def test_each_page_says_how_it_is_sorted_and_leads_to_the_other_way_round(self) -> None:
        found = pages(file("a"))
        for name, sort, other in (
            ("", 'aria-sort="ascending"><a href="./.name-down">Name', ""),
            (".name-down", 'aria-sort="descending"><a href="./">Name', ""),
            (".newest", 'aria-sort="descending"><a href="./.oldest">Changed', '<a href="./.largest">Size'),
            (".smallest", 'aria-sort="ascending"><a href="./.largest">Size', '<a href="./">Name'),
        ):
            self.assertIn(sort, found[name])
            self.assertIn(other, found[name])
            self.assertEqual(found[name].partition("<h1>")[2].count("aria-sort"), 1)

    def test_whatever_a_name_tries_it_stays_a_name(self) -> None:
        """The address leads to the file alone, and no text becomes a tag or moves the line."""
        text = pages(*map(file, HOSTILE), folders=("<b>",))[""]
        self.assertEqual(set(re.findall(r"</?([a-z]+)", text[text.index("<tbody>") :])),
                         {"tbody", "table", "tr", "td", "a", "bdi", "time", "span"})  # fmt: skip
        found = {unquote_to_bytes(one[2:]) for one in links(text) if not one.startswith("..")}
        self.assertEqual(found, {os.fsencode(name) for name in HOSTILE} | {b"<b>/"})
        self.assertTrue(all(one.startswith("./") for one in links(text)[1:]))
        for octet in "\u202e\x1b":
            self.assertNotIn(octet, text)

    @given(st.lists(st.text(min_size=1, max_size=20), max_size=5, unique=True))
    def test_any_names_can_be_listed(self, names: list[str]) -> None:
        entries = [Entry(path_of_name([name])[1:].decode(), name, 1, 1) for name in names if _is_name(name)]
        text = next(iter(pages_of(PLACE, entries))).body.decode()
        self.assertEqual(len(links(text)), 1 + len(entries))

    def test_sizes_and_times_have_forms_that_people_read(self) -> None:
        files = (file("a", 999, 0), file("b", 1500), file("c", 123_456_789), file("d", 10**16, 10**12))
        text = pages(*files)[""]
        self.assertEqual(re.findall(r'bytes">([^<]*)<', text), ["999 B", "1.5 kB", "123 MB", "10 PB"])
        self.assertIn("1970-01-01", text)
        self.assertIn("9999-12-31", text)

    def test_a_large_folder_comes_in_parts_and_beyond_the_limit_is_counted(self) -> None:
        self.patch(module, "PAGE", 10)
        self.patch(module, "MOST", 95)
        found = pages(*[file(f"{n:03}") for n in range(120)])
        self.assertEqual(len(found), 30)
        self.assertEqual(links(found[""]), ["../", *[f"./{n:03}" for n in range(10)]])
        self.assertEqual(links(found[".name.10"]), [f"./{n:03}" for n in range(90, 95)])
        self.assertIn("95 entries are shown; there are 25 more.", found[".newest.3"])
        self.assertIn(
            '<nav aria-label="Parts"><a href="./.newest">1</a> <a href="./.newest.2">2</a>',
            found[".newest.3"],
        )
        for text in found.values():  # no link leads to an order that does not exist
            for name in re.findall(r'href="\./(\.[a-z0-9.-]+)"', text):
                self.assertIn(name, found)

    def test_the_guide_names_the_style_for_a_content_security_policy(self) -> None:
        style = re.search(r"<style>(.*?)</style>", pages(file("a"))[""], re.DOTALL)
        assert style is not None
        digest = b64encode(sha256(style[1].encode()).digest()).decode()
        guide = Path(__file__).parents[2] / "docs/howto/types-and-listings.md"
        self.assertIn(f"'sha256-{digest}'", guide.read_text("utf-8"))

    def test_an_empty_folder_says_so(self) -> None:
        self.assertIn("empty", pages()[""])

    def test_a_folder_of_a_hundred_thousand_files_has_bounded_pages(self) -> None:
        entries = [Entry(f"{n:06}.tar.gz", f"{n:06}.tar.gz", n, n) for n in range(module.MOST)]
        found: list[Page] = list(pages_of(PLACE, entries))
        self.assertEqual(len(found), 300)
        self.assertLess(max(len(page.body) for page in found), 256 * 1024)


def _is_name(name: str) -> bool:
    return name not in (".", "..") and not set("/\\\0") & set(name) and name.isprintable()


class GlobTests(SynchronousTestCase):
    def test_folders_are_named_with_or_without_the_last_slash(self) -> None:
        for glob, yes, no in (
            ("/pub/**", [b"/pub/", b"/pub/a/"], [b"/", b"/public/"]),
            ("/pub", [b"/pub/"], [b"/pub/a/", b"/"]),
            ("/pub/", [b"/pub/"], [b"/pub/a/"]),
            ("/**", [b"/", b"/a/"], []),
            ("/caf\u00e9/", [b"/caf%C3%A9/"], [b"/caf/"]),
        ):
            listed = Listings([glob])
            self.assertEqual([one for one in yes if not listed.has(one)], [], glob)
            self.assertEqual([one for one in no if listed.has(one)], [], glob)
        self.assertFalse(Listings([]).has(b"/"))


class PublishTests(SiteTestCase):
    def looked(self, name: str = "", **settings: object) -> Looked:
        """The folder *name* of the webroot, looked at."""
        given = PublishSettings(self.root, qualities=FAST, **{"listings": ("/**",), **settings})  # type: ignore[arg-type]
        location = os.path.join(self.root, name) if name else self.root
        place = Place(name, f"/{name}/".encode() if name else b"/", os.path.realpath(location), (), 0)
        store = self.store()
        (result,) = look(Look([place]), given, store, Site(), None)
        return result

    def test_it_is_published_in_all_codings_and_dated_by_what_changed_last(self) -> None:
        self.write("a.txt", age=500)
        os.utime(self.root, (1_700_000_000, 1_700_000_000))
        page = self.looked().page
        assert page is not None
        root = page.resources[0]
        self.assertEqual(root.path, b"/")
        self.assertEqual([one.variant for one in root.representations], list(map(int, Coding)))
        self.assertEqual(root.modified, int(os.stat(os.path.join(self.root, "a.txt")).st_mtime))
        self.assertIn(b"Content-Type: text/html; charset=utf-8", root.representations[0].lines_200)
        self.assertIn(b"Cache-Control: no-cache\r\n", root.representations[0].lines_200)
        again = self.looked().page
        assert again is not None
        self.assertEqual([one.path for one in again.resources], [one.path for one in page.resources])
        self.assertEqual(again.resources[0].representations[2].etag, root.representations[2].etag)

    def test_what_is_hidden_or_only_the_coded_form_of_another_is_not_shown(self) -> None:
        self.write("a.txt")
        self.write("a.txt.gz")
        self.write(".htpasswd")
        self.write("b.tar.gz")
        page = self.looked().page
        assert page is not None and page.resources[0].representations[0].body is not None
        text = page.resources[0].representations[0].body.decode()
        self.assertEqual(links(text), ["./a.txt", "./b.tar.gz"])

    def test_only_what_a_glob_names_is_listed_and_never_beside_an_index_file(self) -> None:
        self.write("pub/a.txt")
        self.assertIsNone(self.looked("pub", listings=()).page)
        self.assertIsNone(self.looked("", listings=("/pub/**",)).page)
        self.assertIsNotNone(self.looked("pub", listings=("/pub/**",)).page)
        self.write("pub/start.htm")
        pages = PageAddresses(index=("index.html", "start.htm"))
        other = AddressSettings(pages=pages)
        self.assertIsNone(self.looked("pub", listings=("/pub/**",), addresses=other).page)
        self.write("pub/index.html")
        self.assertIsNone(self.looked("pub", listings=("/pub/**",)).page)

    def test_a_rule_for_all_files_holds_for_it_but_not_for_ever(self) -> None:
        self.write("a.txt")
        for rule, line in (("no-store", b"no-store"), ("max-age=31536000,immutable", b"no-cache")):
            page = self.looked(cache_rules=(("**", rule),)).page
            assert page is not None
            self.assertIn(b"Cache-Control: %b\r\n" % line, page.resources[0].representations[0].lines_200)

    def test_pages_that_are_too_long_for_the_table_are_blobs(self) -> None:
        self.write("a.txt")
        page = self.looked(body_limit=100).page
        assert page is not None
        self.assertIsNone(page.resources[0].representations[0].body)
        self.assertTrue(self.store().blobs.has(page.resources[0].representations[0].etag,
                                               page.resources[0].representations[0].length))  # fmt: skip
