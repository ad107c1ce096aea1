"""Rules and patterns: no spelling of a path leads past a rule, and the fast path is sure of what it says."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.access.networks import NetworkLists
from edge.access.patterns import Kind, Patterns, is_sure, tells
from edge.access.rules import AccessRule, AuthRule, RateRule, Rules
from edge.networks import NO_ADDRESS, mapped

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
#: Few networks and addresses, so that they meet.
NETWORKS = st.one_of(
    st.builds(lambda a, b: f"10.{a & 240}.0.0/{b}", st.integers(0, 255), st.sampled_from([12])),
    st.sampled_from(["0.0.0.0/0", "::/0", "10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "2001:db8:1::/48"]),
)
NEAR = st.one_of(
    st.sampled_from(
        ["10.1.2.3", "10.1.2.4", "10.200.0.1", "192.0.2.1", "2001:db8::1", "2001:db8:1::1", "::1"]
    ),
    ADDRESSES.map(str).filter(lambda text: text != "::"),  # which nobody has: its bytes are those of none
)
SEGMENTS = st.sampled_from(["admin", "a", "secret", "x.html", "index.html", "x", ".", "..", "", "b.pdf", "é"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
GLOBS = st.one_of(
    st.sampled_from(
        ["/**", "/admin/**", "/admin/secret.html", "/admin/index.html", "*.pdf", "*.html", "/a/*.html", "/a*",
         "/admin/x", "index.html", "secret.html", "**/secret/**", "/é/**", "/admin/sec*", "*x", "/*/x/**"]
    ),
    PATHS.map(lambda path: path.replace("//", "/")),
)  # fmt: skip


def packed(text: str) -> bytes:
    """An address as rules have it."""
    return mapped(ipaddress.ip_address(text).packed)


class NetworkTests(SynchronousTestCase):
    """The longest network decides."""

    def test_by_example(self) -> None:
        inside = NetworkLists(["10.0.0.0/8"], ["10.1.0.0/16", "0.0.0.0/0"])
        self.assertEqual(
            [inside.allow(packed(one)) for one in ("10.2.0.1", "10.1.0.1", "192.0.2.1", "::1")],
            [True, False, False, False],
        )
        self.assertTrue(NetworkLists([], ["10.0.0.0/8"]).allow(packed("192.0.2.1")))
        self.assertFalse(NetworkLists(["10.0.0.1"], ["10.0.0.1"]).allow(packed("10.0.0.1")))
        self.assertFalse(NetworkLists(["0.0.0.0/0"], []).allow(NO_ADDRESS))
        self.assertTrue(NetworkLists([], ["0.0.0.0/0", "::/0"]).allow(NO_ADDRESS), "a Unix socket has none")

    @given(st.lists(NETWORKS, max_size=5), st.lists(NETWORKS, max_size=5), NEAR)
    def test_as_the_standard_library_says(self, allow: list[str], deny: list[str], text: str) -> None:
        address = ipaddress.ip_address(text)
        lists = [(ipaddress.ip_network(one), True) for one in allow]
        lists += [(ipaddress.ip_network(one), False) for one in deny]
        inside = [
            (net.prefixlen, not may, may)
            for net, may in lists
            if net.version == address.version and address in net
        ]
        expected = max(inside)[2] if inside else not allow
        self.assertEqual(NetworkLists(allow, deny).allow(packed(text)), expected)


class RuleTests(SynchronousTestCase):
    """Which rules hold for a path."""

    def test_the_first_password_and_network_hold_and_every_rate(self) -> None:
        one, other = AuthRule("/a/**", "one", "r"), AuthRule("/**", "other", "r")
        rates = [RateRule("/**", 9, "second", 9), RateRule("/a/**", 1, "second", 1)]
        rules = Rules([one, other], [AccessRule("/b/**", ("10.0.0.0/8",))], rates, first=4)
        self.assertIs(rules.holding(b"/a/x").auth, one)
        self.assertIs(rules.holding(b"/x").auth, other)
        self.assertEqual([number for number, _ in rules.holding(b"/a/x").rates], [4, 5])
        self.assertIsNone(rules.holding(b"/a/x").networks)
        self.assertIsNotNone(rules.holding(b"/b/x").networks)
        self.assertFalse(any(rules.holding(b"/.edge/health")))

    def test_no_spelling_leads_past_a_rule(self) -> None:
        rules = Rules([AuthRule("/admin/**", "u", "r"), AuthRule("/page.html", "u", "r")])
        for path in (
            b"/admin/", b"/admin/x", b"//admin/x", b"/%61dmin/x", b"/x/../admin/x", b"/./admin/x",
            b"/admin//x", b"/x/%2e%2e/admin/x", b"/admin%2fx", b"\\admin\\x", b"/admin", b"/page.html",
            b"/page", b"/%70age", b"//page",
        ):  # fmt: skip
            self.assertTrue(rules.is_protected(path), path)
        for path in (b"/", b"/adminx", b"/x/admin/", b"/pages", b"/admin/../x"):
            is_other = path == b"/admin/../x"
            self.assertEqual(rules.is_protected(path), is_other, path)

    @settings(max_examples=500)
    @given(st.lists(GLOBS, min_size=1, max_size=3), PATHS, st.sampled_from(["", "/"]), st.booleans())
    @example(["/admin/secret.html"], "/admin/secret", "", False)
    @example(["*.html"], "/", "", False)
    def test_the_fast_path_answers_nothing_that_a_rule_is_about(
        self, globs: list[str], path: str, slash: str, encoded: bool
    ) -> None:
        """Whatever the whole rule holds for fits a pattern; what a pattern is sure of the rule holds for."""
        raw = quote(path, safe="/" if encoded else "/.").encode("ascii") + slash.encode()
        client = packed("192.0.2.1")
        login = Rules([AuthRule(glob, "u", "r") for glob in globs])
        fitting = Patterns(login).fitting(raw)
        if login.is_protected(raw):
            self.assertFalse(tells(fitting, raw, client))
        networks = Rules(access=[AccessRule(glob, ("10.0.0.0/8",)) for glob in globs])
        if networks.is_protected(raw):
            self.assertFalse(tells(Patterns(networks).fitting(raw), raw, client))
        rates = Rules(rates=[RateRule(glob, 1, "second", 1) for glob in globs])
        held = {number for number, _ in rates.holding(raw).rates}
        patterns = Patterns(rates).fitting(raw)
        sure = {one.rate[0] for one in patterns if one.rate is not None and is_sure(one, raw)}
        maybe = {one.rate[0] for one in patterns if one.rate is not None}
        self.assertLessEqual(sure, held)
        self.assertLessEqual(held, maybe)

    def test_what_everybody_may_costs_nothing(self) -> None:
        """Paths of no rule fit no pattern, and are not let go."""
        rules = Rules([AuthRule("/admin/**", "u", "r"), AuthRule("*.pdf", "u", "r")])
        patterns = Patterns(rules)
        for path in (b"/", b"/index.html", b"/a/b.css", b"/.edge/load", b"/.edge/revalidate"):
            self.assertEqual(patterns.fitting(path), [], path)
        self.assertEqual([one.kind for one in patterns.fitting(b"/x.pdf")], [Kind.LOGIN])
