"""The record of what was published: what differs from it is new, whatever the dates of the files."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Change, Record
from edge.gossip.published import Standing, fingerprint
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from simulation.keyring import HashKeyring

NOW = 1_700_000_000_000
LONG_AGO, LATER = 1_000_000_000, 1_900_000_000


def records(
    text: bytes, coded: bytes = b"", lines: bytes = b"Content-Type: text/html\r\n"
) -> tuple[Record, ...]:
    """The bytes *text*, and how they are *coded*."""
    original = Record(0, text.ljust(32, b"-"), len(text), lines, b"")
    return (original, Record(2, coded.ljust(32, b"-"), 1, lines, b"")) if coded else (original,)


class PublishedTests(SynchronousTestCase):
    """The node ``a``, which has published /x as ``one``."""

    def setUp(self) -> None:
        self.rows = Rows(":memory:", HashKeyring("a"))
        self.a = Replica("a", self.rows, NOW)
        self.publish(b"/x", b"one")
        self.a.published.complete()

    def publish(self, path: bytes, text: bytes, now: int = NOW) -> Change:
        change = self.a.put(path, 1, records(text), now)
        self.a.published.note(change)
        return change

    def restart(self, name: str = "a") -> None:
        self.a = Replica(name, self.rows, NOW + 1000)

    def of_another(self, path: bytes, text: bytes, at: int = NOW + 500) -> None:
        """Another node publishes under *path*, and ``a`` hears of it."""
        b = Replica("b", Rows(":memory:", HashKeyring("b")), at)
        b.put(path, 1, records(text), at)
        push = b.push("a")
        assert push is not None
        self.a.receive("b", push, at)

    def standing(self, text: bytes, modified: int, path: bytes = b"/x") -> Standing:
        return self.a.published.judge(path, modified, records(text), self.a.get(path))

    def test_what_differs_is_new_whatever_its_date(self) -> None:
        self.restart()
        for modified in (LONG_AGO, 1, LATER):
            self.assertIs(self.standing(b"two", modified), Standing.NEW)
        self.assertIs(self.standing(b"one", 1), Standing.SAME)
        self.assertIs(self.standing(b"one", LATER), Standing.NEW, "the same bytes with another Last-Modified")

    def test_what_does_not_differ_is_older_than_what_another_node_published_since(self) -> None:
        self.of_another(b"/x", b"theirs")
        self.restart()
        for modified in (LONG_AGO, 1, LATER):
            self.assertIs(self.standing(b"one", modified), Standing.OLD)
            self.assertIs(self.standing(b"two", modified), Standing.NEW)

    def test_better_codings_and_other_header_lines_make_nothing_new(self) -> None:
        self.of_another(b"/x", b"theirs")
        self.restart()
        known = self.a.get(b"/x")
        for ours in (
            records(b"one", b"coded"),
            records(b"one", b"coded better"),
            records(b"one", lines=b"A: b\r\n"),
        ):
            self.assertIs(self.a.published.judge(b"/x", LATER, ours, known), Standing.OLD)
        self.assertEqual(fingerprint(records(b"one")), fingerprint(records(b"one", b"coded")))

    def test_the_same_bytes_with_other_header_lines_are_published(self) -> None:
        known = self.a.get(b"/x")
        ours = records(b"one", lines=b"Content-Type: text/plain\r\n")
        self.assertIs(self.a.published.judge(b"/x", 1, ours, known), Standing.NEW)

    def test_a_path_that_this_node_never_published_is_new(self) -> None:
        self.of_another(b"/y", b"theirs")
        self.restart()
        self.assertIs(self.standing(b"ours", LONG_AGO, b"/y"), Standing.NEW)
        self.assertIs(self.standing(b"ours", LONG_AGO, b"/z"), Standing.NEW)

    def test_what_this_node_has_purged_is_new_and_what_another_has_purged_is_old(self) -> None:
        self.publish(b"/y", b"one")
        self.a.remove(b"/x", NOW + 1)
        self.a.published.forget(b"/x")
        b = Replica("b", Rows(":memory:", HashKeyring("b")), NOW)
        push = self.a.push("b")
        assert push is not None
        b.receive("a", push, NOW + 2)
        b.remove(b"/y", NOW + 3)
        answer = b.push("a")
        assert answer is not None
        self.a.receive("b", answer, NOW + 4)
        self.restart()
        self.assertIs(self.standing(b"one", 1), Standing.NEW)
        self.assertIs(self.standing(b"one", 1, b"/y"), Standing.OLD)

    def test_without_a_record_what_the_cluster_has_of_this_node_is_it(self) -> None:
        kept = self.a.get(b"/x")
        self.of_another(b"/y", b"theirs")
        theirs = self.a.get(b"/y")
        self.a = Replica("a", Rows(":memory:", HashKeyring("a")), NOW)
        judge = self.a.published.judge
        self.assertIs(judge(b"/x", LONG_AGO, records(b"two"), kept), Standing.NEW)
        self.assertIs(judge(b"/y", LONG_AGO, records(b"two"), theirs), Standing.OLD)
        self.assertIs(judge(b"/y", LATER, records(b"two"), theirs), Standing.NEW)

    def test_the_record_of_another_node_is_none(self) -> None:
        """A state directory that was copied from ``a``."""
        self.restart("c")
        self.assertFalse(self.a.published.is_complete)
        self.assertIs(self.standing(b"two", LONG_AGO), Standing.OLD)
        self.publish(b"/x", b"two")
        self.a.published.complete()
        self.assertEqual(list(self.a.published.paths()), [[b"/x"]])
        self.restart("a")
        self.assertFalse(self.a.published.is_complete)

    def test_a_version_that_was_lost_with_the_log_is_later_than_what_the_cluster_has(self) -> None:
        """It was published in a partition, and the node was away until its log was dropped."""
        before = self.a.get(b"/x")
        self.publish(b"/x", b"two", NOW + 100)
        self.a.drop(NOW + 200)
        self.assertIs(self.a.published.judge(b"/x", LONG_AGO, records(b"two"), before), Standing.NEW)

    def test_what_is_not_committed_is_lost_with_its_change(self) -> None:
        folder = self.mktemp()
        rows = Rows(folder, HashKeyring("a"))
        a = Replica("a", rows, NOW)
        a.published.note(a.put(b"/x", 1, records(b"one"), NOW))
        a.save(NOW)
        a.published.note(a.put(b"/x", 1, records(b"two"), NOW))
        rows.kill()
        a = Replica("a", Rows(folder, HashKeyring("a")), NOW)
        self.assertIs(a.published.judge(b"/x", 1, records(b"two"), a.get(b"/x")), Standing.NEW)
        self.assertIs(a.published.judge(b"/x", 1, records(b"one"), a.get(b"/x")), Standing.SAME)
