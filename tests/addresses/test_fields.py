"""Tests for edge.addresses.fields: what rules may change, and what comes of it."""

from __future__ import annotations

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from edge.addresses.fields import (
    FieldRule,
    Fields,
    changed,
    check_change,
    join_lines,
    of_304,
    preset,
    split_lines,
    weight_of_304,
)
from edge.errors import ConfigError
from edge.gossip.fields import are_header_lines
from edge.http.answer import head_304
from edge.http.dates import format_date

PAGE = b"Content-Type: text/html\r\nVary: Accept-Encoding\r\nCache-Control: no-cache\r\nX-A: 1\r\nx-a: 2\r\n"


class ChangeTests(TestCase):
    """set, add and remove."""

    def test_set_replaces_all_lines_of_a_field_where_the_first_stood(self) -> None:
        fields = changed(PAGE, (("set", "X-A", "3"), ("set", "X-B", "4")))
        self.assertTrue(join_lines(fields).endswith(b"no-cache\r\nX-A: 3\r\nX-B: 4\r\n"))

    def test_add_lets_lines_stand_and_remove_takes_all(self) -> None:
        self.assertEqual(len(changed(PAGE, (("add", "x-A", "3"),))), 6)
        self.assertNotIn(b"1", join_lines(changed(PAGE, (("remove", "X-a", ""),))))

    def test_later_rules_see_what_earlier_ones_did(self) -> None:
        fields = changed(PAGE, (("set", "X-A", "3"), ("remove", "X-A", ""), ("add", "X-A", "5")))
        self.assertEqual([value for name, value in fields if name == b"X-A"], [b"5"])

    def test_a_304_has_what_the_rfc_asks_for_and_nothing_else(self) -> None:
        fields = changed(PAGE, (("set", "Expires", "0"), ("add", "Vary", "Cookie"), ("set", "X-B", "4")))
        self.assertEqual(
            of_304(fields),
            b"Cache-Control: no-cache\r\nVary: Accept-Encoding\r\nVary: Cookie\r\nExpires: 0\r\n",
        )

    def test_its_weight_is_told_to_the_byte(self) -> None:
        for lines, cors in (
            (b"Cache-Control: no-cache\r\n", b"Access-Control-Allow-Origin: *\r\n"),
            (b"Access-Control-Allow-Origin: https://x.example\r\n", b""),
        ):
            whole = head_304(format_date(0), b"0123456789abcdef", lines, cors, close=True)
            self.assertEqual(weight_of_304(lines), len(whole))

    def test_what_is_the_node_s_own_is_refused_with_the_reason(self) -> None:
        for name, words in (
            ("Content-Length", "where a message ends"),
            ("transfer-encoding", "where a message ends"),
            ("Connection", "where a message ends"),
            ("ETag", "computes it"),
            ("Date", "computes it"),
            ("Content-Encoding", "computes it"),
            ("Strict-Transport-Security", "use hsts"),
            ("WWW-Authenticate", "[[auth]]"),
            ("Location", "[[redirect]]"),
            ("Vary", "by add"),
            ("Status", "no field of HTTP"),
        ):
            for what in ("set", "remove"):
                with self.assertRaisesRegex(ConfigError, words.replace("[", r"\[")):
                    check_change(what, name, "x")
        check_change("add", "Vary", "Cookie")

    def test_no_name_and_no_value_ends_a_line(self) -> None:
        for name, value in (
            ("X: y\r\nZ", "a"), ("", "a"), ("X Y", "a"), ("X", "a\r\nY: z"), ("X", ""), ("X", " a"),
            ("X", "a\t"), ("X", "\x7f"), ("X", "ä"), ("X" * 200, "a"), ("X", "a" * 4000),
        ):  # fmt: skip
            with self.assertRaises(ConfigError):
                check_change("set", name, value)

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_whatever_is_accepted_is_one_header_line_that_other_nodes_take(
        self, name: str, value: str
    ) -> None:
        try:
            check_change("set", name, value)
        except ConfigError:
            return
        lines = join_lines(changed(b"", (("set", name, value),)))
        self.assertTrue(are_header_lines(lines), lines)
        self.assertEqual(split_lines(lines), ((name.encode(), value.encode()),))


class RulesTests(TestCase):
    """Which rules apply."""

    def test_all_that_match_the_address_or_the_file_apply_once_and_in_order(self) -> None:
        fields = Fields(
            [
                FieldRule("/**", (("set", "X-A", "1"),)),
                FieldRule("*.html", (("set", "X-B", "2"),)),
                FieldRule("/about", (("set", "X-C", "3"),)),
                FieldRule("/other", (("set", "X-D", "4"),)),
            ]
        )
        self.assertEqual(
            [name for _, name, _ in fields.changes(("/about", "/about.html"), b"text/html")],
            ["X-A", "X-B", "X-C"],
        )

    def test_presets_come_before_rules_and_know_pages_from_parts(self) -> None:
        fields = Fields([FieldRule("/**", (("set", "X-Frame-Options", "DENY"),))], "strict")
        page = fields.changes(("/",), b"text/html; charset=utf-8")
        self.assertEqual(page[-1], ("set", "X-Frame-Options", "DENY"))
        self.assertIn("Content-Security-Policy-Report-Only", [name for _, name, _ in page])
        part = [name for _, name, _ in Fields((), "strict").changes(("/a.js",), b"text/javascript")]
        self.assertEqual(part, ["Cross-Origin-Resource-Policy"])
        self.assertEqual(Fields((), "strict").changes(("/a",), b""), ())
        self.assertEqual(list(preset("off", b"text/html")), [])

    def test_a_policy_in_force_takes_the_place_of_the_reported_one(self) -> None:
        rules = [FieldRule("/**", (("set", "content-security-policy", "default-src 'self'"),))]
        names = [name for _, name, _ in Fields(rules, "strict").changes(("/",), b"text/html")]
        self.assertNotIn("Content-Security-Policy-Report-Only", names)

    def test_the_worker_has_no_policy_but_by_a_rule_that_names_it(self) -> None:
        everything = FieldRule(
            "**", (("set", "content-security-policy", "default-src 'self'"), ("set", "X-A", "1"))
        )
        self.assertEqual(Fields([everything]).changes(["/sw.js"], b"text/javascript"), everything.changes[1:])
        self.assertEqual(
            Fields([everything]).of_answer("/sw.js", b"text/javascript")[1], everything.changes[1:]
        )
        self.assertEqual(Fields([everything]).changes(["/a/sw.js"], b"text/javascript"), everything.changes)
        named = FieldRule("/sw.js", (("set", "Content-Security-Policy", "connect-src https:"),))
        self.assertEqual(
            Fields([everything, named]).changes(["/sw.js"], b"text/javascript"),
            (*everything.changes[1:], *named.changes),
        )

    def test_what_other_origins_may_read_they_may_use(self) -> None:
        changes = Fields((), "strict", foreign=True).changes(("/a.js",), b"text/javascript")
        self.assertEqual(changes, (("set", "Cross-Origin-Resource-Policy", "cross-origin"),))
