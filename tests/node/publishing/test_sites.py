"""Several publishers over one table: each sees paths of its own, and what concerns all waits for all."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import PublishError
from edge.node.publishing.sites import Gathering, PublishedSite, PublishedSites, SiteTable
from edge.node.publishing.table import LocalTable
from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.writer import Writer
from tests.fastpath import site


class Remembering:
    """A table that says what it was told."""

    def __init__(self) -> None:
        self.complete: list[bool] = []
        self.ended = 0
        self.removed: list[bytes] = []

    def set_complete(self, complete: bool) -> None:
        self.complete.append(complete)

    def end_first_publish(self) -> None:
        self.ended += 1

    def remove(self, name: bytes) -> bool:
        self.removed.append(name)
        return True

    def vanished(self, files: Container[bytes]) -> Iterator[bytes | None]:
        """What an earlier life had: pages of both sites, and of one that is gone."""
        for name in (b"/kept", b"/lost", b"blog/kept", b"blog/lost", b"old/page"):
            yield None if name in files else name

    vanished_rules = vanished


class GatheringTests(SynchronousTestCase):
    """What holds when it holds of all."""

    def setUp(self) -> None:
        self.table = Remembering()
        gathering = Gathering(self.table, [b"", b"blog"], [b"", b"blog"])  # type: ignore[arg-type]
        self.top, self.blog = SiteTable(gathering, b""), SiteTable(gathering, b"blog")

    def test_the_table_is_complete_when_all_sites_are(self) -> None:
        self.top.set_complete(True)
        self.blog.set_complete(True)
        self.blog.set_complete(False)
        self.blog.set_complete(True)
        self.assertEqual(self.table.complete, [False, True, False, True])

    def test_the_first_publish_ends_with_the_last_one(self) -> None:
        self.top.end_first_publish()
        self.top.end_first_publish()
        self.assertEqual(self.table.ended, 0)
        self.blog.end_first_publish()
        self.assertEqual(self.table.ended, 1)

    def test_what_no_site_has_any_more_is_taken_away_when_all_have_told(self) -> None:
        """Also what was of a site that is configured no more."""
        self.assertEqual(list(self.top.vanished([b"/kept"])), [])
        self.assertEqual(self.table.removed, [])
        self.assertEqual(set(self.blog.vanished([b"/kept"])), {None})
        self.assertEqual(self.table.removed, [b"/lost", b"blog/lost", b"old/page"])

    def test_what_is_of_a_site_without_files_stays(self) -> None:
        """Its rules, too, which it has told of."""
        gathering = Gathering(self.table, [b"", b"blog"], [b""])  # type: ignore[arg-type]
        self.assertEqual(set(SiteTable(gathering, b"").vanished([b"/kept"])), {None})
        self.assertEqual(self.table.removed, [b"/lost", b"old/page"])

    def test_a_site_without_files_hears_of_its_own_old_rules(self) -> None:
        gathering = Gathering(self.table, [b"", b"blog"], [])  # type: ignore[arg-type]
        for prefix, found in ((b"", [b"/lost"]), (b"blog", [b"/lost"])):
            table = SiteTable(gathering, prefix)
            self.assertEqual([path for path in table.vanished_rules([b"/kept"]) if path], found)


class SiteTableTests(SynchronousTestCase):
    """Over the table of a node alone."""

    def test_the_same_path_of_two_sites_is_two_entries(self) -> None:
        segment = Segment.create(capacity=64, arena_bytes=1 << 16, workers=1)
        self.addCleanup(segment.close)
        table = LocalTable(Writer(segment))
        gathering = Gathering(table, [b"", b"blog"], [b"", b"blog"])
        top, blog = SiteTable(gathering, b""), SiteTable(gathering, b"blog")
        top.put(site.page(b"/a", b"top"), lambda one: None)
        blog.put(site.page(b"/a", b"blog"), lambda one: None)
        reader = Reader(segment, 0, lambda: 0)

        def found(name: bytes) -> bytes | None:
            entry = reader.find(name)
            return None if entry is None else entry.body

        self.assertEqual((found(b"/a"), found(b"blog/a"), found(b"/blog/a")), (b"top", b"blog", None))
        self.assertTrue(top.remove(b"/a"))
        self.assertEqual((found(b"/a"), found(b"blog/a")), (None, b"blog"))


class Publisher:
    """Has one path."""

    async def purge(self, paths: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """See :class:`edge.node.publishing.publisher.Publisher`."""
        paths = list(paths)
        return [path for path in paths if path == b"/a"], [path for path in paths if path != b"/a"]


class PublishedSitesTests(SynchronousTestCase):
    """Whom a name leads to."""

    def setUp(self) -> None:
        made: list[Any] = [PublishedSite(name, name.encode(), Publisher(), None) for name in ("", "blog")]  # type: ignore[arg-type]
        self.sites = PublishedSites(made, None)  # type: ignore[arg-type]

    def test_each_purges_its_own(self) -> None:
        names = [b"/a", b"blog/a", b"blog/b", b"none/a"]
        done = self.successResultOf(Deferred.fromCoroutine(self.sites.purge(names)))
        self.assertEqual(done, ([b"/a", b"blog/a"], [b"blog/b", b"none/a"]))

    def test_a_site_that_is_not_there_is_told_with_those_that_are(self) -> None:
        self.assertEqual(self.sites.named(None).name, "")
        self.assertEqual(self.sites.named("blog").name, "blog")
        self.assertIn("there is no site shop; there are: blog",
                      str(self.assertRaises(PublishError, self.sites.named, "shop")))  # fmt: skip
