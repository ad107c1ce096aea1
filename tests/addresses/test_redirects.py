"""Tests for edge.addresses.redirects: which rule counts, and that none leads in a circle."""

from __future__ import annotations

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from edge.addresses.redirects import LEADING, MOST_HOPS, AddressRule, AddressRules, circles
from edge.errors import ConfigError


def rules(*lines: str) -> AddressRules:
    """Rules out of lines ``FROM TO [STATUS]``."""
    made = []
    for line in lines:
        source, to, status = [*line.split(), "308"][:3]
        made.append(AddressRule(source, to=to, status=int(status), place=source))
        made[-1].check()
    return AddressRules(made)


class FindTests(TestCase):
    """The first rule that matches."""

    def test_order_decides_between_one_path_and_many(self) -> None:
        found = rules("/a/* /first/:splat", "/a/b /second", "/c /third", "/:x /fourth")
        self.assertEqual(found.find("/a/b").address, b"/first/b")  # type: ignore[union-attr]
        self.assertEqual(found.find("/c").address, b"/third")  # type: ignore[union-attr]
        self.assertEqual(found.find("/d").address, b"/fourth")  # type: ignore[union-attr]
        self.assertIsNone(found.find("/d/e"))

    def test_the_query_is_passed_on(self) -> None:
        leads = rules("/a /b").find("/a", b"x=1")
        assert leads is not None
        self.assertEqual((leads.address, leads.path), (b"/b?x=1", "/b"))

    def test_a_rule_that_would_lead_to_where_one_is_is_passed_over(self) -> None:
        found = rules("/x/* /x/a", "/x/a /y")
        self.assertEqual(found.find("/x/b").address, b"/x/a")  # type: ignore[union-attr]
        self.assertEqual(found.find("/x/a").address, b"/y")  # type: ignore[union-attr]

    def test_a_slash_at_the_end_may_make_no_difference(self) -> None:
        loose = AddressRules(
            [AddressRule("/a", to="/b", slashes=True), AddressRule("/c/:x", to="/d/:x", slashes=True)]
        )
        self.assertEqual(
            [loose.find(path) is not None for path in ("/a", "/a/", "/c/1", "/c/1/")], [True] * 4
        )
        self.assertIsNone(rules("/a /b").find("/a/"))
        self.assertEqual(set(loose.exact), {"/a", "/a/"})

    def test_those_without_force_can_be_left_out(self) -> None:
        found = AddressRules([AddressRule("/a", to="/b", force=False), AddressRule("/*", to="/c")])
        self.assertEqual(found.find("/a", forced=True).address, b"/c")  # type: ignore[union-attr]
        self.assertEqual([rule.source for rule in found.open], ["/*"])

    def test_a_hundred_thousand_rules_cost_what_one_does(self) -> None:
        found = AddressRules(
            [AddressRule(f"/old/{number}", to=f"/new/{number}") for number in range(100_000)]
            + [AddressRule(f"/p{number}/:x", to="/q/:x") for number in range(1000)]
        )
        tried: list[str] = []
        pattern = type(found.rules[-1].pattern)
        match = pattern.match

        def counted(self: object, path: str) -> dict[str, str] | None:
            tried.append(path)
            return match(self, path)  # type: ignore[arg-type]

        pattern.match = counted  # type: ignore[method-assign, assignment]
        try:
            self.assertEqual(found.find("/old/99999").address, b"/new/99999")  # type: ignore[union-attr]
            self.assertEqual(found.find("/p999/z").address, b"/q/z")  # type: ignore[union-attr]
        finally:
            pattern.match = match  # type: ignore[method-assign]
        self.assertEqual(tried, ["/old/99999", "/p999/z"])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["/a", "/a/", "/a/*", "/:x", "/a/:x", "/*", "/b/c/*", "/b/:y/d"]),
                st.booleans(),
            ),
            max_size=6,
        ),
        st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=4).map(lambda it: "/" + "/".join(it)),
    )
    def test_finds_what_trying_each_finds(self, sources: list[tuple[str, bool]], path: str) -> None:
        found = AddressRules(
            [
                AddressRule(source, to=f"/to{n}", slashes=slashes)
                for n, (source, slashes) in enumerate(sources)
            ]
        )
        other = path if path == "/" else path[:-1] if path.endswith("/") else path + "/"
        expected = next(
            (
                f"/to{n}".encode()
                for n, rule in enumerate(found.rules)
                if rule.pattern.match(path) is not None
                or (rule.slashes and rule.pattern.match(other) is not None)
            ),
            None,
        )
        leads = found.find(path)
        self.assertEqual(None if leads is None else leads.address, expected)


class CheckTests(TestCase):
    """Rules of which nothing could come."""

    def test_they_are_refused_with_a_remedy(self) -> None:
        for rule, words in (
            (AddressRule("/a", to="/a"), "lead to itself"),
            (AddressRule("/a", to="/a?x"), "lead to itself"),
            (AddressRule("/a", "^/a", to="/b"), "keep one"),
            (AddressRule("/a"), "to is missing"),
            (AddressRule("/a", to="/b", status=299), "choose one of 301"),
            (AddressRule("/a", to="https://x.example/", status=200), "stays|of this site"),
            (AddressRule("/a", to="/b?c", status=200), "without query"),
            (AddressRule("/a", to="https://x.example/", status=410), "of this site"),
            (AddressRule("/a", to="//x"), "one slash"),
        ):
            with self.assertRaisesRegex(ConfigError, words):
                rule.check()
        AddressRule("/a", status=410).check()
        AddressRule("/a", to="/404.html", status=404).check()


class CircleTests(TestCase):
    """What would lead round in a circle, or on for ever."""

    def test_each_circle_is_told_once(self) -> None:
        [said] = circles(rules("/a /b", "/b /c", "/c /a", "/d /e"))
        self.assertIn("/a and /b and /c", said)
        self.assertIn("let one of them lead to an address that stays", said)
        [said] = circles(rules("/* /x/:splat"))
        self.assertIn("on for ever", said)
        self.assertEqual(list(circles(rules("/a /b", "/b https://example.org/a", "/c/* /d/:splat"))), [])
        self.assertEqual(list(circles(rules("/old/* /new/:splat", "/new/x /old/y"))), [])

    def test_rewrites_lead_nowhere(self) -> None:
        self.assertEqual(list(circles(rules("/a /b 200", "/b /a 200"))), [])

    @given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), max_size=6))
    def test_where_none_is_told_every_way_ends(self, pairs: list[tuple[str, str]]) -> None:
        found = AddressRules([AddressRule(f"/{a}", to=f"/{b}") for a, b in pairs])
        told = list(circles(found))
        endless = False
        for start in "abcde":
            path, hops = f"/{start}", 0
            while hops <= MOST_HOPS and (leads := found.find(path)) is not None and leads.status in LEADING:
                path, hops = leads.path or "", hops + 1
            endless |= hops > MOST_HOPS
        self.assertEqual(bool(told), endless)
