"""The replicated table: between the publisher, the change log, shared memory and the peers."""

from __future__ import annotations

import errno
from hashlib import sha256
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher
from twisted.logger import formatEvent as format_event

from edge.gossip.changes import Record
from edge.gossip.replica import Replica
from edge.gossip.steps import mark_path
from edge.publish import blobs
from edge.resource import Resource, etag_of, redirect
from edge.table.writer import Writer
from tests.node.cluster.table import BODY_LIMIT, LINES, TableTestCase, record, resource


class PublisherSideTests(TableTestCase):
    """What the publisher sees."""

    def test_own_changes_are_told_once_for_all_of_one_turn(self) -> None:
        told = [Deferred.fromCoroutine(self.table.own_changes())]
        self.put(resource(b"/a", b"1"))
        self.put(resource(b"/b", b"2"))
        self.assertNoResult(told[0])
        self.assertEqual(self.reactor.settle(), 1)
        self.successResultOf(told[0])
        paths = {change.path for change in self.replica.paths(b"", 9)}
        self.assertEqual(paths, {b"/a", b"/b", mark_path("me")})
        told.append(Deferred.fromCoroutine(self.table.own_changes()))
        self.put(resource(b"/a", b"1"))  # as it is: nothing to tell
        self.assertEqual(self.reactor.settle(), 0)
        self.table.remove(b"/a")
        self.table.remove(b"/a")
        self.reactor.settle()
        self.successResultOf(told[1])
        self.assertIsNone(self.reader.find(b"/a"))

    def test_the_first_publish_keeps_what_is_newer_in_the_cluster_and_later_ones_count(self) -> None:
        self.table.apply(self.published_there(b"/x", b"theirs"))
        self.reactor.settle()
        old = resource(b"/x", b"my old file", modified=1_600_000_000)
        self.assertTrue(self.put(old))
        self.assertEqual((self.table.kept, self.table.owns(b"/x")), (1, False))
        self.table.end_first_publish()
        self.put(old)
        self.assertTrue(self.table.owns(b"/x"))
        self.assertTrue(self.table.is_current(old))
        entry = self.reader.find(b"/x")
        assert entry is not None
        self.assertEqual(entry.body, b"my old file")

    def test_what_others_publish_reaches_the_table_though_the_disk_has_no_room(self) -> None:
        changes = self.published_there(b"/x", b"")

        def no_room(fd: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(blobs.os, "write", no_room)
        self.table.apply(changes)
        self.reactor.settle()
        self.assertIsNotNone(self.reader.find(b"/x"))

    def restart(self) -> None:
        """The same change log, read by another table; its first publish begins."""
        self.replica = self.table.replica = Replica("me", self.rows, self.now_ms())
        self.table = self.new_table()

    def test_a_deploy_while_this_node_was_down_counts_whatever_the_dates_of_its_files(self) -> None:
        for path in (b"/kept", b"/changed", b"/gone"):
            self.put(resource(path, b"one"))
        self.table.apply(self.published_there(b"/theirs", b"theirs"))
        self.table.end_first_publish()
        self.assertEqual(
            [path for path in self.table.vanished({b"/kept", b"/changed", b"/gone"}) if path], []
        )
        self.reactor.settle()
        self.restart()
        files = {b"/kept": b"one", b"/changed": b"two"}
        for path, body in files.items():
            self.put(resource(path, body, modified=1_500_000_000))
        self.table.end_first_publish()
        self.assertEqual(self.table.kept, 0)
        found = self.replica.get(b"/changed")
        assert found is not None
        self.assertEqual(found.records[0].digest, sha256(b"two").digest())
        self.assertEqual([path for path in self.table.vanished(files) if path], [b"/gone"])
        self.assertEqual(list(self.table.vanished({})), [], "once")

    def test_rules_of_an_earlier_life_are_found_where_there_are_no_files(self) -> None:
        def publish(*rules: bytes) -> None:
            for path in rules:
                self.put(redirect(path, 301, b"/new"))

        for has_record in (True, False):
            publish(b"/kept", b"/gone")
            self.put(redirect(b"/page.html", 308, b"/page", 1_600_000_000))  # of a file
            self.put(resource(b"/page", b"one"))
            if not has_record:
                self.rows.forget_published_but("")
            self.restart()
            publish(b"/kept")
            self.table.end_first_publish()
            self.assertEqual([path for path in self.table.vanished_rules({b"/kept"}) if path], [b"/gone"])
            self.assertEqual([path for path in self.table.vanished_rules({b"/kept", b"/gone"}) if path], [])
            self.table.remove(b"/gone")
            self.assertEqual([path for path in self.table.vanished_rules({b"/kept"}) if path], [])
            # and a life with files finds those of the one before that
            self.assertIn(b"/page", list(self.table.vanished({b"/kept"})))
            self.restart()

    def test_without_a_record_what_the_cluster_has_of_this_node_goes_with_its_file(self) -> None:
        self.put(resource(b"/kept", b"one"))
        self.put(resource(b"/gone", b"one"))
        self.rows.forget_published_but("")  # and of nobody
        self.restart()
        self.put(resource(b"/kept", b"one"))
        self.table.end_first_publish()
        self.assertEqual([path for path in self.table.vanished({b"/kept": 1}) if path], [b"/gone"])

    def test_what_others_publish_is_found_and_is_not_ours(self) -> None:
        self.table.apply(self.published_there(b"/x", b"theirs"))
        self.reactor.settle()
        self.assertTrue(self.table.has(b"/x", here=False))
        self.assertFalse(self.table.owns(b"/x"))
        found = self.table.look_up(b"/x")
        assert found is not None
        self.assertEqual(found.representations[0].digest, sha256(b"theirs").digest())
        self.assertEqual(list(self.table.bodies_of_others()), [{etag_of(sha256(b"theirs").digest())}])
        self.table.remove(b"/x")
        self.assertFalse(self.table.has(b"/x", here=True))
        self.assertIsNone(self.table.look_up(b"/x"))

    def test_redirects_and_fields_reach_the_other_nodes(self) -> None:
        there = redirect(b"/old", 301, b"/new", 7, b"X-Field: 1\r\n")
        one = there.representations[0]
        records = (Record(0, one.digest, 0, one.lines_200, one.lines_304),)
        self.other.put(b"/old", 7, records, self.now_ms())
        push = self.other.push("me")
        assert push is not None
        self.table.apply(self.replica.receive("other", push, self.now_ms()).applied)
        self.reactor.settle()
        entry = self.reader.find(b"/old")
        assert entry is not None
        self.assertEqual(
            (entry.status, entry.lines_200, entry.lines_304), (301, b"X-Field: 1\r\n", b"Location: /new\r\n")
        )
        self.assertEqual(self.peers.asked, [])
        self.assertEqual(self.table.look_up(b"/old"), there)
        self.table.end_first_publish()
        self.put(redirect(b"/old", 302, b"/newer", 8))
        self.put(redirect(b"/old", 302, b"/newest", 8))
        self.assertEqual(self.reader.find(b"/old").lines_304, b"Location: /newest\r\n")  # type: ignore[union-attr]
        self.put(resource(b"/old", b"a file"))
        self.assertEqual(self.reader.find(b"/old").status, 200)  # type: ignore[union-attr]

    def test_the_table_is_complete_when_ours_and_the_clusters_are(self) -> None:
        self.table.set_complete(True)
        self.assertFalse(self.reader.complete)
        self.table.joined()
        self.assertTrue(self.reader.complete)

    def test_what_another_process_of_this_name_has_published_is_said(self) -> None:
        """Not before all is there: until then it is what this node published in an earlier life."""
        said: list[str] = []

        def observe(event: Any) -> None:
            if event["log_level"] is LogLevel.warn:
                said.append(format_event(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        changes = self.published_there(b"/x", b"theirs")
        ours = [replace(change, origin="me") for change in changes]
        self.table.apply(ours)
        self.table.set_complete(True)
        self.table.joined()
        self.table.apply(changes)
        self.assertEqual(said, [])
        for _ in range(3):
            self.table.apply(ours)
        self.assertEqual(len(said), 1)
        self.assertIn("another process called me has changed 1 paths", said[0])
        self.assertIn("edgectl publish", said[0])


class OriginalsTests(TableTestCase):
    """What another node has published with the same contents."""

    def test_the_same_contents_of_another_node_stay_however_they_are_coded(self) -> None:
        """A quick coding asks this before it is put; see :meth:`Publisher._bring_up_to_date`."""
        original = record(b"<p>")
        coded = Record(2, sha256(b"well").digest(), 4, LINES, b"")
        self.other.put(b"/a", 1_700_000_000, (original, coded), self.now_ms())
        push = self.other.push("me")
        assert push is not None
        self.table.apply(self.replica.receive("other", push, self.now_ms()).applied)
        while self.reactor.turn():
            pass
        self.assertTrue(self.table.has_same_originals(resource(b"/a", b"<p>")))
        self.assertFalse(self.table.has_same_originals(resource(b"/a", b"<p>new")))
        self.assertFalse(self.table.has_same_originals(resource(b"/b", b"<p>")))
        self.put(resource(b"/c", b"mine"))
        self.assertFalse(self.table.has_same_originals(resource(b"/c", b"mine")))


class PeerSideTests(TableTestCase):
    """What comes from other nodes."""

    def restart(self) -> None:
        """The table of another life, over the same change log."""
        self.table.stop()
        self.table = self.new_table()

    def test_changes_are_applied_in_order_and_in_slices(self) -> None:
        count = 40
        changes = [
            change for number in range(count) for change in self.published_there(b"/%02d" % number, b"x")
        ]
        self.blobs.put(b"x")
        put: list[bytes] = []
        finish = Writer.put

        def slow_put(writer: Writer, one: Resource, *args: object, **more: object) -> bool:
            self.reactor.now += 1 / 1024
            put.append(one.path)
            return finish(writer, one, *args, **more)  # type: ignore[arg-type]

        self.patch(Writer, "put", slow_put)
        first = self.table.apply(changes[:30])
        second = self.table.apply(changes[30:])
        before = 0
        while self.reactor.turn():
            self.assertLessEqual(len(put) - before, 6, "of a millisecond each, in a slice of 5")
            before = len(put)
            if len(put) < 30:
                self.assertNoResult(first)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(put, [b"/%02d" % number for number in range(count)])
        self.assertEqual(self.table.queue, 0)

    def test_an_entry_without_its_body_is_confirmed_at_once_and_gets_it_later(self) -> None:
        self.table.apply(self.published_there(b"/x", b"theirs"))
        self.reactor.settle()
        entry = self.reader.find(b"/x")
        assert entry is not None
        self.assertIsNone(entry.body)
        self.assertEqual(self.table.missing, 1)
        ((wanted, urgent),) = self.peers.asked
        self.assertEqual((wanted.path, wanted.origin, urgent), (b"/x", "other", False))
        self.peers.answers[0].callback(b"theirs")
        self.reactor.settle()
        entry = self.reader.find(b"/x")
        assert entry is not None
        self.assertEqual(entry.body, b"theirs")
        self.assertEqual(self.table.missing, 0)

    def test_a_large_body_stays_a_blob(self) -> None:
        large = bytes(BODY_LIMIT + 1)
        self.table.apply(self.published_there(b"/x", large))
        self.reactor.settle()
        self.peers.answers[0].callback(large)
        self.reactor.settle()
        entry = self.reader.find(b"/x")
        assert entry is not None
        self.assertIsNone(entry.body)
        self.assertTrue(self.blobs.has(entry.etag, len(large)))

    def test_the_table_of_the_last_run_is_loaded(self) -> None:
        self.published_there(b"/x", b"1")
        self.published_there(b"/y")
        loaded = Deferred.fromCoroutine(self.table.load())
        self.reactor.settle()
        self.assertEqual(self.successResultOf(loaded), 1)
        self.assertIsNotNone(self.reader.find(b"/x"))
        self.assertIsNone(self.reader.find(b"/y"))

    def test_what_comes_while_the_table_of_the_last_run_is_loaded_is_not_put_back(self) -> None:
        """Whatever turn it comes in, of as many as loading takes."""
        paths = [b"/%02d" % number for number in range(12)]
        slow = Writer.put

        def slow_put(writer: Writer, one: Resource, *args: object, **more: object) -> bool:
            self.reactor.now += 1 / 256
            return slow(writer, one, *args, **more)  # type: ignore[arg-type]

        self.patch(Writer, "put", slow_put)
        for turns in range(12):
            self.restart()
            for path in paths:
                self.published_there(path, b"old %d" % turns)
            loaded = Deferred.fromCoroutine(self.table.load())
            for _ in range(turns):
                self.reactor.turn()
            changes = [self.published_there(paths[-1])]
            changes += [self.published_there(path, b"new %d" % turns) for path in reversed(paths[:-1])]
            applied = [self.table.apply(each) for each in changes]
            self.reactor.settle()
            self.successResultOf(loaded)
            for each in applied:
                self.successResultOf(each)
            self.assertEqual([self.standing(path) for path in paths], [b"new %d" % turns] * 11 + [None])

    def test_what_waits_does_not_undo_what_this_node_has_put_meanwhile(self) -> None:
        self.table.end_first_publish()
        waiting = self.published_there(b"/x", b"theirs") + self.published_there(b"/y", b"theirs")
        applied = self.table.apply(waiting)
        self.put(resource(b"/x", b"ours"))
        self.table.remove(b"/y")
        self.reactor.settle()
        self.successResultOf(applied)
        self.assertEqual([self.standing(b"/x"), self.standing(b"/y")], [b"ours", None])

    def test_what_this_node_puts_while_the_table_is_loaded_stays(self) -> None:
        self.table.end_first_publish()
        put = Writer.put

        def slow_put(writer: Writer, one: Resource, *args: object, **more: object) -> bool:
            self.reactor.now += 1 / 256
            return put(writer, one, *args, **more)  # type: ignore[arg-type]

        self.patch(Writer, "put", slow_put)
        for number in range(12):
            self.published_there(b"/%02d" % number, b"theirs")
        loaded = Deferred.fromCoroutine(self.table.load())
        self.reactor.turn()
        self.put(resource(b"/10", b"ours"))
        self.table.remove(b"/11")
        self.assertNoResult(loaded)
        self.reactor.settle()
        self.successResultOf(loaded)
        self.assertEqual(
            [self.standing(path) for path in (b"/09", b"/10", b"/11")], [b"theirs", b"ours", None]
        )

    def standing(self, path: bytes) -> bytes | None:
        """What the table has under *path*, by its ETag, of the bodies that these tests publish."""
        entry = self.reader.find(path)
        bodies = [b"theirs", b"ours", *(b"%b %d" % (age, n) for age in (b"old", b"new") for n in range(12))]
        known = {etag_of(sha256(body).digest()): body for body in bodies}
        return None if entry is None else known[entry.etag]

    def test_a_stopped_table_applies_and_fetches_nothing(self) -> None:
        changes = self.published_there(b"/x", b"1")
        self.table.apply(changes)
        self.table.stop()
        self.reactor.settle()
        self.assertIsNone(self.reader.find(b"/x"))
        self.assertEqual(self.peers.asked, [])
