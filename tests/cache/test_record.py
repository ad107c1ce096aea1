from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.marks import Marks
from edge.cache.record import HEAD_BYTES, AnswerRecord, size_of, unpack

RECORDS = st.builds(
    AnswerRecord,
    name=st.binary(max_size=40), status=st.integers(100, 599), date=st.integers(0, 2**32 - 1),
    fresh=st.integers(0, 2**32 - 1),
    stale_while_revalidate=st.integers(0, 2**32 - 1), stale_if_error=st.integers(0, 2**32 - 1),
    etag=st.binary(max_size=20), modified=st.binary(max_size=29), groups=st.binary(max_size=40),
    born=st.integers(0, 2**32 - 1), asked=st.integers(0, 2**32 - 1),
)  # fmt: skip


class RecordTests(SynchronousTestCase):
    def test_it_is_drawn_byte_by_byte(self) -> None:
        packed = AnswerRecord(b"/a?x=1", 200, 0x65000000, 3, 1, 2, b'"v"', b"", b'"g"', 4, 5).pack()
        drawn = "00000065 c800 3000 03000000 01000000 02000000 0600 0300 0000 0300 04000000 05000000"
        self.assertEqual(packed, bytes.fromhex(drawn) + b'/a?x=1"v""g"')

    @given(RECORDS, st.binary(max_size=8))
    def test_what_is_packed_comes_back(self, record: AnswerRecord, behind: bytes) -> None:
        packed = record.pack()
        self.assertEqual(unpack(packed + behind), record)
        self.assertEqual(size_of(packed[:HEAD_BYTES]), len(packed))
        self.assertIsNone(unpack(packed[:-1]))

    @given(st.binary(max_size=64))
    def test_bytes_that_are_none_are_never_followed(self, data: bytes) -> None:
        found = unpack(data)
        self.assertTrue(found is None or data.startswith(found.pack()))

    def test_what_is_too_long_is_refused(self) -> None:
        for parts in ({"etag": b"x" * 513}, {"modified": b"x" * 65}, {"groups": b"x" * 8193}):
            with self.assertRaises(ValueError):
                AnswerRecord(b"/", 200, 0, **parts).pack()  # type: ignore[arg-type]


class MarkTests(SynchronousTestCase):
    def test_a_mark_ends_with_its_time(self) -> None:
        marks = Marks(60.0)
        marks.add(b"/", 0.0)
        self.assertEqual([marks.has(b"/", at) for at in (0.0, 59.9, 60.0, 0.0)], [True, True, False, False])

    def test_a_stranger_who_asks_for_new_addresses_costs_no_memory(self) -> None:
        marks = Marks(60.0, capacity=10)
        for number in range(1000):
            marks.add(b"/%d" % number, 0.0)
        self.assertEqual(len(marks), 10)
        self.assertTrue(marks.has(b"/999", 1.0))
