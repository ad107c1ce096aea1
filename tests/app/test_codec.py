"""MessagePack: the Python codec against msgspec, and what is no message."""

from __future__ import annotations

import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.app import codec, messagepack
from tests import processes

NUMBERS = st.one_of(
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.integers(-40, 300),
    st.sampled_from([1 << n for n in range(64)]),
)
TEXTS = st.one_of(st.binary(max_size=300), st.sampled_from([b"", b"x" * 255, b"x" * 256, b"x" * 65536]))
ITEMS = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    st.lists(TEXTS, max_size=40),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=20),
)
ARRAYS = st.lists(ITEMS, max_size=20)


class CodecTests(SynchronousTestCase):
    """Two codecs, one meaning."""

    def test_msgspec_is_taken_where_it_is_installed(self) -> None:
        self.assertTrue(codec.IS_FAST)

    def test_without_msgspec_python_does_it(self) -> None:
        code = """if True:
            import sys
            sys.modules["msgspec"] = None
            from edge.app import codec
            assert not codec.IS_FAST and codec.decode(codec.encode([1, b"x"])) == [1, b"x"]
        """
        self.assertEqual(processes.run([sys.executable, "-c", code], check=False).returncode, 0)

    @given(ARRAYS)
    @settings(deadline=None, max_examples=200)
    def test_both_write_the_same_bytes_and_read_what_they_wrote(self, array: list[object]) -> None:
        data = codec.encode(array)
        self.assertEqual(messagepack.encode(array), data)
        self.assertEqual(codec.decode(data), array)
        self.assertEqual(messagepack.decode(data), array)

    @given(ARRAYS, st.data())
    @settings(deadline=None, max_examples=400)
    def test_both_refuse_the_same_of_damaged_bytes(self, array: list[object], data: st.DataObject) -> None:
        damaged = bytearray(codec.encode(array))
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
        self.assertEqual(self.outcome(codec.decode, cut), self.outcome(messagepack.decode, cut), cut)

    @given(st.binary(max_size=64))
    @settings(deadline=None, max_examples=400)
    def test_both_refuse_the_same_of_any_bytes(self, data: bytes) -> None:
        self.assertEqual(self.outcome(codec.decode, data), self.outcome(messagepack.decode, data), data)

    def outcome(self, decode: object, data: bytes) -> object:
        try:
            return decode(data)  # type: ignore[operator]
        except ValueError:
            return ValueError

    def test_what_no_message_holds_cannot_be_written(self) -> None:
        for value in (1.5, "text", {}, 1 << 64, -(1 << 63) - 1):
            self.assertRaises(TypeError, messagepack.encode, [value])

    def test_a_promise_of_many_items_costs_nothing(self) -> None:
        for data in (
            b"\xdd\xff\xff\xff\xff",
            b"\xdd\x00\x01\x86\xa0" * 900 + b"\xc0" * 200_000,
            b"\x91" * 200_000,
        ):
            for decode in (codec.decode, messagepack.decode):
                self.assertRaises(ValueError, decode, data)
