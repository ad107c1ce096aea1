"""Spans as records, and the ring that they are written into."""

from __future__ import annotations

import mmap
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.logs.ring import HEADER_BYTES, make_ring
from edge.traces.ring import SpanRing
from edge.traces.span import MOST, Span, pack, unpack

TEXTS = st.text(max_size=60)
SPANS = st.builds(
    lambda start, length, **rest: Span(start=start, end=start + length, **rest),
    start=st.integers(0, 1 << 61),
    length=st.integers(0, 1 << 60),
    trace_id=st.binary(min_size=16, max_size=16).filter(any),
    span_id=st.binary(min_size=8, max_size=8).filter(any),
    parent_id=st.just(b"") | st.binary(min_size=8, max_size=8),
    parent_is_remote=st.booleans(),
    state=TEXTS,
    kind=st.sampled_from([0, 1]),
    name=TEXTS,
    attributes=st.dictionaries(TEXTS, TEXTS | st.integers(-(1 << 53), 1 << 53), max_size=5),
    is_error=st.booleans(),
)


def span(name: str = "GET", **changes: Any) -> Span:
    values: dict[str, Any] = {
        "trace_id": b"t" * 16, "span_id": b"s" * 8, "parent_id": b"", "parent_is_remote": False, "state": "",
        "kind": 0, "name": name, "start": 1, "end": 2, "attributes": {},
    }  # fmt: skip
    return Span(**{**values, **changes})


def ring(size: int = 1 << 16) -> SpanRing:
    memory = mmap.mmap(-1, HEADER_BYTES + size)
    make_ring(memory)
    return SpanRing(memory)


class RecordTests(SynchronousTestCase):
    """Records of spans."""

    @given(SPANS)
    def test_a_span_is_read_as_it_was_written(self, one: Span) -> None:
        packed = pack(one)
        self.assertEqual((unpack(packed), len(packed) % 8), (one, 0))

    @given(st.binary(max_size=200) | SPANS.map(pack), st.integers(0, 199), st.binary(max_size=8))
    def test_whatever_somebody_writes_there_makes_a_span_or_none(
        self, data: bytes, at: int, other: bytes
    ) -> None:
        found = unpack(data[:at] + other + data[at + len(other) :])
        if found is not None:
            self.assertEqual(unpack(pack(found)), found)

    def test_a_span_that_is_too_long_is_a_mistake_of_ours(self) -> None:
        with self.assertRaises(ValueError):
            pack(span(attributes={str(number): "x" * 1000 for number in range(9)}))

    def test_what_is_no_span_is_told_from_one(self) -> None:
        for wrong in (
            {"trace_id": bytes(16)}, {"span_id": bytes(8)}, {"trace_id": b"t"}, {"parent_id": b"p"},
            {"kind": 7}, {"start": 3}, {"end": -1}, {"name": "n" * 2000},
            {"attributes": {str(number): number for number in range(99)}},
        ):  # fmt: skip
            self.assertIsNone(unpack(pack(span(**wrong))), wrong)


class RingTests(SynchronousTestCase):
    """:class:`edge.traces.ring.SpanRing`."""

    def test_what_is_written_is_read_in_order_round_the_end(self) -> None:
        one = ring(1 << 10)
        for number in range(100):
            one.write_span(span(f"GET {number}"))
            found = one.read_span()
            assert found is not None
            self.assertEqual(found.name, f"GET {number}")
        self.assertIsNone(one.read_span())
        self.assertEqual((one.written, one.dropped), (100, 0))

    def test_what_has_no_room_is_dropped_and_counted(self) -> None:
        one = ring(1 << 10)
        for _ in range(100):
            one.write_span(span())
        read = 0
        while one.read_span() is not None:
            read += 1
        self.assertGreater(read, 5)
        self.assertEqual((one.written, one.dropped), (read, 100 - read))

    def test_what_a_worker_that_was_taken_over_writes_is_skipped_and_counted_as_lost(self) -> None:
        one = ring()
        one.write_span(span("first"))
        one.put((24).to_bytes(4, "little") + (16).to_bytes(4, "little") + b"\xc1" * 16)
        one.write_span(span("second"))
        names = [found.name for found in iter(one.read_span, None)]
        self.assertEqual((names, one.damaged, one.lost), (["first", "second"], 1, 1))

    def test_what_an_exporter_that_was_killed_had_in_hand_is_lost(self) -> None:
        one = ring()
        for _ in range(10):
            one.write_span(span())
        for _ in range(7):
            one.read_span()
        one.give(3)
        one.lose(1)
        after = SpanRing(one.memory)
        after.take_over()
        self.assertEqual((after.exported, after.lost), (3, 4))
        after.take_over()
        self.assertEqual(after.lost, 4)
        self.assertEqual(len(list(iter(after.read_span, None))), 3)

    def test_the_longest_record_has_room(self) -> None:
        one = ring(1 << 14)
        most = span(attributes={str(number): "x" * 1000 for number in range(8)})
        self.assertGreater(len(pack(most)), MOST - 300)
        one.write_span(most)
        self.assertEqual(one.read_span(), most)

    def test_whatever_a_worker_has_written_into_the_readers_words_reading_goes_on(self) -> None:
        """Up to the greatest numbers there are."""
        one = ring()
        words = memoryview(one.memory).cast("Q")
        for at in range(16, 22):
            words[at] = (1 << 64) - 1
        one.take_over()
        words[8] = words[16]  # nothing is there, as far as that tells
        for number in range(3):
            one.write_span(span(str(number)))
        read = [one.read_span() for _ in range(4)]
        self.assertEqual(read, [span(str(number)) for number in range(3)] + [None])
        one.give(2)
        one.lose(1)
        words.release()
