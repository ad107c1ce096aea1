"""The lanes of a schedule, and the directories that it knows."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.folders import Folders
from edge.publish.lanes import Lane, Lanes
from edge.publish.walk import Place


class LaneTests(SynchronousTestCase):
    """Names that wait."""

    def setUp(self) -> None:
        self.lanes = Lanes()

    def test_the_least_key_comes_first_then_who_came_first(self) -> None:
        for name, key in (("b", (2,)), ("a", (1,)), ("c", (1,)), ("d", (2,))):
            self.lanes.put(name, Lane.BULK, key)
        self.assertEqual(list(self.lanes.take(Lane.BULK)), ["a", "c", "b", "d"])
        self.assertEqual(self.lanes.length(Lane.BULK), 0)

    def test_who_is_put_elsewhere_waits_there_alone(self) -> None:
        self.lanes.put("a", Lane.BULK, ())
        self.lanes.put("a", Lane.ASKED, ())
        self.assertEqual([self.lanes.length(lane) for lane in (Lane.BULK, Lane.ASKED)], [0, 1])
        self.assertEqual(list(self.lanes.take(Lane.BULK)), [])
        self.assertIn("a", self.lanes)
        self.assertEqual(list(self.lanes.take(Lane.ASKED)), ["a"])
        self.assertNotIn("a", self.lanes)

    def test_who_leaves_and_comes_back_is_given_once(self) -> None:
        self.lanes.put("a", Lane.BULK, ())
        self.lanes.leave("a")
        self.lanes.leave("a")
        self.lanes.put("a", Lane.BULK, ())
        self.assertEqual(list(self.lanes.take(Lane.BULK)), ["a"])

    def test_what_is_not_taken_waits_on(self) -> None:
        for name in "abc":
            self.lanes.put(name, Lane.BULK, ())
        self.assertEqual(next(self.lanes.take(Lane.BULK)), "a")
        self.assertEqual(self.lanes.length(Lane.BULK), 2)
        self.assertEqual(list(self.lanes.take(Lane.BULK)), ["b", "c"])


class FolderTests(SynchronousTestCase):
    """Directories, by name, path and location."""

    def setUp(self) -> None:
        self.folders = Folders()
        for name, prefix in (("", b"/"), ("a", b"/a/"), ("a/b", b"/a/b/")):
            self.folders.put(Place(name, prefix, f"/srv/{name}".rstrip("/"), (), 0))

    def test_the_deepest_one_around_a_path(self) -> None:
        for path, name in ((b"/x", ""), (b"/a/x", "a"), (b"/a/b/c/d/x", "a/b"), (b"/ab/x", "")):
            self.assertEqual(self.folders.around(path), name)
        self.folders.drop("a/b")
        self.assertEqual(self.folders.around(b"/a/b/x"), "a")
        self.assertIsNone(Folders().around(b"/x"))

    def test_a_change_is_of_whoever_is_there_or_around_it(self) -> None:
        self.assertEqual(self.folders.changed_by("/srv/a"), ["a"])
        self.assertEqual(self.folders.changed_by("/srv/a/new/newer"), ["a"])
        self.assertEqual(self.folders.changed_by("/elsewhere"), [])

    def test_a_link_has_a_change_told_to_both(self) -> None:
        self.folders.locate(self.folders["a/b"], frozenset({"/srv/a/b", "/srv/a"}))
        self.assertEqual(self.folders.changed_by("/srv/a"), ["a", "a/b"])
        self.folders.drop("a")
        self.assertEqual(self.folders.changed_by("/srv/a"), ["a/b"])

    def test_each_is_counted_until_it_is_listed_or_gone(self) -> None:
        self.folders.listed(self.folders["a"])
        self.folders.listed(self.folders["a"])
        self.assertEqual(self.folders.unlisted, 2)
        for name in ("a", "a/b", "a/b"):
            self.folders.drop(name)
        self.assertEqual((self.folders.unlisted, len(self.folders)), (1, 1))
