"""Records and the ring: what is written is read, whatever is in it, and what is no record is skipped."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import edge.fastpath
from edge.logs import record as records
from edge.logs import ring as rings
from edge.logs.record import MOST, TEXTS, Record, pack, unpack
from edge.logs.ring import HEADER_BYTES, Ring
from tests.logs.records import RECORD, RECORDS, ring_memory

SOURCES = Path(edge.fastpath.__file__).parent / "src"


def cut(record: Record) -> Record:
    """*record* as it comes out of a ring."""
    long = tuple(name for name, limit in TEXTS.items() if len(getattr(record, name)) > limit)
    return record._replace(cut=long, **{name: getattr(record, name)[: TEXTS[name]] for name in long})


class RecordTests(SynchronousTestCase):
    """The bytes of a record."""

    @given(RECORDS)
    def test_what_is_packed_is_unpacked(self, record: Record) -> None:
        """With what is too long cut, and marked."""
        packed = pack(record)
        self.assertLessEqual(len(packed), MOST + 8)
        self.assertEqual(len(packed) % 8, 0)
        self.assertEqual(unpack(packed), cut(record))

    @given(st.binary(max_size=200), RECORDS, st.integers(0, 63), st.integers(0, 255))
    def test_whatever_is_unpacked_is_a_record_or_none(
        self, noise: bytes, record: Record, at: int, byte: int
    ) -> None:
        """No error: who writes a ring may be anybody."""
        unpack(noise)
        damaged = bytearray(pack(record))
        damaged[at] = byte
        unpack(bytes(damaged))

    def test_numbers_are_the_same_in_c(self) -> None:
        header = (SOURCES / "edge_log.h").read_text()
        limits = re.search(r"EDGE_LOG_LIMITS \{([\d, ]+)\}", header)
        assert limits is not None
        self.assertEqual([int(one) for one in limits[1].split(",")], list(TEXTS.values()))
        for name, value in (
            ("MOST", MOST),
            ("RECORD", records.HEAD_BYTES),
            ("HEADER", HEADER_BYTES),
            ("VERSION", rings.VERSION),
            ("HIT", records.CACHE.index("hit")),
        ):
            self.assertIn(f"#define EDGE_LOG_{name} {value}", header)
        names = re.search(r"cache_names\[\] = \{([^}]*)\}", (SOURCES / "edge_lines.c").read_text())
        assert names is not None
        self.assertEqual(tuple(re.findall(r'"([^"]*)"', names[1])), records.CACHE)


class RingTests(SynchronousTestCase):
    """A small ring, so that it is full and goes round."""

    def setUp(self) -> None:
        self.memory = ring_memory(8192)
        self.writer, self.reader = Ring(self.memory), Ring(self.memory)

    def read(self) -> list[Record | None]:
        """All there is."""
        read = []
        while (packed := self.reader.read()) is not None:
            read.append(unpack(packed))
        return read

    @settings(max_examples=50)
    @given(st.lists(st.lists(RECORDS, max_size=40), max_size=6))
    def test_what_is_written_is_read_in_order_or_counted(self, rounds: list[list[Record]]) -> None:
        """Round the end of the ring as often as it takes; a full one drops what comes."""
        self.setUp()
        for written in rounds:
            before = self.writer.dropped
            for record in written:
                self.writer.write(record)
            read = self.read()
            self.assertEqual(len(read) + self.writer.dropped - before, len(written))
            left = iter(map(cut, written))
            self.assertTrue(all(any(one == other for other in left) for one in read))
        self.assertEqual(self.reader.damaged, 0)
        self.assertEqual(self.writer.written + self.writer.dropped, sum(map(len, rounds)))

    def test_a_writer_that_dies_in_the_middle_of_a_record_leaves_nothing(self) -> None:
        """The next one goes on there: the head has not moved."""
        self.writer.write(RECORD)
        head = int.from_bytes(self.memory[64:72], "little")
        self.memory[HEADER_BYTES + head : HEADER_BYTES + head + 100] = b"\xff" * 100
        self.assertEqual(self.read(), [RECORD])
        Ring(self.memory).write(RECORD._replace(target=b"/next"))
        self.assertEqual(self.read(), [RECORD._replace(target=b"/next")])
        self.assertEqual(self.reader.damaged, 0)

    @given(st.integers(0, 2**64 - 1), st.binary(max_size=300))
    def test_whatever_is_in_a_ring_its_reader_ends(self, head: int, noise: bytes) -> None:
        """And reads what comes after it."""
        self.setUp()
        self.memory[HEADER_BYTES : HEADER_BYTES + len(noise)] = noise
        self.memory[64:72] = head.to_bytes(8, "little")
        self.assertLessEqual(len(self.read()), 8192 // 64)
        self.memory[64:72] = self.memory[128:136] = bytes(8)
        self.writer.write(RECORD)
        self.assertEqual(self.read(), [RECORD])

    def test_a_reader_that_sleeps_is_woken_once(self) -> None:
        self.assertFalse(self.writer.write(RECORD))
        self.assertFalse(self.reader.sleeps(True))  # it may not: something is there
        self.read()
        self.assertTrue(self.reader.sleeps(True))
        self.assertTrue(self.writer.write(RECORD))
        self.reader.sleeps(False)
        self.assertFalse(self.writer.write(RECORD))
