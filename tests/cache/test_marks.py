"""Marks on keys: for a while, and with little memory whatever the names are."""

from __future__ import annotations

from unittest import TestCase

from edge.cache.marks import Marks


class MarksTests(TestCase):
    """:class:`edge.cache.marks.Marks`."""

    def test_a_mark_lasts_its_time_for_names_of_any_length(self) -> None:
        for name in (b"/", b"/" + b"x" * 5000):
            marks = Marks(60.0)
            marks.add(name, 100.0)
            self.assertEqual((marks.has(name, 159.0), marks.left(name, 150.0)), (True, 10.0))
            self.assertFalse(marks.has(name + b"y", 159.0))
            self.assertFalse(marks.has(name, 160.0))
            marks.add(name, 200.0)
            marks.discard(name)
            self.assertFalse(marks.has(name, 200.0))

    def test_the_oldest_go_first(self) -> None:
        marks = Marks(60.0, 2)
        for name in (b"a", b"b", b"a", b"c"):
            marks.add(name, 0.0)
        self.assertEqual([marks.has(name, 1.0) for name in (b"a", b"b", b"c")], [True, False, True])

    def test_names_as_long_as_a_stranger_likes_are_kept_short(self) -> None:
        marks = Marks(60.0)
        marks.add(b"/" + b"x" * 4000, 0.0)
        self.assertLess(max(len(name) for name in marks._until), 100)
