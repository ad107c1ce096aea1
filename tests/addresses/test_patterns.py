"""Tests for edge.addresses.patterns: what matches, what is captured, and that no capture leads elsewhere."""

from __future__ import annotations

from unittest import TestCase
from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from edge.addresses import RegexPattern, SegmentPattern, Template, decoded
from edge.addresses.patterns import LONGEST_ADDRESS
from edge.errors import ConfigError

HOSTILE = [
    "a",
    "%2F",
    "%5C",
    "%0D%0A",
    "%3F",
    "%23",
    "//evil.example",
    "/",
    "@evil.example",
    "%",
    ".",
    "..",
    "é",
    "\udcff",
    "\r\n",
    "\\",
    "?x",
    "#x",
    ":",
    " ",
]
CAPTURES = st.lists(st.sampled_from(HOSTILE), max_size=5).map("".join)


class SegmentPatternTests(TestCase):
    """``from``."""

    def test_segments_and_the_rest_are_captured(self) -> None:
        pattern = SegmentPattern("/old/:year/*")
        self.assertEqual(pattern.match("/old/2024/a/b"), {"year": "2024", "splat": "a/b"})
        self.assertEqual(pattern.match("/old/2024/"), {"year": "2024", "splat": ""})
        self.assertEqual(pattern.match("/old/2024"), {"year": "2024", "splat": ""})
        for path in ("/old/", "/old", "/", "/older/2024/a", "/old//a"):
            self.assertIsNone(pattern.match(path), path)

    def test_a_capture_may_have_text_around_it(self) -> None:
        pattern = SegmentPattern("/p-:slug.html")
        self.assertEqual(pattern.match("/p-a.html"), {"slug": "a"})
        for path in ("/p-.html", "/p.html", "/p-a.htm", "/p-a.html/"):
            self.assertIsNone(pattern.match(path), path)

    def test_one_without_captures_is_one_path(self) -> None:
        self.assertEqual(SegmentPattern("/a%20b/caf%C3%A9/").exact, "/a b/café/")
        self.assertEqual(SegmentPattern("/").exact, "/")
        self.assertIsNone(SegmentPattern("/a/*").exact)
        self.assertEqual(SegmentPattern("/%2A/%3Ax").exact, "/*/:x")

    def test_everything_matches_a_star(self) -> None:
        self.assertEqual(SegmentPattern("/*").match("/"), {"splat": ""})
        self.assertEqual(SegmentPattern("/*").match("/a/b/"), {"splat": "a/b/"})

    @given(
        st.lists(st.sampled_from(["a", ":x", ":y.z", "b"]), max_size=4),
        st.booleans(),
        st.lists(st.sampled_from(["a", "b", "c.z", ""]), max_size=6),
    )
    def test_whatever_matches_has_the_literal_begin(
        self, segments: list[str], rest: bool, path: list[str]
    ) -> None:
        try:
            pattern = SegmentPattern("/" + "/".join([*segments, *["*"] * rest]))
        except ConfigError:
            self.assertGreater(len(segments), len(set(segments)))
            return
        whole = "/" + "/".join(path)
        if pattern.match(whole) is not None:
            self.assertTrue(whole.startswith(pattern.begin), (pattern.begin, whole))
            self.assertIn(pattern.exact, (None, whole))

    def test_what_is_no_pattern_is_refused_with_a_remedy(self) -> None:
        for wrong in (
            "",
            "old",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\r\nb",
            "/*/a",
            "/a*",
            "/:a:b",
            "/:a/:a",
            "/:splat",
            "/..",
            "/" + "a" * 2000,
        ):
            with self.assertRaisesRegex(ConfigError, r"give|write|use|call"):
                SegmentPattern(wrong)


class RegexPatternTests(TestCase):
    """``from-regex``."""

    def test_groups_have_numbers_and_names(self) -> None:
        pattern = RegexPattern(r"^/(?P<year>\d+)/(.*)$")
        self.assertEqual(pattern.match("/2024/a"), {"1": "2024", "2": "a", "year": "2024"})
        self.assertIsNone(pattern.match("/x/a"))
        self.assertIsNone(pattern.match("/2024/\udcff"))
        self.assertEqual(RegexPattern("^/a(b)?$").match("/a"), {"1": ""})

    def test_what_would_backtrack_for_ever_does_not(self) -> None:
        self.assertIsNone(RegexPattern("^/(a+)+$").match("/" + "a" * 8000 + "b"))
        self.assertIsNone(RegexPattern("^/(.*a){20}$").match("/" + "ab" * 4000))

    def test_what_is_none_is_refused_in_words(self) -> None:
        for wrong in ("(", "", "a{1000}{1000}", r"(a)\1", "(?=a)", "a" * 2000):
            with self.assertRaisesRegex(ConfigError, "from-regex"):
                RegexPattern(wrong)


class TemplateTests(TestCase):
    """``to``."""

    def test_captures_are_put_in_encoded(self) -> None:
        template = Template("/new/:year/:splat?from=:splat#:year", frozenset({"year", "splat"}))
        self.assertEqual(
            template.fill({"year": "a b", "splat": "x/é&\r\n"}),
            b"/new/a%20b/x/%C3%A9&%0D%0A?from=x%2F%C3%A9%26%0D%0A#a%20b",
        )

    def test_the_query_is_passed_on_where_there_is_no_other(self) -> None:
        self.assertEqual(Template("/a#b").fill({}, b"x=1"), b"/a?x=1#b")
        self.assertEqual(Template("/a?y").fill({}, b"x=1"), b"/a?y")
        self.assertEqual(Template("https://example.org").fill({}, b""), b"https://example.org/?")

    @given(st.sampled_from(["/:x", "/:x/:y", "/a:x:y", "/:x?:y#:x"]), CAPTURES, CAPTURES)
    def test_no_capture_leads_to_another_host_or_ends_the_line(self, to: str, x: str, y: str) -> None:
        filled = Template(to, frozenset({"x", "y"})).fill({"x": x, "y": y})
        assert filled is not None
        self.assertRegex(filled, rb"\A/(?!/)[!-~]*\Z")
        self.assertNotIn(b"\\", filled)
        self.assertEqual(filled.count(b"?"), to.count("?"))
        parts = urlsplit(filled.decode())
        self.assertEqual((parts.scheme, parts.netloc), ("", ""))

    @given(st.sampled_from(["https://example.org/:x", "http://[::1]:80/a?:x"]), CAPTURES)
    def test_the_host_of_a_url_stays(self, to: str, x: str) -> None:
        filled = Template(to, frozenset({"x"})).fill({"x": x})
        assert filled is not None
        self.assertEqual(urlsplit(filled.decode()).netloc, urlsplit(to).netloc)

    @given(CAPTURES.filter(lambda text: not text.startswith("/")))
    def test_a_capture_arrives_as_it_was(self, text: str) -> None:
        filled = Template("/a/:x", frozenset({"x"})).fill({"x": text})
        assert filled is not None
        self.assertEqual(decoded(filled), "/a/" + text)
        self.assertEqual(unquote(filled.decode(), errors="surrogateescape"), "/a/" + text)

    def test_what_would_grow_without_end_is_none(self) -> None:
        self.assertIsNone(Template("/" + ":x" * 100, frozenset({"x"})).fill({"x": "é" * 100}))
        self.assertIsNotNone(Template("/:x", frozenset({"x"})).fill({"x": "a" * (LONGEST_ADDRESS - 1)}))

    def test_what_is_none_is_refused_with_a_remedy(self) -> None:
        for wrong in (
            "", "new", "//evil.example", "/\\evil.example", "\\\\x", ":x", "https://:x/", "https://a:x/",
            "https://example.org:x",
            "https://user@example.org/", "javascript:alert(1)", "ftp://x/",
            "/a b", "/a\r\nX: y", "/:unknown", "/a/../b", "/" + "a" * 2000,
        ):  # fmt: skip
            with self.assertRaisesRegex(ConfigError, "^to ", msg=wrong):
                Template(wrong, frozenset({"x"}))
