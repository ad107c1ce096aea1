"""A site's versions: what was current when, and since when something is superseded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.client.site import Resource, Site, batch
from loadgen.run.messages.sitemap import CrawledResource
from tests.loadgen.run.samples import Published


def resource() -> Resource:
    """One with the version "one"."""
    return Resource(CrawledResource("/", "document", "one", 10, -1))


class VersionTests(SynchronousTestCase):
    """Of one resource."""

    def test_what_crawling_found_was_current_before_the_run(self) -> None:
        only = resource()
        self.assertEqual((only.current, only.at(0), only.at(10**9)), (b"one", b"one", b"one"))
        self.assertEqual(only.superseded(b"one"), -1)

    def test_a_new_version_supersedes_the_old_from_its_tick_on(self) -> None:
        changed = resource()
        changed.learn(b"two", 100)
        changed.learn(b"three", 200)
        self.assertEqual(changed.current, b"three")
        self.assertEqual(
            [changed.at(tick) for tick in (0, 99, 100, 199, 200)], [b"one"] * 2 + [b"two"] * 2 + [b"three"]
        )
        self.assertEqual([changed.superseded(one) for one in (b"one", b"two", b"three")], [100, 200, -1])

    def test_what_nobody_knows_is_not_superseded(self) -> None:
        self.assertEqual(resource().superseded(b"unknown"), -1)

    def test_going_back_makes_the_old_version_current_again(self) -> None:
        changed = resource()
        changed.learn(b"two", 100)
        changed.learn(b"one", 200)
        self.assertEqual(
            (changed.current, changed.superseded(b"one"), changed.superseded(b"two")), (b"one", -1, 200)
        )
        changed.learn(b"three", 300)
        self.assertEqual(changed.superseded(b"one"), 300)
        self.assertEqual(changed.at(150), b"two")

    @given(st.lists(st.tuples(st.sampled_from([b"one", b"two", b"three"]), st.integers(0, 50)), max_size=12))
    def test_answers_that_come_out_of_order_leave_a_history_in_order(
        self, learned: list[tuple[bytes, int]]
    ) -> None:
        """What is current now never was superseded, and at every tick there is one version."""
        changed = resource()
        for etag, tick in learned:
            changed.learn(etag, tick)
        ticks = [version.tick for version in changed.versions]
        self.assertEqual(ticks, sorted(ticks))
        self.assertEqual(changed.at(10**6), changed.current)
        self.assertEqual(changed.superseded(changed.current), -1)
        for version in changed.versions:
            since = changed.superseded(version.etag)
            if since >= 0:
                self.assertGreaterEqual(since, version.tick)
                self.assertNotEqual(changed.at(since), version.etag)


class SiteTests(SynchronousTestCase):
    """Pages, and what each view of one requests for."""

    def setUp(self) -> None:
        self.published = Published()
        self.site = Site(self.published.site())
        self.paths = [one.path.decode() for one in self.site.resources]

    def test_a_page_confirms_itself_its_parts_and_the_client_but_what_is_fresh_for_good(self) -> None:
        home, about = self.site.pages
        self.assertEqual(
            [self.paths[part] for part in home.confirmed], ["/", "/style.css", "/app.js", "/sw.js"]
        )
        self.assertEqual((home.forgood, home.for_a_while), (1, False))
        self.assertEqual(
            [self.paths[part] for part in about.parts], ["/about", "/style.css", "/news.png", "/sw.js"]
        )
        self.assertEqual((about.forgood, about.for_a_while), (0, True))
        self.assertEqual((home.index, about.index, self.paths[about.number]), (0, 1, "/about"))

    def test_what_stands_beside_every_page_stands_there_once(self) -> None:
        found = self.published.site()
        found.pages.append([found.beside[0], found.beside[0] + 1])
        self.assertEqual(Site(found).pages[2].parts, (found.beside[0], found.beside[0] + 1))

    def test_the_last_change_is_known(self) -> None:
        self.assertEqual(self.site.changed, 0)
        self.site.learn(self.site.resources[0], b"new", 500)
        self.site.learn(self.site.resources[1], b"new", 400)
        self.assertEqual(self.site.changed, 500)
        self.assertEqual(self.site.resources[0].current, b"new")

    def test_a_batch_has_a_line_for_each_copy(self) -> None:
        self.assertEqual(batch([(b"abc", b"/"), (b"def", b"/a?b=c")]), b"abc /\ndef /a?b=c")
        self.assertEqual(batch([]), b"")
