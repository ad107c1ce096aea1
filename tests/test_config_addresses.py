"""Addresses and response fields in the configuration, and what ``--check`` tells of them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.addresses.fields import FieldRule, weight_of_304
from edge.addresses.redirects import AddressRule
from edge.config import load, summarize
from edge.config.address_report import told_of_addresses
from edge.config.model import STRICT_HSTS, SiteRules
from edge.errors import ConfigError
from edge.publish.addressing import lines_after
from edge.publish.rules import lines_200
from tests.test_config import Base

TABLES = """
webroot = "site"
clean-urls = true
index = ["index.html", "index.htm"]
trailing-slash = "remove"
fallback = "/index.html"
merge-slashes = false
security = "basic"
[[header]]
path = "/assets/**"
set = { "Cache-Control" = "public, max-age=31536000, immutable" }
add = { "Link" = ["</a.css>; rel=preload", "</b.css>; rel=preload"] }
remove = ["X-Powered-By"]
[[redirect]]
from = "/old/:year/*"
to = "/new/:year/:splat"
status = 301
[[redirect]]
from-regex = "^/p/([0-9]+)$"
to = "/posts/:1"
[[redirect]]
from = "/gone"
status = 410
[[rewrite]]
from = "/docs/*"
to = "/manual/:splat"
[[site]]
hosts = ["blog.example.org"]
webroot = "site"
[[site.header]]
set = { "X-Blog" = "1" }
[[site.redirect]]
from = "/a"
to = "/b"
force = false
"""


class TableTests(Base):
    """Tables and options."""

    def test_tables_say_all_of_it_of_each_site(self) -> None:
        config = load({}, self.toml(TABLES))
        self.assertEqual(
            config.header,
            (
                FieldRule(
                    "/assets/**",
                    (
                        ("remove", "X-Powered-By", ""),
                        ("set", "Cache-Control", "public, max-age=31536000, immutable"),
                        ("add", "Link", "</a.css>; rel=preload"),
                        ("add", "Link", "</b.css>; rel=preload"),
                    ),
                ),
            ),
        )
        self.assertEqual(
            [
                (one.source, one.regex, one.to, one.status, one.force)
                for one in (*config.redirect, *config.rewrite)
            ],
            [
                ("/old/:year/*", "", "/new/:year/:splat", 301, True),
                ("", "^/p/([0-9]+)$", "/posts/:1", 308, True),
                ("/gone", "", "", 410, True),
                ("/docs/*", "", "/manual/:splat", 200, False),
            ],
        )
        self.assertEqual(config.redirect[1].place, "[[redirect]] number 2 (^/p/([0-9]+)$)")
        self.assertEqual(
            (config.clean_urls, config.index, config.trailing_slash, config.fallback, config.merge_slashes),
            (True, ("index.html", "index.htm"), "remove", "/index.html", False),
        )
        [blog] = config.site
        self.assertEqual(blog.header, (FieldRule("/**", (("set", "X-Blog", "1"),)),))
        self.assertFalse(blog.redirect[0].force)
        self.assertFalse(blog.clean_urls)

    def test_options_say_the_same_in_a_line(self) -> None:
        config = load(
            {
                "webroot": [str(self.site)],
                "header": ["/a/**=X-A: b=c: d", "*.pdf=!X-Frame-Options"],
                "redirect": ["/old/* /new/:splat 301", "/a /b", "/gone 410"],
                "rewrite": ["/x /y"],
                "fallback": ["none"],
            }
        )
        self.assertEqual(
            config.header,
            (
                FieldRule("/a/**", (("set", "X-A", "b=c: d"),)),
                FieldRule("*.pdf", (("remove", "X-Frame-Options", ""),)),
            ),
        )
        self.assertEqual(
            [(one.source, one.status) for one in config.redirect],
            [("/old/*", 301), ("/a", 308), ("/gone", 410)],
        )
        self.assertEqual(config.rewrite, (AddressRule("/x", to="/y", status=200, force=False, place="/x"),))
        self.assertEqual(config.fallback, "")

    def test_each_wrong_table_names_file_table_key_and_remedy(self) -> None:
        for text, *words in (
            ('[[header]]\npath = "/a"', "[[header]] number 1 (/a): it changes nothing"),
            ('[[header]]\npfad = "/a"', "unknown key 'pfad'"),
            ("[[header]]\nset = 1", "set = 1: write names and values"),
            ('[[header]]\nset = { "X" = 1 }', 'set X = 1: write a text in quotes'),
            ('[[header]]\nset = { "Content-Length" = "1" }', "where a message ends"),
            ('[[header]]\nset = { "X\\r\\nY" = "1" }', "no name of a field"),
            ('[[header]]\nset = { "X" = "a\\r\\nSet-Cookie: b" }', "visible ASCII"),
            ("[[header]]\nremove = [1]", "remove = [1]: write a list of names"),
            ("header = 1", "[[header]] number 1: write a table [[header]]"),
            ('[[redirect]]\nfrom = "/a"', "[[redirect]] number 1 (/a): to is missing"),
            ('[[redirect]]\nto = "/a"', "from is missing"),
            ('[[redirect]]\nfrom = "/a"\nto = "//evil.example"', "one slash"),
            ('[[redirect]]\nfrom = "/a/:b"\nto = "https://:b/"', "no capture in its host"),
            ('[[redirect]]\nfrom = "/a"\nto = "/:b"', "no capture :b"),
            ('[[redirect]]\nfrom = "/a"\nto = "/b"\nstatus = 200', "is a [[rewrite]]"),
            ('[[redirect]]\nfrom = "/a"\nto = "/b"\nstatus = "301"', "without quotes"),
            ('[[redirect]]\nfrom = "/a"\nto = "/b"\nfrom_regex = "x"', "keep one"),
            ('[[redirect]]\nfrom-regex = "("\nto = "/b"', "from-regex '('"),
            ('[[redirect]]\nfrom = "/a"\nto = "/b"\n[[redirect]]\nfrom = "/b"\nto = "/a"', "in a circle"),
            ('[[rewrite]]\nfrom = "/a"\nto = "https://x.example/"', "file of this site"),
            ('index = ["a/b"]', "name of a file"),
            ('index = [".."]', "name of a file"),
            ('fallback = "index.html"', "path of a page"),
            ('fallback = "/.edge/x"', "the node's own"),
            ('fallback = "//evil"', "path of a page"),
            ('trailing-slash = "maybe"', "choose one of keep, add, remove"),
            ('security = "very"', "choose one of off, basic, strict"),
            ('[[site]]\nhosts = ["x.example"]\n[[site.redirect]]\nfrom = "/a"\nto = "b"',
             "[[site]] number 1 (x.example)", "[[redirect]] number 1 (/a)"),
        ):  # fmt: skip
            file = self.toml('webroot = "site"\n' + text)
            self.refused({}, str(file), *words, file=file) if "circle" not in words[0] else self.refused(
                {}, *words, file=file
            )

    def test_circles_between_sites_are_none(self) -> None:
        top = 'webroot = "site"\n[[redirect]]\nfrom = "/a"\nto = "/b"\n'
        other = '[[site]]\nhosts = ["x.example"]\n[[site.redirect]]\nfrom = "/b"\nto = "/a"\n'
        self.assertEqual(len(load({}, self.toml(top + other)).sites), 2)

    def test_strict_security_keeps_browsers_to_https_unless_told_otherwise(self) -> None:
        self.assertEqual(load({"security": ["strict"]}).hsts, STRICT_HSTS)
        self.assertEqual(load({"security": ["strict"], "hsts": ["none"]}).hsts, "")
        self.assertEqual(load({"security": ["basic"]}).hsts, "")

    @settings(max_examples=150, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(
                ["path", "set", "add", "remove", "from", "from-regex", "to", "status", "force", "x"]
            ),
            st.one_of(
                st.text(max_size=8),
                st.integers(),
                st.booleans(),
                st.lists(st.text(max_size=4), max_size=2),
                st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
            ),
            max_size=5,
        ),
        st.sampled_from(["header", "redirect", "rewrite"]),
    )
    def test_any_table_is_read_or_refused_in_words(self, table: dict[str, object], name: str) -> None:
        from edge.config.settings import SETTINGS
        from edge.config.values import WrongTables

        try:
            rules = SETTINGS[name].kind.from_toml([table], self.folder)
        except WrongTables as wrong:
            self.assertTrue(all(line.startswith(f"[[{name}]] number 1") for line in wrong.lines), wrong.lines)
            return
        assert isinstance(rules, tuple)
        for rule in rules:
            rule.check()


class ReportTests(Base):
    """``--check``."""

    def test_what_a_304_will_weigh_is_what_it_weighs(self) -> None:
        long = "public, max-age=86400, stale-while-revalidate=604800"
        rules = SiteRules(
            webroot=self.site,
            header=(
                FieldRule("/long/**", (("set", "Cache-Control", long),)),
                FieldRule("/x", (("set", "X-A", "1"),)),
            ),
            cache=(("*.css", "max-age=60"),),
        )
        told = [text for _, text in told_of_addresses(rules)]
        lines = lines_200(b"text/html; charset=utf-8", "br", b"Accept-Encoding", b"no-cache")
        _, of_304 = lines_after(lines, (("set", "Cache-Control", long),))
        weight = weight_of_304(of_304)
        self.assertEqual(told[0], f"at most {weight} bytes")
        self.assertIn(f"{weight} of them where [[header]] number 1 (/long/**) applies", told[1])
        self.assertEqual(len(told), 2)

    def test_who_says_nothing_keeps_the_promise(self) -> None:
        told = list(told_of_addresses(SiteRules(webroot=self.site)))
        self.assertEqual(told, [("304", "at most 200 bytes, whatever the rules say")])

    def test_each_site_is_named_before_what_is_told_of_it(self) -> None:
        """With one alone there is nothing to tell apart."""
        given: dict[str, bool | list[str]] = {"webroot": [str(self.site)]}
        self.assertNotIn("site       ", summarize(load(given)))
        given["site"] = [f"a.example={self.site}", f"b.example={self.site}"]
        lines = summarize(load(given)).splitlines()
        before = [lines[number - 1] for number, line in enumerate(lines) if line.startswith("304 ")]
        self.assertEqual(
            before, ["site       the default one", "site       a.example", "site       b.example"]
        )

    def test_files_of_the_site_are_looked_into(self) -> None:
        (self.site / "_redirects").write_text("/a /b\nnonsense\n")
        (self.site / "_headers").write_bytes(b"/*\n  Cache-Control: " + b"x" * 100 + b"\n  ETag: y\n")
        text = summarize(load({"webroot": [str(self.site)]}))
        self.assertIn("_headers, /** (/**) applies", text)
        self.assertIn("_redirects line 2: write FROM TO STATUS", text)
        self.assertIn("_headers line 3: ETag cannot be changed here", text)

    def test_two_files_that_lead_in_a_circle_with_the_configuration_do_not_count(self) -> None:
        (self.site / "_redirects").write_text("/b /a\n")
        given: dict[str, bool | list[str]] = {"webroot": [str(self.site)], "redirect": ["/a /b"]}
        self.assertIn("none of the rules of the file counts", summarize(load(given)))
        self.assertRaises(ConfigError, load, {**given, "redirect": ["/a /b", "/b /a"]})
