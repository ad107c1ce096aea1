from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.addresses.fields import LONGEST_VALUE
from edge.errors import ConfigError
from edge.publish.rules import (
    IMMUTABLE,
    NO_CACHE,
    SHORT_CACHE_CONTROL,
    CacheRules,
    checked_cache_control,
    client_cache_control,
    lines_200,
    lines_304,
    vary,
)
from edge.publish.types import UNKNOWN


class CacheControl(SynchronousTestCase):
    def test_fingerprinted_files_are_immutable_and_all_others_confirmed(self) -> None:
        rules = CacheRules()
        self.assertEqual(rules.cache_control("assets/app.3f9c2a1b.js", True), IMMUTABLE)
        self.assertEqual(rules.cache_control("assets/app.3f9c2a1b.js", False), NO_CACHE)

    def test_a_page_is_never_immutable_by_its_name(self) -> None:
        self.assertEqual(CacheRules().cache_control("post-3f9c2a1b.html", True), NO_CACHE)

    def test_the_first_matching_rule_wins_over_all_else(self) -> None:
        rules = CacheRules([("*.js", "max-age=60"), ("app.*", "max-age=70"), ("*.html", "no-store")])
        self.assertEqual(rules.cache_control("app.3f9c2a1b.js", True), b"max-age=60")
        self.assertEqual(rules.cache_control("x/app.css", False), b"max-age=70")
        self.assertEqual(rules.cache_control("x/index.html", False), b"no-store")

    def test_globs_with_a_slash_are_matched_from_the_webroot(self) -> None:
        for glob, yes, no in (
            ("/assets/*", ["assets/a.js"], ["x/assets/a.js", "assets/b/a.js", "assets"]),
            ("assets/**", ["assets/a.js", "assets/b/a.js"], ["assets", "x/assets/a"]),
            ("**/v?/*.js", ["v1/a.js", "x/y/v2/a.js"], ["v12/a.js", "v1/a.css", "xv1/a.js"]),
            ("*.[js]", ["a.[js]"], ["a.j", "a.s"]),
            ("a+b?.txt", ["a+bc.txt", "x/a+b\n.txt"], ["aabc.txt", "a+b/.txt"]),
        ):
            rules = CacheRules([(glob, "no-store")])
            for name in yes:
                self.assertEqual(rules.cache_control(name, False), b"no-store", (glob, name))
            for name in no:
                self.assertEqual(rules.cache_control(name, False), NO_CACHE, (glob, name))

    def test_values_that_do_not_fit_a_head_are_refused_with_the_reason(self) -> None:
        for value, words in (
            ("", "empty"),
            (" no-cache", "white space"),
            ("no-cache\r\nX: y", "visible ASCII"),
            ("no-c\u00e4che", "visible ASCII"),
            ("a" * 4000, "4000 characters, at most 3072"),
        ):
            error = self.assertRaises(ConfigError, CacheRules, [("*", value)])
            self.assertIn(words, str(error))
            self.assertIn(repr(value[:64]), str(error))
        self.assertEqual(checked_cache_control("a" * 3000), b"a" * 3000)

    def test_an_empty_glob_is_refused(self) -> None:
        for glob in ("", "/"):
            self.assertIn("empty glob", str(self.assertRaises(ConfigError, CacheRules, [(glob, "no-store")])))

    @given(st.text())
    def test_every_accepted_value_is_a_field_value(self, value: str) -> None:
        try:
            checked = checked_cache_control(value)
        except ConfigError:
            return
        self.assertTrue(1 <= len(checked) <= LONGEST_VALUE)
        self.assertTrue(all(octet == 9 or 32 <= octet < 127 for octet in checked))


class Permission(SynchronousTestCase):
    """Who may answer with what is stale: the smart client alone, and not what a rule forbids it."""

    def test_the_smart_client_may_use_what_others_confirm(self) -> None:
        for value, permission in (
            (b"no-cache", b"stale-while-revalidate=2592000"),
            (b"max-age=60", b"max-age=60,stale-while-revalidate=2592000"),
            (b"public, max-age=60", b"public,max-age=60,stale-while-revalidate=2592000"),
            (b"x", b"x,stale-while-revalidate=2592000"),
        ):
            self.assertEqual(client_cache_control(value), permission, value)

    def test_a_rule_can_forbid_it(self) -> None:
        for value in (
            b"no-store", b"Private", b"no-cache,must-revalidate", b"no-cache, MUST-REVALIDATE",
            b"max-age=31536000,immutable", b"private=\"x\"", b"stale-while-revalidate=5",
        ):  # fmt: skip
            self.assertEqual(client_cache_control(value), b"", value)

    def test_it_stands_on_200s_only(self) -> None:
        self.assertIn(b"Edge-Client", lines_200(b"text/html", "", b"", b"no-cache"))
        self.assertNotIn(b"Edge-Client", lines_304(b"", b"no-cache"))


class Lines(SynchronousTestCase):
    def test_the_lines_of_a_200_stand_in_their_order(self) -> None:
        self.assertEqual(
            lines_200(b"text/css; charset=utf-8", "br", b"Accept-Encoding", b"no-cache"),
            b"Content-Type: text/css; charset=utf-8\r\n"
            b"Content-Encoding: br\r\n"
            b"Vary: Accept-Encoding\r\n"
            b"Cache-Control: no-cache\r\n"
            b"Edge-Client-Cache-Control: stale-while-revalidate=2592000\r\n"
            b"Accept-Ranges: bytes\r\n"
            b"X-Content-Type-Options: nosniff\r\n",
        )

    def test_lines_that_do_not_apply_are_left_out(self) -> None:
        self.assertEqual(
            lines_200(b"image/png", "", b"", b"no-store"),
            b"Content-Type: image/png\r\nCache-Control: no-store\r\n"
            b"Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n",
        )
        # What nobody knows may still be a script, so browsers are not told to refuse it as one.
        self.assertNotIn(b"nosniff", lines_200(UNKNOWN.encode("ascii"), "", b"", b"no-store"))
        self.assertEqual(lines_304(b"", b"no-cache"), b"Cache-Control: no-cache\r\n")
        self.assertEqual(lines_304(b"Accept", b"no-cache"), b"Cache-Control: no-cache\r\nVary: Accept\r\n")

    def test_vary_names_what_was_negotiated(self) -> None:
        self.assertEqual(vary(media=False, coding=False), b"")
        self.assertEqual(vary(media=False, coding=True), b"Accept-Encoding")
        self.assertEqual(vary(media=True, coding=False), b"Accept")
        self.assertEqual(vary(media=True, coding=True), b"Accept, Accept-Encoding")

    def test_the_longest_304_that_the_site_has_not_made_longer_has_200_bytes(self) -> None:
        lengths = [
            len(
                b"HTTP/1.1 304 \r\n"
                b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                b'ETag: "0123456789abcdef"\r\n'
                + lines_304(vary(media=media, coding=coding), b"a" * SHORT_CACHE_CONTROL)
                + b"Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
            )
            for media, coding in product((False, True), repeat=2)
            if not (media and coding)
        ]
        self.assertEqual(max(lengths), 200)
