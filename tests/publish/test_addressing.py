"""Tests for edge.publish.addressing, and for how a site settles who has an address."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.addresses.fields import FieldRule, Fields
from edge.addresses.pages import PageAddresses
from edge.addresses.redirects import AddressRule, AddressRules
from edge.publish.addressing import Addressing, lines_after
from edge.publish.catalogue import PublishedFile
from edge.publish.site import Site
from edge.resource import Resource, split_status
from tests.publish.test_catalogue import page

NAMES = (
    "about",
    "about.html",
    "about/index.html",
    "about/index.htm",
    "index.html",
    "a.css",
    "404.html",
    "b/about.html",
)


def file(name: str, body: bytes = b"", has_changed: bool = False) -> PublishedFile:
    """A file as publishing makes it, before anything is said of its addresses."""
    return PublishedFile((), True, (page(b"/" + name.encode(), body),), (), has_changed)


def where(site: Site, path: bytes) -> bytes | int | None:
    """What *path* has: the address that it leads to, the status of what is gone, the body, or nothing."""
    resource = site.get(path)
    if resource is None:
        return None
    one = resource.representations[0]
    status, _ = split_status(one.lines_200)
    if status:
        return one.lines_304.removeprefix(b"Location: ").rstrip() or status
    return one.body


def site_of(addressing: Addressing, *names: str) -> Site:
    """A site of files whose contents are their names."""
    site = Site()
    list(site.use(addressing))
    for name in names:
        site.put(name, file(name, name.encode()))
    return site


class PagesTests(SynchronousTestCase):
    """Clean URLs, index files, slashes."""

    def test_a_page_has_a_clean_address_and_its_name_leads_there(self) -> None:
        site = site_of(
            Addressing(PageAddresses(clean_urls=True)), "about.html", "docs/index.html", "404.html", "a.css"
        )
        for path, found in (
            (b"/about", b"about.html"), (b"/about.html", b"/about"), (b"/about/", None),
            (b"/docs/", b"docs/index.html"), (b"/docs/index.html", b"/docs/"), (b"/docs", None),
            (b"/404.html", b"404.html"), (b"/404", None), (b"/a.css", b"a.css"),
        ):  # fmt: skip
            self.assertEqual(where(site, path), found, path)

    def test_slashes_are_added_or_removed(self) -> None:
        site = site_of(
            Addressing(PageAddresses(True, trailing_slash="add")),
            "about.html",
            "docs/index.html",
            "index.html",
        )
        for path, found in (
            (b"/about/", b"about.html"), (b"/about", b"/about/"), (b"/about.html", b"/about/"),
            (b"/docs/", b"docs/index.html"), (b"/docs", b"/docs/"),
            (b"/", b"index.html"), (b"/index.html", b"/"),
        ):  # fmt: skip
            self.assertEqual(where(site, path), found, path)
        site = site_of(
            Addressing(PageAddresses(True, trailing_slash="remove")),
            "about.html",
            "docs/index.html",
            "index.html",
        )
        for path, found in (
            (b"/about", b"about.html"), (b"/about/", b"/about"),
            (b"/docs", b"docs/index.html"), (b"/docs/", b"/docs"),
            (b"/docs/index.html", b"/docs"), (b"/", b"index.html"), (b"", None),
        ):  # fmt: skip
            self.assertEqual(where(site, path), found, path)

    def test_the_first_of_several_index_files_counts(self) -> None:
        addressing = Addressing(PageAddresses(index=("index.html", "index.htm")))
        site = site_of(addressing, "index.htm")
        self.assertEqual(where(site, b"/"), b"index.htm")
        site.put("index.html", file("index.html", b"html"))
        self.assertEqual((where(site, b"/"), where(site, b"/index.htm")), (b"html", b"index.htm"))
        site.put("index.html", None)
        self.assertEqual(where(site, b"/"), b"index.htm")

    def test_a_file_that_has_the_clean_address_itself_keeps_it_and_the_page_its_own(self) -> None:
        site = site_of(Addressing(PageAddresses(clean_urls=True)), "about.html")
        self.assertEqual(site.put("about", file("about", b"bare")), [b"/about", b"/about.html"])
        self.assertEqual((where(site, b"/about"), where(site, b"/about.html")), (b"bare", b"about.html"))
        self.assertEqual(set(site.put("about", None)), {b"/about", b"/about.html"})
        self.assertEqual(where(site, b"/about.html"), b"/about")

    def test_a_folder_and_a_page_of_one_name(self) -> None:
        names = "about.html", "about/index.html"
        site = site_of(Addressing(PageAddresses(True)), *names)
        self.assertEqual(
            (where(site, b"/about"), where(site, b"/about/")), (b"about.html", b"about/index.html")
        )
        site = site_of(Addressing(PageAddresses(True, trailing_slash="add")), *names)
        self.assertEqual(
            (where(site, b"/about/"), where(site, b"/about.html")), (b"about/index.html", b"about.html")
        )


class RulesTests(SynchronousTestCase):
    """Redirects and rewrites as entries."""

    def test_an_exact_redirect_is_there_without_any_file_and_wins_with_force(self) -> None:
        rules = AddressRules(
            [
                AddressRule("/a.css", to="/b.css", status=301),
                AddressRule("/caf%C3%A9", to="https://example.org/"),
            ]
        )
        site = site_of(Addressing(rules=rules), "a.css")
        self.assertEqual(where(site, b"/a.css"), b"/b.css")
        self.assertEqual(where(site, b"/caf%C3%A9"), b"https://example.org/")
        self.assertEqual(split_status(site[b"/a.css"].representations[0].lines_200)[0], 301)

    def test_one_without_force_counts_where_no_file_is(self) -> None:
        site = site_of(Addressing(rules=AddressRules([AddressRule("/a.css", to="/b.css", force=False)])))
        self.assertEqual(where(site, b"/a.css"), b"/b.css")
        site.put("a.css", file("a.css", b"css"))
        self.assertEqual(where(site, b"/a.css"), b"css")
        site.put("a.css", None)
        self.assertEqual(where(site, b"/a.css"), b"/b.css")

    def test_a_pattern_with_force_takes_the_files_that_it_matches(self) -> None:
        rules = AddressRules([AddressRule("/b/*", to="/:splat"), AddressRule("/about/*", status=410)])
        site = site_of(
            Addressing(PageAddresses(True), rules=rules), "b/about.html", "about.html", "about/index.html"
        )
        self.assertEqual(where(site, b"/b/about.html"), b"/about.html")
        self.assertEqual(where(site, b"/about/"), 410)
        self.assertEqual(where(site, b"/about.html"), b"about.html")  # for its clean address is gone

    def test_a_rewrite_is_the_file_once_more_and_follows_it(self) -> None:
        rules = AddressRules([AddressRule("/manual", to="/about.html", status=200, force=False)])
        for pages in (PageAddresses(), PageAddresses(True)):
            site = site_of(Addressing(pages, rules=rules))
            self.assertIsNone(where(site, b"/manual"))
            self.assertIn(b"/manual", site.put("about.html", file("about.html", b"1")))
            self.assertEqual(where(site, b"/manual"), b"1")
            self.assertIn(b"/manual", site.put("about.html", file("about.html", b"2")))
            self.assertEqual(where(site, b"/manual"), b"2")
            site.put("about.html", None)
            self.assertIsNone(where(site, b"/manual"))

    def test_a_rewrite_with_force_takes_the_place_of_files(self) -> None:
        """Of one path at once; of many, the table has nothing and workers look the file up."""
        rules = [
            AddressRule("/a.css", to="/about.html", status=200),
            AddressRule("/b/*", to="/about.html", status=200),
        ]
        site = site_of(Addressing(rules=AddressRules(rules)), "a.css", "about.html", "b/about.html")
        self.assertEqual(where(site, b"/a.css"), b"about.html")
        self.assertIsNone(where(site, b"/b/about.html"))
        site.put("about.html", None)
        self.assertEqual(where(site, b"/a.css"), None)

    def test_no_rule_takes_what_is_the_node_s_own_or_no_path(self) -> None:
        rules = AddressRules([AddressRule("/.edge/health", to="/x"), AddressRule("/a%2F..%2Fb", to="/x")])
        self.assertEqual(dict(site_of(Addressing(rules=rules))), {})

    def test_files_of_rules_are_never_served(self) -> None:
        site = site_of(Addressing(), "_redirects", "_headers", "sub/_redirects")
        self.assertEqual(list(site), [b"/sub/_redirects"])


FIELDS = Fields(
    [FieldRule("*.html", (("set", "X-Page", "1"),)), FieldRule("/", (("set", "Cache-Control", "max-age=5"),))]
)


class FieldsTests(SynchronousTestCase):
    """Fields as lines of entries."""

    def test_rules_are_about_the_address_and_about_the_file(self) -> None:
        site = site_of(Addressing(fields=FIELDS), "index.html", "a.css")
        one = site[b"/a.css"].representations[0]
        self.assertNotIn(b"X-Page", one.lines_200)

    def test_cache_control_is_in_the_304_and_in_what_the_smart_client_may(self) -> None:
        lines = page(b"/a.html").representations[0].lines_200
        after, of_304 = lines_after(
            lines, (("set", "cache-control", "public, max-age=86400, s-maxage=604800"),)
        )
        self.assertEqual(of_304, b"cache-control: public, max-age=86400, s-maxage=604800\r\n")
        self.assertIn(b"\r\nEdge-Client-Cache-Control: public,max-age=86400,s-maxage=604800,stale-", after)
        after, of_304 = lines_after(lines, (("remove", "Cache-Control", ""),))
        self.assertEqual((of_304, b"Cache-Control" in after), (b"", False))
        after, _ = lines_after(lines, (("set", "Cache-Control", "no-store"),))
        self.assertNotIn(b"Edge-Client", after)

    def test_what_has_changed_is_not_immutable(self) -> None:
        lines, changes = (
            page(b"/a.js").representations[0].lines_200,
            (("set", "Cache-Control", "max-age=9, immutable"),),
        )
        self.assertIn(b"Cache-Control: no-cache\r\n", lines_after(lines, changes, has_changed=True)[0])  # type: ignore[arg-type]

    def test_without_any_change_the_lines_are_what_they_were(self) -> None:
        one = page(b"/a.html", b"x", coded=b"y").representations[0]
        self.assertEqual(lines_after(one.lines_200, ()), (one.lines_200, one.lines_304))

    def test_lines_stay_within_what_other_nodes_take(self) -> None:
        changes = tuple(("add", f"X-{number}", "x" * 1000) for number in range(6))
        after, _ = lines_after(b"Content-Type: text/html\r\n", changes)  # type: ignore[arg-type]
        self.assertEqual((len(after) <= 4096, after.count(b"X-")), (True, 4))


ADDRESSINGS = st.builds(
    lambda pages, rules, fields: Addressing(pages, FIELDS if fields else None, AddressRules(rules)),
    st.builds(
        PageAddresses,
        st.booleans(),
        st.sampled_from([("index.html",), ("index.html", "index.htm"), ("index.htm", "index.html"), ()]),
        st.sampled_from(["keep", "add", "remove"]),
    ),
    st.lists(
        st.builds(
            lambda source, to, status, force: AddressRule(source, to=to, status=status, force=force),
            st.sampled_from(["/about", "/about/", "/a.css", "/x", "/about/*", "/b/:n"]),
            st.sampled_from(["/about.html", "/about", "/a.css", "/404.html", "/"]),
            st.sampled_from([200, 301, 308]),
            st.booleans(),
        ),
        max_size=3,
    ),
    st.booleans(),
)
STEPS = st.lists(
    st.one_of(ADDRESSINGS, st.tuples(st.sampled_from(NAMES), st.sampled_from([None, b"1", b"2"]))),
    max_size=12,
)


class AnyOrderTests(SynchronousTestCase):
    """Whatever happened before, a site is what its files and rules make of it."""

    @settings(max_examples=200, deadline=None)
    @example(
        [
            ("about.html", b"1"),
            Addressing(PageAddresses(True, ("index.html",), "remove"), None, AddressRules([])),
            ("about", b"1"),
            Addressing(PageAddresses(False, ("index.html",), "add"), None, AddressRules([])),
            ("about/index.html", b"1"),  # at once /about leads to /about/, and that to /about
        ],
        1,
    )
    @given(STEPS, st.integers(0, 3))
    def test_it_is_what_it_would_be_if_made_at_once_and_tells_all_that_differs(
        self, steps: list[object], lag: int
    ) -> None:
        site, files, addressing = Site(), dict[str, bytes](), Addressing()
        told: dict[bytes, Resource | None] = {}

        def tell(paths: list[bytes]) -> None:
            told.update((path, site.get(path)) for path in paths)

        for step in steps:
            if isinstance(step, Addressing):
                addressing, pending = step, site.use(step)
                for _ in range(lag):
                    tell(next(pending, []))
                # what is left is done before the next rules, or at the end
                continue
            assert isinstance(step, tuple)
            name, body = step
            files.pop(name, None)
            if body is not None:
                files[name] = body
            tell(site.put(name, None if body is None else file(name, body)))
        for paths in site.use(addressing):
            tell(paths)
        fresh = Site()
        list(fresh.use(addressing))
        for name, body in sorted(files.items()):
            fresh.put(name, file(name, body))
        self.assertEqual(dict(site), dict(fresh))
        self.assertEqual({path: one for path, one in told.items() if one is not None}, dict(fresh))
