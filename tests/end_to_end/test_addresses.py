"""Addresses and response fields of a real node: of the configuration and of files in the webroot."""

from __future__ import annotations

import signal

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.node import RunningNode

CONFIGURATION = """
clean-urls = true
fallback = "/index.html"
security = "strict"
[[header]]
path = "/assets/**"
set = { "Cache-Control" = "public, max-age=31536000, immutable, stale-while-revalidate=86400" }
[[redirect]]
from = "/old/:year/*"
to = "/archive/:year/:splat"
status = 301
[[redirect]]
from = "/shop"
to = "https://shop.example.org/"
[[rewrite]]
from = "/manual/*"
to = "/docs/:splat"
"""


class AddressTests(SynchronousTestCase):
    """What clients get."""

    def setUp(self) -> None:
        self.node = node = RunningNode(workers=1)
        self.addCleanup(node.clean_up)
        self.file = node.directory / "edge.toml"
        self.file.write_text(CONFIGURATION)
        node.options += ["--config", str(self.file)]
        for name in ("index.html", "about.html", "docs/a.html", "assets/app.js"):
            node.write(name, name.encode())
        node.write("_redirects", b"/feed /feed.xml\n/tag/* /tags/:splat 302\n")
        node.write("_headers", b"/about\n  X-About: 1\n")
        node.start()

    def leads(self, path: str) -> tuple[int, str | None]:
        """(status, Location) of the answer."""
        status, fields, _ = self.node.ask(path)
        return status, fields["Location"]

    def test_a_node_that_only_leads_elsewhere_needs_no_folder(self) -> None:
        """What a server comes to that only redirects; it shows no demonstration."""
        node = RunningNode(workers=1)
        self.addCleanup(node.clean_up)
        file = node.directory / "edge.toml"
        file.write_text(
            'webroot = "none"\n[[redirect]]\nfrom = "/a"\nto = "https://b.example/"\n'
            '[[redirect]]\nfrom = "/old/*"\nto = "https://b.example/:splat"\n'
        )
        node.has_webroot = False
        node.options += ["--config", str(file)]
        node.start()
        answers = [
            (status, fields["Location"]) for status, fields, _ in map(node.ask, ("/a", "/old/x?y", "/"))
        ]
        self.assertEqual(answers, [(308, "https://b.example/"), (308, "https://b.example/x?y"), (404, None)])

    def test_pages_rules_and_fields(self) -> None:
        node = self.node
        self.assertEqual(node.ask("/about")[2], b"about.html")
        self.assertEqual(self.leads("/about.html?x=1"), (308, "/about?x=1"))
        self.assertEqual(self.leads("/old/2024/a%20b?x"), (301, "/archive/2024/a%20b?x"))
        self.assertEqual(self.leads("/shop"), (308, "https://shop.example.org/"))
        self.assertEqual(self.leads("/feed?x"), (301, "/feed.xml?x"))
        self.assertEqual(self.leads("/tag/x"), (302, "/tags/x"))
        self.assertEqual(self.leads("//about"), (308, "/about"))
        self.assertEqual(node.ask("/manual/a")[2], b"docs/a.html")
        self.assertEqual(node.ask("/_redirects")[0], 404)
        self.assertEqual(node.ask("/app/route", {"Accept": "text/html"})[2], b"index.html")
        self.assertEqual(node.ask("/app/missing.js", {"Sec-Fetch-Dest": "script"})[0], 404)
        fields = node.ask("/about")[1]
        self.assertEqual((fields["X-About"], fields["X-Frame-Options"]), ("1", "SAMEORIGIN"))
        fields = node.ask("/assets/app.js")[1]
        self.assertIn("stale-while-revalidate", fields["Cache-Control"])
        status, confirmed, _ = node.ask("/assets/app.js", {"If-None-Match": fields["ETag"]})
        self.assertEqual((status, confirmed["Cache-Control"]), (304, fields["Cache-Control"]))
        self.assertIsNone(confirmed["Cross-Origin-Resource-Policy"])

    def test_a_rule_file_that_is_replaced_counts_whole_and_at_once(self) -> None:
        node = self.node
        path = node.site / "_redirects"
        with path.open("wb") as file:  # in place, and slowly: nobody does it so, and everybody has
            file.write(b"/feed /fe")
            file.flush()
            for _ in range(20):
                self.assertIn(self.leads("/feed"), [(301, "/feed.xml"), (301, "/fe")])
            file.write(b"ed2.xml\nnonsense\n")
        node.wait_for(lambda: self.leads("/feed") == (301, "/feed2.xml"), "the new rule counts")
        node.wait_for(lambda: "_redirects line 2: write FROM TO" in node.log.read_text(), "the line is said")
        node.wait_for(lambda: self.leads("/tag/x")[0] == 404, "the old pattern is gone")
        path.unlink()
        node.wait_for(lambda: self.leads("/feed")[0] == 404, "no rule is left")

    def test_a_signal_brings_other_rules_and_wrong_ones_change_nothing(self) -> None:
        node = self.node
        assert node.process is not None
        self.file.write_text(
            CONFIGURATION.replace("shop.example.org", "new.example.org").replace("/archive", "/a")
        )
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(lambda: self.leads("/shop") == (308, "https://new.example.org/"), "the rule is new")
        node.wait_for(lambda: self.leads("/old/1/x") == (301, "/a/1/x"), "the pattern is new")
        self.file.write_text(CONFIGURATION + '[[redirect]]\nfrom = "/a"\nto = "//evil.example"\n')
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(lambda: "one slash" in node.log.read_text(), "the wrong rule is said")
        self.assertEqual(self.leads("/shop"), (308, "https://new.example.org/"))
