from __future__ import annotations

import gzip

import brotlicffi
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.publish.coding import Qualities, decodes_to, encode, is_worth_it
from edge.resource import Coding
from tests.publish.site import PROSE, noise

CODINGS = (Coding.GZIP, Coding.BR, Coding.ZSTD)
DECODERS = {
    Coding.GZIP: gzip.decompress,
    Coding.BR: brotlicffi.decompress,
    Coding.ZSTD: zstandard.ZstdDecompressor().decompress,
}


class Encoding(SynchronousTestCase):
    @given(st.binary(max_size=2000), st.sampled_from(CODINGS), st.integers(1, 5))
    def test_what_is_coded_decodes_to_the_same_bytes(self, body: bytes, coding: Coding, quality: int) -> None:
        coded = encode(body, coding, quality)
        self.assertEqual(DECODERS[coding](coded), body)
        self.assertTrue(decodes_to(coded, coding, body))

    def test_gzip_holds_neither_a_time_nor_a_name(self) -> None:
        self.assertEqual(encode(PROSE, Coding.GZIP, 9)[3:8], b"\0" * 5)  # RFC 1952: FLG, MTIME

    def test_coding_the_same_twice_gives_the_same_bytes(self) -> None:
        for coding in CODINGS:
            self.assertEqual(encode(PROSE, coding, 5), encode(PROSE, coding, 5))

    def test_each_coding_has_its_own_quality(self) -> None:
        qualities = Qualities(brotli=3, gzip=7, zstd=12)
        self.assertEqual([qualities.of(coding) for coding in CODINGS], [7, 3, 12])
        self.assertEqual([qualities.quick(coding) for coding in CODINGS], [7, 3, 6])

    def test_zstandard_can_be_left_out(self) -> None:
        self.assertEqual(Qualities().codings(), CODINGS)
        self.assertEqual(Qualities(zstd=0).codings(), CODINGS[:2])

    def test_no_level_of_zstandard_wants_a_larger_window_than_clients_have(self) -> None:
        """RFC 9659: 8 MiB; level 22 would take 128 MiB for as long a body."""
        for level in (1, 19, 22):
            frame = encode(bytes(1 << 24), Coding.ZSTD, level)
            self.assertLessEqual(zstandard.get_frame_parameters(frame).window_size, 8 << 20)
            self.assertTrue(decodes_to(frame, Coding.ZSTD, bytes(1 << 24)))

    def test_a_sibling_of_zstandard_may_have_come_from_a_stream(self) -> None:
        """Whose frame does not say its length; but one with a larger window is of no use to clients."""
        stream = zstandard.ZstdCompressor(level=3).compressobj()
        self.assertTrue(decodes_to(stream.compress(PROSE) + stream.flush(), Coding.ZSTD, PROSE))
        long = zstandard.ZstdCompressionParameters.from_level(3, window_log=24)
        wide = zstandard.ZstdCompressor(compression_params=long).compressobj()
        self.assertFalse(decodes_to(wide.compress(PROSE) + wide.flush(), Coding.ZSTD, PROSE))

    def test_less_than_a_twentieth_saved_is_not_worth_it(self) -> None:
        self.assertTrue(is_worth_it(1000, 950))
        self.assertFalse(is_worth_it(1000, 951))


class Checking(SynchronousTestCase):
    def test_damaged_truncated_and_other_contents_are_told_apart(self) -> None:
        for coding in CODINGS:
            coded = encode(PROSE, coding, 5)
            self.assertTrue(decodes_to(coded, coding, PROSE))
            self.assertFalse(decodes_to(coded, coding, PROSE + b"!"))
            self.assertFalse(decodes_to(coded, coding, PROSE[:-1]))
            self.assertFalse(decodes_to(coded, coding, b""))
            self.assertFalse(decodes_to(coded[:-1], coding, PROSE))
            self.assertFalse(decodes_to(coded + b"x", coding, PROSE))
            self.assertFalse(decodes_to(b"", coding, PROSE))
            self.assertFalse(decodes_to(noise(100), coding, PROSE))

    def test_a_bomb_is_not_unpacked(self) -> None:
        for coding in CODINGS:
            self.assertFalse(decodes_to(encode(bytes(1 << 22), coding, 1), coding, bytes(100)))

    def test_gzip_may_have_several_members(self) -> None:
        coded = gzip.compress(PROSE) + gzip.compress(b"") + gzip.compress(b"more")
        self.assertTrue(decodes_to(coded, Coding.GZIP, PROSE + b"more"))
        self.assertFalse(decodes_to(coded, Coding.GZIP, PROSE))

    @given(st.binary(max_size=300), st.sampled_from(CODINGS))
    def test_any_bytes_can_be_checked(self, coded: bytes, coding: Coding) -> None:
        self.assertIn(decodes_to(coded, coding, b"body"), (True, False))
