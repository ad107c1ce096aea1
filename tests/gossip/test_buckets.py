"""Bucket hashes: equal for equal tables, in whatever order they came about."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.buckets import Buckets, bucket_of, entry_hash
from edge.gossip.changes import BUCKETS

_entries = st.sets(st.tuples(st.binary(min_size=1, max_size=4), st.integers(0, 3), st.sampled_from("abc")))


def of(entries: list[tuple[bytes, int, str]]) -> Buckets:
    buckets = Buckets()
    for entry in entries:
        buckets.toggle(*entry)
    return buckets


class BucketsTests(SynchronousTestCase):
    """Of one table, and of two that are compared."""

    def test_a_path_is_always_in_the_same_bucket(self) -> None:
        """Of all nodes, whatever their build of Python: it is on the wire."""
        self.assertEqual(bucket_of(b"/"), crc32(b"/") % 4096)
        self.assertEqual(entry_hash(b"/", 1, "a"), 0xC800DCF1BC7AA94)

    def test_path_clock_and_origin_each_make_another_hash(self) -> None:
        hashes = {
            entry_hash(*one) for one in ((b"/", 1, "a"), (b"/x", 1, "a"), (b"/", 2, "a"), (b"/", 1, "b"))
        }
        self.assertEqual(len(hashes), 4)

    @given(_entries, st.randoms())
    def test_the_order_does_not_matter(self, entries: set[tuple[bytes, int, str]], random: object) -> None:
        shuffled = list(entries)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        self.assertEqual(of(list(entries)).to_bytes(), of(shuffled).to_bytes())
        self.assertEqual(of(list(entries)).root, of(shuffled).root)

    def test_an_entry_that_came_and_went_leaves_nothing(self) -> None:
        buckets = of([(b"/a", 1, "a"), (b"/b", 2, "a"), (b"/a", 1, "a")])
        self.assertEqual(buckets.to_bytes(), of([(b"/b", 2, "a")]).to_bytes())

    @given(_entries, _entries)
    def test_exactly_the_buckets_of_what_differs_differ(
        self, here: set[tuple[bytes, int, str]], there: set[tuple[bytes, int, str]]
    ) -> None:
        mine, theirs = of(list(here)), of(list(there))
        expected = sorted({bucket_of(path) for path, _, _ in here ^ there})
        self.assertEqual(list(mine.differing(theirs.to_bytes())), expected)
        self.assertEqual(mine.root == theirs.root, here == there)

    def test_the_root_fits_a_signed_number_and_the_hashes_a_message(self) -> None:
        for clock in range(50):
            self.assertLess(of([(b"/", clock, "a")]).root, 1 << 63)
        self.assertEqual(len(Buckets().to_bytes()), 8 * BUCKETS)
