"""Tests for edge.addresses.globs: against regular expressions, and with paths that would stop those."""

from __future__ import annotations

import re
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from edge.addresses import Glob, GlobRules, decoded
from edge.errors import ConfigError

_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
GLOBS = st.lists(
    st.sampled_from(["a", "b", ".", "/", "*", "**", "**/", "?", "é"]), min_size=1, max_size=9
).map("".join)
PATHS = st.lists(st.sampled_from(["a", "b", ".", "/", "é", "\udcff", "\n"]), max_size=12).map(
    lambda it: "/" + "".join(it)
)


def by_regex(glob: str, path: str) -> bool:
    """The meaning of a glob, in a form that backtracks; three stars and more are two."""
    glob = re.sub(r"\*{3,}", "**", glob)
    whole = "/" in glob
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", "/" + glob.lstrip("/") if whole else glob)
    tokens = _segments_only(tokens)
    pattern = "".join(_MEANING.get(token) or re.escape(token) for token in tokens)
    return re.fullmatch(pattern, path if whole else path.rpartition("/")[2], re.DOTALL) is not None


def _segments_only(tokens: list[str]) -> list[str]:
    """``**/`` means segments behind a slash alone; elsewhere it is ``**`` and a slash."""
    out: list[str] = []
    for token in tokens:
        if token == "**/" and not "".join(out).endswith("/"):
            out += ["**", "/"]
        elif token:
            out.append(token)
    return out


class GlobTests(TestCase):
    """One glob."""

    @given(GLOBS, PATHS)
    def test_matches_what_the_regular_expression_matches(self, glob: str, path: str) -> None:
        self.assertEqual(Glob(glob).matches(path), by_regex(glob, path))

    def test_without_a_slash_it_is_about_the_last_segment(self) -> None:
        self.assertTrue(Glob("*.js").matches("/a/b/c.js"))
        self.assertFalse(Glob("/*.js").matches("/a/b/c.js"))
        self.assertTrue(Glob("/**/*.js").matches("/c.js"))
        self.assertTrue(Glob("assets/**").matches("/assets/x/y"))
        self.assertFalse(Glob("/assets/**").matches("/assets"))
        self.assertTrue(Glob("/**").matches("/"))

    def test_many_stars_in_a_long_path_take_no_time(self) -> None:
        glob = Glob("/" + "*a**a" * 200 + "b")
        self.assertFalse(glob.matches("/" + "a" * 8000 + "b/"))
        self.assertFalse(Glob("**a" * 100 + "bb/").matches("/" + "a" * 8000))

    def test_special_characters_of_others_are_none_here(self) -> None:
        self.assertTrue(Glob("/[x]{a,b}+.").matches("/[x]{a,b}+."))
        self.assertFalse(Glob("/[x]").matches("/x"))

    def test_nothing_and_too_much_are_refused_with_a_remedy(self) -> None:
        for wrong in ("", "x" * 2000):
            with self.assertRaisesRegex(ConfigError, "write for example"):
                Glob(wrong)

    def test_paths_are_decoded_with_whatever_octets(self) -> None:
        self.assertEqual(decoded(b"/caf%C3%A9%ff"), "/café\udcff")
        self.assertTrue(Glob("/café?").matches(decoded(b"/caf%C3%A9%ff")))


class GlobRulesTests(TestCase):
    """Many globs."""

    @given(st.lists(GLOBS, max_size=8), PATHS)
    def test_finds_in_order_what_trying_each_finds(self, globs: list[str], path: str) -> None:
        rules = GlobRules((Glob(glob), number) for number, glob in enumerate(globs))
        expected = [number for number, glob in enumerate(globs) if Glob(glob).matches(path)]
        self.assertEqual(list(rules.matching(path)), expected)
        self.assertEqual(rules.first(path), expected[0] if expected else None)

    def test_deep_paths_and_deep_globs_meet(self) -> None:
        deep = "/x" * 30
        rules = GlobRules(
            [(Glob(deep + "/**"), 1), (Glob("/x/x/**"), 2), (Glob("/y/**"), 3), (Glob(deep), 4)]
        )
        self.assertEqual(list(rules.matching(deep + "/z")), [1, 2])
        self.assertEqual(list(rules.matching(deep)), [2, 4])

    def test_a_hundred_thousand_rules_are_not_tried_one_by_one(self) -> None:
        tried = []

        class Counted(Glob):
            def matches(self, path: str) -> bool:
                tried.append(self.pattern)
                return super().matches(path)

        rules = GlobRules((Counted(f"/{number}/**"), number) for number in range(100_000))
        self.assertEqual(list(rules.matching("/777/x")), [777])
        self.assertEqual(tried, ["/777/**"])
