"""Writer and readers against a model; native and Python readers over the same bytes."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from edge.resource import Representation
from edge.table import writer as writer_module
from edge.table.layout import GRANULE, OFFSET_STATE, SLOT, SLOT_BYTES, SLOT_DELETED, SLOT_LIVE, U32
from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.stores import PythonStores
from edge.table.writer import Writer
from tests.table.samples import resource, version_of

PATHS = [b"/%d" % number for number in range(12)]
VARIANTS = st.sampled_from([(0,), (0, 1), (0, 1, 2), (0, 2), (0, 4, 8)])


class TableMachine(RuleBasedStateMachine):
    """A small table under pressure: a full table and a full arena are part of ordinary life."""

    @initialize(entries=st.sampled_from([4, 16, 64]), arena=st.sampled_from([4096, 16384, 1 << 20]))
    def begin(self, entries: int, arena: int) -> None:
        """A new table, its writer and two readers."""
        self.segment = Segment.create(capacity=entries, arena_bytes=arena, workers=2)
        self.writer = Writer(self.segment)
        self.readers = [Reader(self.segment, index) for index in range(2)]
        self.inside: set[int] = set()
        self.model: dict[bytes, tuple[int, tuple[int, ...]]] = {}
        self.spilled: list[bytes] = []
        self.number = 0
        self.writer.set_complete(True)

    @rule(path=st.sampled_from(PATHS), variants=VARIANTS, size=st.integers(0, 3000))
    def put(self, path: bytes, variants: tuple[int, ...], size: int) -> None:
        """A new version of a path."""
        self.number += 1

        def spill(one: Representation) -> None:
            self.spilled.append(one.etag)

        if self.writer.put(resource(path, self.number, variants, size), spill):
            self.model[path] = (self.number, variants)
        else:
            self.model.pop(path, None)
            assert not self.segment.complete

    @rule(path=st.sampled_from(PATHS))
    def remove(self, path: bytes) -> None:
        """A purge."""
        assert self.writer.remove(path) == (self.model.pop(path, None) is not None)

    @rule(worker=st.integers(0, 1))
    def enter(self, worker: int) -> None:
        """A worker begins to read and stays for a while."""
        if worker not in self.inside:
            self.inside.add(worker)
            self.readers[worker].enter()

    @rule(worker=st.integers(0, 1))
    def leave(self, worker: int) -> None:
        """It is done."""
        if worker in self.inside:
            self.inside.remove(worker)
            self.readers[worker].leave()

    @rule()
    def reclaim(self) -> None:
        """At any time."""
        self.writer.reclaim()

    @rule()
    def another_writer_takes_over(self) -> None:
        """The first one is gone between two stores; nothing may change."""
        before = self.segment.entries
        self.writer = Writer(self.segment)
        assert self.writer.recover() == 0
        assert self.segment.entries == before

    @invariant()
    def readers_find_what_the_model_has(self) -> None:
        """Every path, every variant, whole."""
        if not hasattr(self, "segment"):
            return
        for path in PATHS:
            number, variants = self.model.get(path, (None, ()))
            for variant in (0, 1, 2, 4, 8):
                found = version_of(self.readers[variant % 2], path, variant)
                assert found == (number if variant in variants else None), (path, variant)
        assert self.segment.entries == sum(len(variants) for _, variants in self.model.values())

    def teardown(self) -> None:
        """Lets the memory go."""
        if hasattr(self, "segment"):
            self.segment.close()


class TableMachineTests(SynchronousTestCase):
    """The machine above, many times."""

    def test_any_order_of_publishing_and_reading_is_right(self) -> None:
        """Hypothesis prints the shortest failing story."""
        run_state_machine_as_test(TableMachine, settings=settings(max_examples=40, stateful_step_count=40))


class WriterTests(SynchronousTestCase):
    """Faults, and what comes of each."""

    def setUp(self) -> None:
        """A table for two workers."""
        self.segment = Segment.create(capacity=64, arena_bytes=1 << 16, workers=2)
        self.addCleanup(self.segment.close)
        self.writer = Writer(self.segment)
        self.reader = Reader(self.segment, 0)

    def _index(self, path: bytes, variant: int = 0) -> int:
        key = self.reader.key_of(path)
        for index in range(self.segment.slot_count):
            slot = SLOT.unpack_from(self.segment.memory, self.segment.slots_offset + index * SLOT_BYTES)
            if slot[1] == SLOT_LIVE and slot[4] == key and slot[2] == variant:
                return index
        raise AssertionError(path)

    def _poke(self, index: int, offset: int, value: int) -> None:
        U32.pack_into(self.segment.memory, self.segment.slots_offset + index * SLOT_BYTES + offset, value)

    def test_a_block_in_use_is_not_overwritten(self) -> None:
        """A reader inside keeps the bytes that it found, however much is published meanwhile."""
        self.writer.put(resource(b"/a", 1, size=4000))
        self.reader.enter()
        key = self.reader.key_of(b"/a")
        slot = SLOT.unpack_from(
            self.segment.memory, self.segment.slots_offset + self._index(b"/a") * SLOT_BYTES
        )
        at = slot[6] * GRANULE
        held = self.segment.memory[at : at + 4000]
        for number in range(2, 100):
            self.writer.put(resource(b"/a", number, size=4000), lambda one: None)
        self.assertEqual(self.segment.memory[at : at + 4000], held)
        self.assertEqual(self.reader.key_of(b"/a"), key)
        self.reader.leave()
        self.assertGreater(self.writer.reclaim(), 0)

    def test_whatever_is_written_under_a_path_is_another_version(self) -> None:
        self.assertIsNone(self.reader.version_of(b"/a"))
        self.writer.put(resource(b"/a", 1))
        self.writer.put_template(b"/t", b"A: b\r\n", b"", b"one")
        for write in (
            lambda: self.writer.put(resource(b"/a", 2)),
            lambda: self.writer.put_template(b"/t", b"A: b\r\n", b"", b"two"),
            lambda: self.writer.remove(b"/a"),
            lambda: self.writer.put(resource(b"/a", 1)),
        ):
            before = {path: self.reader.version_of(path) for path in (b"/a", b"/t")}
            entries = {path: self.reader.find(path) for path in before}
            for version in filter(None, before.values()):
                self.assertTrue(self.reader.is_unchanged(version))
            write()
            for path, version in before.items():
                if version is not None:
                    same = self.reader.find(path) == entries[path]
                    self.assertEqual(self.reader.is_unchanged(version), same, path)

    def test_a_worker_killed_while_reading_stops_reclaiming_until_it_is_reported(self) -> None:
        """The supervisor clears its epoch."""
        dead = Reader(self.segment, 1)
        dead.enter()
        for number in range(3):
            self.writer.put(resource(b"/a", number))
        self.assertEqual(self.writer.reclaim(), 0)
        self.writer.worker_gone(1)
        self.assertGreater(self.writer.reclaim(), 0)

    def test_a_full_arena_spills_bodies(self) -> None:
        """The entry still confirms; its body is in a file."""
        spilled: list[bytes] = []
        for number in range(40):
            self.assertTrue(
                self.writer.put(
                    resource(b"/%d" % number, number, size=4000), lambda one: spilled.append(one.etag)
                )
            )
        self.assertTrue(spilled)
        entry = self.reader.find(b"/39")
        assert entry is not None
        self.assertEqual((entry.in_memory, entry.body), (False, None))
        self.assertIn(entry.etag, spilled)
        self.assertTrue(self.reader.is_current(b"/39", entry.etag))

    def test_a_full_table_is_not_complete(self) -> None:
        """What does not fit is absent, never wrong, and readers know that absence proves nothing."""
        self.writer.set_complete(True)
        results = [self.writer.put(resource(b"/%d" % number, number, size=1)) for number in range(200)]
        self.assertIn(False, results)
        self.assertFalse(self.segment.complete)
        for number, fits in enumerate(results):
            self.assertEqual(version_of(self.reader, b"/%d" % number), number if fits else None)

    def test_a_slot_left_odd_is_a_miss_and_recovered(self) -> None:
        """The writer died inside: readers go the slow way, the next writer clears it."""
        self.writer.put(resource(b"/a", 1, (0, 2)))
        self.writer.put(resource(b"/b", 2))
        self._poke(self._index(b"/a", 2), 0, 7)
        self.assertEqual((version_of(self.reader, b"/a"), version_of(self.reader, b"/a", 2)), (1, None))
        successor = Writer(self.segment)
        self.assertEqual(successor.recover(), 1)
        self.assertEqual((version_of(self.reader, b"/b"), version_of(self.reader, b"/a", 2)), (2, None))
        self.assertFalse(self.segment.complete)
        successor.put(resource(b"/a", 3, (0, 2)))
        self.assertEqual(version_of(self.reader, b"/a", 2), 3)

    def test_recovery_believes_nothing(self) -> None:
        """Offsets outside the arena and blocks that overlap cost their entries."""
        for number, path in enumerate((b"/a", b"/b", b"/c")):
            self.writer.put(resource(path, number))
        slots, memory = self.segment.slots_offset, self.segment.memory
        of_b = SLOT.unpack_from(memory, slots + self._index(b"/b") * SLOT_BYTES)
        self._poke(self._index(b"/a"), 56, 0xFFFFFFF)
        self._poke(self._index(b"/c"), 40, of_b[6])
        self.assertEqual(Writer(self.segment).recover(), 2)
        self.assertIsNone(self.reader.find(b"/a"))

    def test_deleted_slots_do_not_pile_up(self) -> None:
        """Publishing and purging for ever leaves the table empty, so misses stay cheap."""
        for number in range(2000):
            self.writer.put(resource(b"/%d" % number, number, size=1))
            self.writer.remove(b"/%d" % number)
        states = [
            SLOT.unpack_from(self.segment.memory, self.segment.slots_offset + index * SLOT_BYTES)[1]
            for index in range(self.segment.slot_count)
        ]
        self.assertNotIn(SLOT_LIVE, states)
        self.assertLess(states.count(SLOT_DELETED), len(states) // 4)
        self.writer.reclaim()
        self.assertEqual(self.writer.statistics()["arena_free_bytes"], 1 << 16)

    def test_questions_for_what_is_not_there_stay_cheap_however_much_has_come_and_gone(self) -> None:
        """A full table whose entries are replaced by ever new ones; and everything that is there is found."""
        random = Random(1)
        segment = Segment.create(capacity=256, arena_bytes=1 << 18, workers=1)
        self.addCleanup(segment.close)
        writer, reader = Writer(segment), Reader(segment, 0)
        there: list[bytes] = []
        for number in range(8000):
            there.append(b"/%d" % number)
            assert writer.put(resource(there[-1], number, size=1))
            if len(there) > 240:
                writer.remove(there.pop(random.randrange(len(there))))
            if number % 500 == 0:
                writer.reclaim()
                self.assertEqual([path for path in there if reader.find(path) is None], [])
        slots, state = segment.slots_offset, bytearray()
        for index in range(segment.slot_count):
            state.append(segment.memory[slots + index * SLOT_BYTES + OFFSET_STATE])
        runs = (bytes(state) * 2).split(b"\0")
        self.assertLess(max(map(len, runs)), 100)
        self.assertLess(state.count(SLOT_DELETED), 100)

    def test_equal_lines_are_stored_once(self) -> None:
        """Head records are shared, and freed with their last user."""
        for number in range(20):
            self.writer.put(resource(b"/%d" % number, 7 * number, size=1))
        self.assertEqual(self.writer.statistics()["heads"], 1)
        for number in range(20):
            self.writer.remove(b"/%d" % number)
        self.assertEqual(self.writer.statistics()["heads"], 0)

    def test_the_sequence_counts_what_changes_the_site(self) -> None:
        """Publishes and purges, but not the node's own figures."""
        before = self.writer.sequence
        self.writer.put(resource(b"/load", 1), counts=False)
        self.writer.put_template(b"/template", b"", b"")
        self.writer.remove(b"/none")
        self.assertEqual(self.writer.sequence, before)
        self.writer.put(resource(b"/a", 1))
        self.writer.remove(b"/a")
        self.assertEqual(self.writer.sequence, before + 2)

    def test_a_template_is_found_as_one(self) -> None:
        """And can be replaced all day long without using the arena up."""
        for number in range(5000):
            self.assertTrue(self.writer.put_template(b"/.edge/revalidate", b"X: %d\r\n" % number, b""))
            self.writer.reclaim()
        entry = self.reader.find(b"/.edge/revalidate")
        assert entry is not None
        self.assertEqual((entry.template, entry.lines_200), (True, b"X: 4999\r\n"))
        self.assertFalse(self.reader.is_current(b"/.edge/revalidate", entry.etag))

    def test_python_stores_do_the_same(self) -> None:
        """Where there is no native build."""
        self.patch(writer_module, "stores_of", PythonStores)
        python = Writer(self.segment)
        for number in range(20):
            python.put(resource(b"/p", number, (0, 1)))
        self.assertEqual(version_of(self.reader, b"/p", 1), 19)


class NativeReaderTests(SynchronousTestCase):
    """The native reader finds the same entries in the same bytes."""

    def test_it_agrees_with_the_python_reader(self) -> None:
        """For every path and variant, present or not."""
        from edge.fastpath.native import ffi, lib, open_table

        segment = Segment.create(capacity=200, arena_bytes=1 << 18, workers=2)
        self.addCleanup(segment.close)
        writer, reader = Writer(segment), Reader(segment, 0)
        for number in range(100):
            writer.put(resource(b"/%d" % number, number, (0, 2) if number % 3 else (0,), size=number))
        for number in range(0, 100, 5):
            writer.remove(b"/%d" % number)
        table, entry, is_file = open_table(segment, 1), ffi.new("edge_entry *"), ffi.new("bool *")
        lib.edge_table_enter(table)
        for number in range(110):
            path: bytes = b"/%d" % number
            key = lib.edge_hash(ffi.addressof(table, "hash"), path, len(path))
            for variant in (0, 1, 2):
                found = lib.edge_table_find(table, key, variant, entry)
                expected = reader.find(path, variant)
                self.assertEqual(bool(found), expected is not None)
                if expected is not None:
                    self.assertEqual(self._plain(ffi, entry), expected[:7])
                    self.assertTrue(lib.edge_table_is_current(table, key, expected.etag, 16, is_file))
        lib.edge_table_leave(table)

    @staticmethod
    def _plain(ffi: Any, entry: Any) -> tuple[int, int, bytes, int, int, bytes, bytes]:
        return (
            entry.variant,
            entry.variants,
            bytes(ffi.buffer(entry.etag, 16)),
            entry.modified,
            entry.length,
            bytes(ffi.buffer(entry.lines_200, entry.length_200)),
            bytes(ffi.buffer(entry.lines_304, entry.length_304)),
        )
