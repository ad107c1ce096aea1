"""A site map from a list of pages in a file."""

from __future__ import annotations

from pathlib import Path

from loadgen.errors import UsageError
from loadgen.run.messages.sitemap import SiteMap
from tests.loadgen.run.coordinator.serving import Case

HOME = b"""<!doctype html><title>x</title>
<link rel="stylesheet" href="/style.css"><link rel=icon href=/icon.svg>
<script type=module src="/app.js"></script><img src="/logo.png"><img src=/later.png loading=lazy>
<a href="about.html">about</a> <a href="/about.html#team">team</a>
"""


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
