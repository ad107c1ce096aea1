"""States of the site in the tables of two nodes: what is marked when, and what readers are told meanwhile."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from edge.gossip.replica import Replica
from edge.gossip.steps import mark_path
from edge.http.changes import UNKNOWN, since, state_of
from edge.node.bodies.store import BodyStore
from edge.node.cluster.leases import Leases
from edge.node.cluster.missing_bodies import MissingBodies
from edge.node.cluster.replicated_table import OPEN_SECONDS, ReplicatedTable
from edge.node.process.slices import Slices
from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.site_state import EVERYTHING, find_state
from edge.table.writer import Writer
from tests.node.cluster.table import BODY_LIMIT, TableTestCase, resource


class SiteStateTests(TableTestCase):
    """The node ``me``, and ``other``, each with a table."""

    def setUp(self) -> None:
        super().setUp()
        self.revoked = b""
        self.there = self.table_of(self.other, "other")
        self.there_reader = self.readers[-1]

    def new_table(self) -> ReplicatedTable:
        self.readers: list[Reader] = []
        self.revoked = b""
        table = self.table_of(self.replica, "me", self.segment)
        self.leases = Leases(self.segment, "me")
        return table

    def table_of(self, replica: Replica, name: str, segment: Segment | None = None) -> ReplicatedTable:
        if segment is None:
            segment = Segment.create(capacity=64, arena_bytes=1 << 18, workers=1)
            self.addCleanup(segment.close)
        writer, slices = Writer(segment), Slices(self.reactor)
        bodies = BodyStore(self.blobs, self.peers)
        missing = MissingBodies(replica, bodies, writer, BODY_LIMIT, slices, self.reactor)
        self.readers.append(Reader(segment, 0))
        leases = Leases(segment, name)
        return ReplicatedTable(
            replica, writer, bodies, missing, leases, BODY_LIMIT, slices, self.reactor,
            revoked=lambda: self.revoked,
        )  # fmt: skip

    def state(self, reader: Reader | None = None) -> bytes | None:
        entry = find_state(reader or self.reader)
        return None if entry is None or entry.body is None else state_of(entry.body)

    def told(self, state: bytes, reader: Reader | None = None) -> bytes | None:
        """What is said to who was at *state*."""
        entry = find_state(reader or self.reader)
        assert entry is not None and entry.body is not None
        return since(entry.body, state)

    def exchange(self, to_there: bool = True) -> None:
        """What one has published reaches the other one."""
        source, target, table = self.replica, self.other, self.there
        if not to_there:
            source, target, table = self.other, self.replica, self.table
        push = source.push(target.node)
        if push is not None:
            table.apply(target.receive(source.node, push, self.now_ms()).applied)
        self.reactor.settle()

    def test_the_changes_of_a_turn_are_a_step(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.assertIsNone(self.state(), "before the first state nobody waits for it")
        self.reactor.settle()
        first = self.state() or b""
        self.assertNotIn(first, (b"", UNKNOWN))
        self.put(resource(b"/b", b"1"))
        self.put(resource(b"/c", b"1"))
        self.assertEqual(self.state(), UNKNOWN)
        self.reactor.settle()
        self.assertEqual(self.told(first), (self.state() or b"") + b"\n/c\n/b\n")
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        self.assertIsNone(self.told(self.state() or b""), "nothing has changed")

    def test_a_step_that_is_held_ends_when_it_is_let_go(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        before = self.state() or b""
        self.table.begin_step()
        for number in range(3):
            self.put(resource(b"/a", b"%d" % (number + 2)))
            self.reactor.settle()
            self.exchange()
            self.assertEqual(self.state(), UNKNOWN)
            self.assertIn(self.state(self.there_reader), (None, UNKNOWN))
        self.table.remove(b"/a")
        self.table.end_step()
        self.reactor.settle()
        self.assertEqual(self.told(before), (self.state() or b"") + b"\n/a\n")

    def test_readers_are_told_before_the_first_change_is_there(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        seen = []
        table_writer = self.table._writer
        put, remove = table_writer.put, table_writer.remove

        def looked(resource, *arguments, **keywords):  # type: ignore[no-untyped-def]
            if resource.path != b"/.edge/changes":
                seen.append(self.state())
            return put(resource, *arguments, **keywords)

        def looked_at(path: bytes) -> bool:
            seen.append(self.state())
            return remove(path)

        table_writer.put, table_writer.remove = looked, looked_at  # type: ignore[method-assign]
        self.put(resource(b"/a", b"2"))
        self.reactor.settle()
        self.table.remove(b"/a")
        self.reactor.settle()
        self.there.put(resource(b"/b", b"1"), lambda _: None)
        self.reactor.settle()
        self.exchange(to_there=False)
        self.assertEqual(seen, [UNKNOWN] * 3)
        self.assertNotEqual(self.state(), UNKNOWN)

    def test_two_nodes_come_to_the_same_state_and_confirm_it(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        self.exchange()
        one = self.state() or b""
        self.assertEqual(self.state(self.there_reader), one)
        self.there.put(resource(b"/b", b"1"), lambda _: None)
        self.reactor.settle()
        both = self.state(self.there_reader) or b""
        self.assertEqual(self.told(both), UNKNOWN + b"\n", "this node is behind")
        self.assertEqual(self.told(one, self.there_reader), both + b"\n/b\n")
        self.exchange(to_there=False)
        self.assertEqual(self.state(), both)
        self.assertIsNone(self.told(both))
        self.assertEqual(self.told(one), both + b"\n/b\n")

    def test_what_others_have_published_is_confirmed_by_leases_alone(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        self.exchange()
        entry = find_state(self.there_reader)
        assert entry is not None
        self.assertFalse(Reader(self.there_reader.segment, 0, lambda: 1).find(b"/.edge/changes").confirmed)  # type: ignore[union-attr]
        self.there_reader.segment.set_lease(EVERYTHING, 2)
        self.assertTrue(Reader(self.there_reader.segment, 0, lambda: 1).find(b"/.edge/changes").confirmed)  # type: ignore[union-attr]

    def test_a_restart_is_at_the_same_state_and_remembers_no_changes(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        old = self.state() or b""
        self.put(resource(b"/b", b"1"))
        self.reactor.settle()
        before = self.state() or b""
        self.replica.save(self.now_ms())
        self.replica = Replica("me", self.rows, self.now_ms())
        self.table = self.new_table()
        loaded = Deferred.fromCoroutine(self.table.load())
        self.reactor.settle()
        self.assertEqual(self.successResultOf(loaded), 2)
        self.assertIsNone(self.told(before))
        self.assertEqual(self.told(old), UNKNOWN + b"\n")

    def test_a_node_killed_within_a_step_is_at_no_state_until_it_has_published_again(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        self.table.begin_step()
        self.put(resource(b"/b", b"1"))
        self.replica.save(self.now_ms())
        self.replica = Replica("me", self.rows, self.now_ms())
        self.table = self.new_table()
        loaded = Deferred.fromCoroutine(self.table.load())
        self.reactor.settle()
        self.successResultOf(loaded)
        self.assertIn(self.state(), (None, UNKNOWN))
        self.table.begin_step()
        self.put(resource(b"/b", b"1"))
        self.table.end_step()
        self.reactor.settle()
        self.assertNotIn(self.state(), (None, UNKNOWN))

    def test_a_log_that_begins_anew_after_a_kill_leaves_nobody_without_a_state(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        self.exchange()
        self.replica.save(self.now_ms())
        for _ in range(3):
            self.replica = Replica("me", self.rows, self.now_ms())
            self.table = self.new_table()
            loaded = Deferred.fromCoroutine(self.table.load())
            self.reactor.settle()
            self.successResultOf(loaded)
            generation, sequence = self.replica.positions["me"]
            self.replica._begin_log(generation + 1, sequence)
            self.replica._positions["me"] = generation + 1, sequence
            self.table._settle()
            self.table.look_after_steps(())
            self.reactor.settle()
            self.assertNotIn(self.state(), (None, UNKNOWN))
            self.put(resource(b"/a", b"1"))
            self.reactor.settle()
            self.replica.save(self.now_ms())

    def test_a_step_that_does_not_end_is_said(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        self.exchange()
        self.table.begin_step()
        self.put(resource(b"/a", b"2"))
        self.exchange()
        for table in (self.table, self.there):
            for _ in range(OPEN_SECONDS // 5):
                table.look_after_steps(())
                self.assertEqual(table.open_steps(), {})
                self.reactor.now += 5
            self.assertEqual(table.open_steps(), {"me": OPEN_SECONDS})
            self.assertEqual(self.state(self.readers[table is self.there]), UNKNOWN)
        self.table.end_step()
        self.reactor.settle()
        self.exchange()
        for table in (self.table, self.there):
            table.look_after_steps(())
            self.assertEqual(table.open_steps(), {})

    def test_marks_are_no_entries_and_belong_to_nobody_s_webroot(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        self.exchange()
        for reader in (self.reader, self.there_reader):
            self.assertIsNone(reader.find(mark_path("me")))
        self.assertEqual([path for path in self.table.vanished(()) if path], [b"/a"])

    def test_another_list_of_revoked_certificates_makes_other_states(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        before = self.state() or b""
        self.revoked = b"n4"
        self.table.forget([b"/x"])
        self.assertEqual(self.told(before), UNKNOWN + b"\n")
        self.assertNotEqual(self.state(), UNKNOWN)

    def test_what_is_signed_anew_is_marked_as_well(self) -> None:
        self.put(resource(b"/a", b"1"))
        self.reactor.settle()
        self.exchange()
        known = self.replica.get(b"/a")
        assert known is not None
        self.replica.put(b"/a", known.modified, known.records, self.now_ms())
        self.table.look_after_steps(())
        self.reactor.settle()
        self.assertNotIn(self.state(), (None, UNKNOWN))
