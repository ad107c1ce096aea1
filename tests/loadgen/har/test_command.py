"""``loadgen har``: page weights, and a list of pages; nothing else of the file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from loadgen.har.archive import Content, Exchange, Request, Response
from loadgen.har.weights import figures, site
from tests.commands import run_command

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def entry(url: str, kind: str, size: int, page: str = "p", **more: Any) -> dict[str, Any]:
    """As Chromium writes it, with what is nobody's business."""
    return {
        "pageref": page,
        "request": {
            "method": more.get("method", "GET"), "url": url, "headersSize": 500,
            "headers": [{"name": "Cookie", "value": "sid=cookiemonster"}], "cookies": [],
        },
        "response": {
            "status": more.get("status", 200), "bodySize": size,
            "content": {"size": 10 * size, "mimeType": kind, "text": "a secret body"},
        },
    }  # fmt: skip


SITE = "https://x.example"
ENTRIES = [
    entry(f"{SITE}/?token=hunter2", "text/html; charset=utf-8", 10_000),
    entry(f"{SITE}/style.css", "text/css", 4000),
    entry(f"{SITE}/app.js", "text/javascript", 8000),
    entry("https://ads.example/pixel.gif", "image/gif", 43),
    entry(f"{SITE}/vote", "application/json", 43, method="POST"),
    entry(f"{SITE}/about", "text/html", 20_000, "q"),
    entry(f"{SITE}/style.css", "text/css", 4000, "q"),
    entry(f"{SITE}/reset/kJ8sLq2PzX91mNb4VcT7", "text/css", 4000, "q"),
    {"request": None},
]


class HarTests(SynchronousTestCase):
    """The command."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def har(self, content: object, *options: str, code: int = 0) -> str:
        path = self.folder / "a.har"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        found, out, err = run_command(main, "har", str(path), *options)
        self.assertEqual(found, code, err)
        return out + err

    def test_weights_are_those_of_the_site_and_toml_of_a_plan(self) -> None:
        pages = self.folder / "pages.txt"
        said = self.har({"log": {"version": "1.2", "entries": ENTRIES}}, "--pages", str(pages))
        plan = tomllib.loads(said)
        self.assertEqual(plan["pages"]["resources_per_view"], 2.5)
        self.assertApproximates(plan["pages"]["kilobytes_per_resource"], 46 / 5, 0.001)
        self.assertEqual(plan["requests"]["head_bytes"], 500)
        self.assertIn("page_bytes 15000, asset_bytes 5333", said)
        self.assertIn("shared_assets 1", said)
        self.assertEqual(pages.read_text(), "/ /style.css /app.js\n/about /style.css\n")
        for count in (
            "1 exchanges of other origins",
            "1 exchanges no GET",
            "1 exchanges whose",
            "1 exchanges that",
        ):
            self.assertIn(count, said)
        for secret in ("hunter2", "cookiemonster", "secret", "kJ8s"):
            self.assertNotIn(secret, said + pages.read_text())

    def test_what_is_no_har_file_has_a_sentence(self) -> None:
        for content, said in (
            ("", "no HAR file"),
            ("[" * 5000, "no HAR file"),
            ({"log": {}}, "no HAR file"),
            ({"log": {"entries": []}}, "no page in it"),
            ({"log": {"entries": [1, {}, ENTRIES[4]]}}, "no page in it"),
        ):
            self.assertIn(said, self.har(content, code=2))
        self.assertIn("file to read", self.har(
            {"log": {"entries": ENTRIES}}, "--pages", str(self.folder / "a.har"), code=2
        ))  # fmt: skip
        code, _, err = run_command(main, "har", str(self.folder / "none"))
        self.assertEqual(code, 2)
        self.assertIn("No such file", err)

    @given(st.lists(st.tuples(st.text(max_size=20), st.floats(allow_nan=False), st.booleans()), max_size=5))
    @settings(max_examples=80, deadline=None)
    def test_any_addresses_and_sizes_are_a_site_or_left_out(
        self, some: list[tuple[str, float, bool]]
    ) -> None:
        made = site(
            Exchange(
                Request("GET", f"http://h/{path}"),
                Response(200, Content(size, "text/html" if is_page else "image/png"), size),
            )
            for path, size, is_page in some
        )
        for page in made.pages:
            for part in (page.document, *page.parts):
                self.assertRegex(part.path, r"\A/[\x21-\x7e]*\Z")
                self.assertNotIn("#", part.path)
        if made.pages:
            self.assertTrue(all(value > -2 for value in figures(made.pages)))
