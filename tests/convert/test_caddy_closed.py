"""What Caddy shows to nobody, or not to everybody, no node shows by what it is converted to."""

from __future__ import annotations

import os
from ipaddress import ip_address

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.addresses import Glob
from edge.addresses.redirects import AddressRule, AddressRules
from edge.convert import Draft
from edge.convert.caddy.matchers import other_cases
from edge.convert.draft import SiteDraft
from edge.networks import packed, parse_network
from tests.convert.caddy_model import Directive, answer
from tests.convert.configurations import ConvertTestCase

#: Paths that are asked for, and addresses from which.
PATHS = ("/a", "/a/b", "/a/b/c", "/A/b", "/ab", "/d", "/x.php", "/a/x.PHP", "/x.env", "/index.html")
ADDRESSES = ("192.0.2.1", "10.0.0.1", "10.1.0.1")
_path = st.sampled_from(("/a", "/a/*", "/a*", "/a/b/*", "/A/*", "/d", "*.php", "*.env", "/index.html"))
_network = st.sampled_from(("10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"))
_some = st.lists(_path, max_size=2, unique=True).map(tuple)
_networks = st.lists(_network, max_size=1).map(tuple)
_field = st.sampled_from(
    ("", "", "", "header X-Key a", "not header X-Key a", "expression {query.k}", "not query k=v")
)
_conditions = st.tuples(_some, _some, _networks, _networks, _field)
#: What answers, and with what words.
_answers = st.sampled_from(
    (("respond", "403"), ("respond", "404"), ("respond", '"no" 401'), ("respond", "ok"), ("abort", ""),
     ("error", "410"), ("file_server", ""), ("reverse_proxy", "localhost:1"), ("reverse_proxy", "https://up"),
     ("redir", "https://e.example/ 301"), ("redir", "https://{x}/"), ("basic_auth", "bcrypt"),
     ("forward_auth", "auth:1"))
)  # fmt: skip
_single_path = _path.filter(lambda path: path.startswith("/"))


def _directive(children: st.SearchStrategy[tuple[Directive, ...]] | None) -> st.SearchStrategy[Directive]:
    names = _answers.map(lambda one: (one[0], one[1], None))
    if children is not None:
        blocks = st.tuples(st.sampled_from(("handle", "route")), st.just(""), children)
        names = st.one_of(names, blocks)
    matchers = st.one_of(
        st.tuples(_single_path, st.none()),
        st.tuples(st.just(""), _conditions.filter(any)),
        st.just(("", None)),
    )
    return st.builds(lambda one, matcher: Directive(one[0], *matcher, one[1], one[2]), names, matchers)


_FILES = Directive("file_server")
_last = st.sampled_from(((_FILES,), (_FILES,), (Directive("handle", block=(_FILES,)),), ()))


def _blocks(each: st.SearchStrategy[Directive], most: int) -> st.SearchStrategy[tuple[Directive, ...]]:
    """Directives about a part of all requests, mostly, and files for the others."""
    some = st.lists(each.filter(lambda one: one.path or one.conditions), max_size=most)
    return st.builds(lambda begin, odd, last: (*begin, *odd, *last), some, st.lists(each, max_size=1), _last)


_block = st.one_of(
    _blocks(_directive(None), 2), st.lists(_directive(None), min_size=1, max_size=2).map(tuple)
)
_site = st.one_of(
    _blocks(_directive(_block), 4), st.lists(_directive(_block), min_size=1, max_size=4).map(tuple)
)


def sites() -> st.SearchStrategy[tuple[Directive, ...]]:
    """Directives of one site, about paths and networks."""
    return _site


def text_of(site: tuple[Directive, ...]) -> str:
    """*site* as a Caddyfile."""
    number = [0]
    lines = [line for one in site for line in one.lines(number, "\t")]
    return "\n".join((":80 {", "\troot * /srv", *lines, "}")) + "\n"


class NothingMoreTests(ConvertTestCase):
    name = "Caddyfile"

    @settings(max_examples=int(os.environ.get("EDGE_CADDY_SITES", "300")), deadline=None)
    @given(_site)
    @example(
        (Directive("handle", "/a/*", block=(Directive("respond", args="403"),)), Directive("file_server"))
    )
    def test_no_file_is_shown_to_whom_caddy_does_not_show_it(self, site: tuple[Directive, ...]) -> None:
        text = text_of(site)
        draft = self.draft(text)
        shown = {
            (path, address) for path in PATHS for address in ADDRESSES if self._shows(draft, path, address)
        }
        answers = {one: answer(site, *one) for one in sorted(shown)}
        # What leads elsewhere closes nothing: it may be about paths as they are written.
        wrong = [one for one, what in answers.items() if what == "nothing"
                 or (what == "elsewhere" and answer(site, *one, any_case=False) != "file")]  # fmt: skip
        # Files win over an application, which is named.
        for app in draft.sites[0].tables.get("app", ()) if draft.sites[0].keys.get("webroot") else ():
            at = app.values["at"]
            self.assertTrue([one for one in draft.remarks if f"below {at} win over" in str(one)])
            wrong = [one for one in wrong if not f"{one[0]}/".startswith(f"{at}/")]
        self.assertEqual(wrong, [], f"{text}\n{draft.toml()}")
        asked = [
            (path, address)
            for path in PATHS
            for address in ADDRESSES
            if self._asks(draft, path, address) and answer(site, path, address) == "nothing"
        ]
        self.assertEqual(asked, [], f"an application is asked:\n{text}\n{draft.toml()}")
        self.read(draft)

    def _asks(self, draft: Draft, path: str, address: str) -> bool:
        """Whether an application is asked for *path*, where no file is; its own path is its own, too."""
        ats = [table.values["at"] for table in draft.sites[0].tables.get("app", ())]
        return any(path.startswith(f"{at.rstrip('/')}/") for at in ats) and self._lets_in(
            draft.sites[0], path, address
        )

    def _shows(self, draft: Draft, path: str, address: str) -> bool:
        (site,) = draft.sites
        return site.keys.get("webroot", "none") != "none" and self._lets_in(site, path, address)

    def _lets_in(self, site: SiteDraft, path: str, address: str) -> bool:
        """Whether a stranger at *address* is neither refused nor led elsewhere."""
        tables = {name: [one.values for one in found] for name, found in site.tables.items()}
        if any(Glob(one["path"]).matches(path) for one in tables.get("auth", ())):
            return False
        redirects = [
            AddressRule(one.get("from", ""), one.get("from-regex", ""), one.get("to", ""), one["status"])
            for one in tables.get("redirect", ())
        ]
        rules = AddressRules(tuple(redirects))
        if rules.find(path) is not None:
            return False
        rule = next((one for one in tables.get("access", ()) if Glob(one["path"]).matches(path)), None)
        if rule is None:
            return True
        found = [(parse_network(text), what) for what in ("allow", "deny") for text in rule.get(what, ())]
        holding = [
            (network.bits, what == "deny")
            for network, what in found
            if network.holds(packed(ip_address(address)))
        ]
        if not holding:
            return not rule.get("allow")
        return not max(holding)[1]


class CaseTests(ConvertTestCase):
    def test_a_path_in_any_other_case_but_its_own(self) -> None:
        for path, others, not_others in (
            ("/admin/*", "/Admin/x /aDMIN/ /ADMIN/x", "/admin/x /Adm /x/Admin/"),
            ("/a1", "/A1", "/a1 /A1/ /A12"),
            ("*.php", "/x.PHP /a/b.pHp", "/x.php /x.PHP/y"),
            ("*/x*", "/a/X", "/a/x"),
            ("/1/*", "", "/1/"),
        ):
            pattern = other_cases(path)
            rules = AddressRules((AddressRule("", pattern, "", 404),)) if pattern else AddressRules(())
            for other in others.split():
                self.assertIsNotNone(rules.find(other), other)
            for other in not_others.split():
                self.assertIsNone(rules.find(other), other)
