"""Tests for edge.addresses.files: ``_redirects`` and ``_headers`` as sites have them."""

from __future__ import annotations

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from edge.addresses.fields import FieldRule
from edge.addresses.files import LARGEST, read_headers, read_redirects

REDIRECTS = b"""\xef\xbb\xbf# Old addresses\r
/home              /\r
/blog/*            https://blog.example.org/:splat    302!   # with force
/news/:year/:slug  /archive/:year/:slug
/app/*             /index.html  200
/gone              /404.html    404

/store id=:id      /shop/:id    301
https://old.example.org/*  https://example.org/:splat
/ansicht           /de/view     301  Language=de
/proxy/*           https://api.example.org/:splat  200
/bad
"""
HEADERS = b"""# All
/*
  X-Frame-Options: DENY
  Link: </a.css>; rel=preload; as=style
  Link: </b.css>; rel=preload; as=style

/assets/*
\tCache-Control: public, max-age=31536000, immutable
  ! X-Robots-Tag
/users/:name/photo
  X-A: 1
  x-a: 2
https://example.org/*
  X-Lost: 1
/length
  Content-Length: 5
  Strict-Transport-Security: max-age=5
  no colon
"""


class RedirectsTests(TestCase):
    """``_redirects``."""

    def test_each_line_is_a_rule_or_said_with_its_number(self) -> None:
        rules, wrong = read_redirects(REDIRECTS)
        self.assertEqual(
            [(rule.source, rule.to, rule.status, rule.force) for rule in rules],
            [
                ("/home", "/", 301, False),
                ("/blog/*", "https://blog.example.org/:splat", 302, True),
                ("/news/:year/:slug", "/archive/:year/:slug", 301, False),
                ("/app/*", "/index.html", 200, False),
                ("/gone", "/404.html", 404, False),
            ],
        )
        self.assertEqual([one.line for one in wrong], [8, 9, 10, 11, 12])
        self.assertEqual(
            str(wrong[-1]), "_redirects line 12: write FROM TO STATUS, like /old/* /new/:splat 301"
        )
        self.assertTrue(all(rule.slashes for rule in rules))

    @given(
        st.lists(
            st.sampled_from(
                [b"/a", b"/b/*", b" ", b"\n", b"301", b"#", b"!", b"\xff", b"\0", b":x", b"//e", b"\r"]
            )
        ).map(b"".join)
    )
    def test_any_bytes_are_rules_or_said(self, data: bytes) -> None:
        rules, wrong = read_redirects(data)
        for rule in rules:
            rule.check()
        self.assertTrue(all(one.line >= 1 and one.why for one in wrong))

    def test_half_a_file_is_rules_and_at_most_one_odd_line(self) -> None:
        whole, _ = read_redirects(REDIRECTS)
        for end in range(len(REDIRECTS)):
            rules, _ = read_redirects(REDIRECTS[:end])
            self.assertEqual(rules[:-1], whole[: len(rules) - 1] if rules else [])

    def test_what_is_too_large_is_none(self) -> None:
        rules, [wrong] = read_redirects(b"/a /b\n" * (LARGEST // 6 + 1))
        self.assertEqual(rules, [])
        self.assertIn("at most", str(wrong))
        _, [wrong] = read_redirects(b"/" + b"a" * 9000 + b" /b")
        self.assertIn("9004 characters", str(wrong))


class HeadersTests(TestCase):
    """``_headers``."""

    def test_each_line_is_a_change_or_said_with_its_number(self) -> None:
        rules, wrong = read_headers(HEADERS)
        self.assertEqual(
            rules,
            [
                FieldRule(
                    "/**",
                    (
                        ("set", "X-Frame-Options", "DENY"),
                        ("add", "Link", "</a.css>; rel=preload; as=style"),
                        ("add", "Link", "</b.css>; rel=preload; as=style"),
                    ),
                ),
                FieldRule(
                    "/assets/**",
                    (
                        ("set", "Cache-Control", "public, max-age=31536000, immutable"),
                        ("remove", "X-Robots-Tag", ""),
                    ),
                ),
                FieldRule("/users/*/photo", (("set", "X-A", "1"), ("add", "x-a", "2"))),
            ],
        )
        self.assertEqual([one.line for one in wrong], [13, 14, 16, 17, 18])
        self.assertIn("use hsts", str(wrong[3]))

    @given(
        st.lists(
            st.sampled_from(
                [b"/a", b"\n", b"  ", b"X: y", b"!", b"#", b"\xff", b"\0", b":", b"*", b"\r", b"/:x"]
            )
        ).map(b"".join)
    )
    def test_any_bytes_are_rules_or_said(self, data: bytes) -> None:
        rules, wrong = read_headers(data)
        for rule in rules:
            rule.check()
        self.assertTrue(all(one.line >= 1 and one.why for one in wrong))
