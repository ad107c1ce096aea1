"""Content codings, undone: whole bodies, damaged ones, and those that stand for far more than they are."""

from __future__ import annotations

import gzip
import itertools
import random
import zlib

import brotlicffi
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.client.content_coding import CODINGS, decoded

TEXT = bytes(random.Random(1).choices(b"abcdef ", k=5000))
LONG = random.Random(2).randbytes(100_000)
MOST = 1 << 20
#: A Zstandard frame that is to be skipped.
SKIPPED = b"\x5f\x2a\x4d\x18\4\0\0\0note"


def coded(text: bytes) -> dict[str, bytes]:
    """*text* in every coding."""
    return {
        "gzip": gzip.compress(text), "deflate": zlib.compress(text), "br": brotlicffi.compress(text),
        "zstd": zstandard.compress(text),
    }  # fmt: skip


class DecodedTests(SynchronousTestCase):
    """By :func:`decoded`."""

    def test_every_coding_gives_the_text_or_as_much_of_it_as_is_wanted(self) -> None:
        self.assertEqual(coded(TEXT).keys(), CODINGS.keys())
        for name, body in {"": TEXT, **coded(TEXT)}.items():
            for most in (1, 100, len(TEXT), MOST):
                self.assertEqual(decoded(body, name, most), TEXT[:most], (name, most))
            self.assertEqual(decoded(b"", name, MOST), b"")

    def test_what_ends_too_early_or_is_something_else_is_damaged(self) -> None:
        for name, body in coded(TEXT).items():
            for cut in (1, 2, 10, len(body) // 2, len(body) - 1):
                self.assertIsNone(decoded(body[:-cut], name, MOST), (name, cut))
            self.assertIsNone(decoded(b"<!doctype html>" * 20, name, MOST), name)

    def test_streams_as_servers_send_them(self) -> None:
        """Raw deflate, several gzip members, padding behind one, Zstandard without a length."""
        raw = zlib.compressobj(wbits=-15)
        flushed = zstandard.ZstdCompressor().compressobj()
        for name, body, text in (
            ("deflate", raw.compress(TEXT) + raw.flush(), TEXT),
            ("gzip", gzip.compress(TEXT) + gzip.compress(b"more"), TEXT + b"more"),
            ("gzip", gzip.compress(TEXT) + bytes(20), TEXT),
            ("gzip", gzip.compress(TEXT) + b"<!-- cached -->", TEXT),
            ("br", brotlicffi.compress(TEXT) + b"<!-- cached -->", TEXT),
            ("br", brotlicffi.compress(LONG) + bytes(100), LONG),
            ("zstd", flushed.compress(TEXT) + flushed.flush(), TEXT),
        ):
            self.assertEqual(decoded(body, name, MOST), text, name)

    def test_zstandard_frames_fill_a_body_to_its_end(self) -> None:
        """Several, also with checksums, in blocks of bytes or of one that is repeated, or to be skipped."""
        more = zstandard.ZstdCompressor(write_checksum=True).compress(TEXT)
        frames = [zstandard.compress(TEXT), more, zstandard.compress(bytes(300_000)), SKIPPED]
        texts = [TEXT, TEXT, bytes(300_000), b""]
        for order in itertools.permutations(range(4)):
            body, text = (b"".join(parts[one] for one in order) for parts in (frames, texts))
            self.assertEqual(decoded(body, "zstd", MOST), text, order)
            for cut in (1, 2, 3, 4, 7, len(frames[order[-1]]) - 1):
                self.assertIsNone(decoded(body[:-cut], "zstd", MOST), (order, cut))
            for junk in (b"\0", b"x" * 3, b"<!-- cached -->", frames[0][:4], more[:-1], SKIPPED[:7]):
                self.assertIsNone(decoded(body + junk, "zstd", MOST), (order, junk))

    def test_blocks_without_end_are_not_followed_to_it(self) -> None:
        empty = zstandard.compress(b"")
        self.assertEqual(decoded(empty * 20_000, "zstd", MOST), b"")

    def test_little_that_stands_for_much_costs_what_is_wanted_of_it(self) -> None:
        for name, body in coded(bytes(32 << 20)).items():
            self.assertEqual(decoded(body, name, 1000), bytes(1000), name)

    def test_members_without_end_cost_the_first_ones(self) -> None:
        self.assertEqual(decoded(gzip.compress(b"x") * 100_000, "gzip", MOST), b"x" * 16)

    @settings(max_examples=200)
    @given(st.sampled_from(sorted(CODINGS)), st.binary(max_size=200), st.integers(0, 200))
    def test_whatever_comes_is_decoded_or_damaged(self, name: str, noise: bytes, at: int) -> None:
        body = coded(TEXT[:300])[name]
        for given_ in (noise, body[:at] + noise + body[at:]):
            made = decoded(given_, name, 1000)
            self.assertTrue(made is None or len(made) <= 1000)
