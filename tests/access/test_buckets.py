"""Token buckets: exact for each address, in C and in Python, and for all processes together."""

from __future__ import annotations

import mmap
import multiprocessing
import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.access.buckets import HEADER_BYTES, SET_BYTES, Buckets, PythonBuckets, make_buckets
from edge.fastpath.buckets import NativeBuckets
from edge.networks import NO_ADDRESS, mapped
from edge.node.process.bucket_memory import BucketMemory
from tests import processes

SECOND = 1_000_000
#: Some that are near each other.
ADDRESSES = [mapped(bytes((192, 0, 2, n))) for n in range(4)] + [
    bytes((0x20, 1, 0xD, 0xB8, 0, 0, 0, n // 2)) + bytes(7) + bytes((n,)) for n in range(4)
]


def memories(count: int, sets: int = 4) -> list[tuple[mmap.mmap, int]]:
    """The same buckets several times, with their descriptors."""
    made = []
    for _ in range(count):
        fd = os.memfd_create("buckets")
        os.ftruncate(fd, HEADER_BYTES + sets * SET_BYTES)
        made.append((mmap.mmap(fd, HEADER_BYTES + sets * SET_BYTES), fd))
        make_buckets(made[-1][0])
        made[-1][0][24:32] = made[0][0][24:32]
    return made


class BucketTests(SynchronousTestCase):
    """Both builds."""

    def setUp(self) -> None:
        self.made = memories(2)
        for _, fd in self.made:
            self.addCleanup(os.close, fd)
        self.both: list[Buckets] = [NativeBuckets(self.made[0][0]), PythonBuckets(*self.made[1])]

    def test_a_burst_and_then_the_rate(self) -> None:
        """Five at once, then one a second; who waits as long as he is told gets one."""
        for buckets in self.both:
            now = 1000 * SECOND
            takes = [buckets.take(1, ADDRESSES[0], now, SECOND, 5) for _ in range(7)]
            self.assertEqual(takes, [0] * 5 + [SECOND] * 2)
            now += SECOND // 2
            wait = buckets.take(1, ADDRESSES[0], now, SECOND, 5)
            self.assertEqual(wait, SECOND // 2)
            self.assertEqual(buckets.take(1, ADDRESSES[0], now + wait, SECOND, 5), 0)
            self.assertEqual(buckets.take(1, ADDRESSES[1], now, SECOND, 5), 0)
            self.assertEqual(buckets.take(2, ADDRESSES[0], now, SECOND, 5), 0)
            later = now + 3600 * SECOND
            self.assertEqual(
                [buckets.take(1, ADDRESSES[0], later, SECOND, 5) for _ in range(6)], [0] * 5 + [SECOND]
            )

    def test_what_is_given_back_can_be_taken(self) -> None:
        for buckets in self.both:
            for _ in range(100):
                self.assertEqual(buckets.take(1, ADDRESSES[0], SECOND, SECOND, 1), 0)
                buckets.give(1, ADDRESSES[0], SECOND)
            buckets.give(1, ADDRESSES[3], SECOND)  # which nobody took

    @given(
        st.integers(1, 128), st.binary(min_size=16, max_size=16), st.integers(0, 127), st.integers(0, 1 << 40)
    )
    @settings(max_examples=50)
    def test_so_many_bits_of_an_ipv6_address_are_one_customer(
        self, prefix: int, address: bytes, bit: int, seed: int
    ) -> None:
        """Whatever an operator has chosen; both builds take from the same cells."""
        address = b"\x20\x01" + address[2:]
        bit = max(bit, 16)
        other = (int.from_bytes(address, "big") ^ 1 << (127 - bit)).to_bytes(16, "big")
        cells = []
        for memory, fd in self.made:
            memory[HEADER_BYTES:] = bytes(len(memory) - HEADER_BYTES)
            make_buckets(memory, prefix)
            memory[24:32] = seed.to_bytes(8, "little")
            buckets = NativeBuckets(memory) if not cells else PythonBuckets(memory, fd)
            self.assertEqual(buckets.take(1, address, SECOND, SECOND, 1), 0)
            self.assertEqual(buckets.take(1, other, SECOND, SECOND, 1) > 0, bit >= prefix)
            cells.append(bytes(memory[HEADER_BYTES:]))
        self.assertEqual(*cells)

    def test_an_ipv6_network_is_one_customer(self) -> None:
        """Its /64 has one bucket; the next one another."""
        for buckets in self.both:
            takes = [buckets.take(1, ADDRESSES[n], SECOND, SECOND, 1) for n in (4, 5, 6, 7)]
            self.assertEqual([bool(wait) for wait in takes], [False, True, False, True])

    def test_who_has_no_address_has_no_limit(self) -> None:
        for buckets in self.both:
            self.assertEqual([buckets.take(1, NO_ADDRESS, SECOND, SECOND, 1) for _ in range(9)], [0] * 9)

    @settings(max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["take", "take", "take", "give"]),
                st.integers(0, 3),
                st.sampled_from(ADDRESSES),
                st.integers(0, 3 * SECOND),
            ),
            max_size=200,
        )
    )
    def test_both_builds_take_alike(self, steps: list[tuple[str, int, bytes, int]]) -> None:
        """Also when cells change hands."""
        for memory, _ in self.made:
            memory[HEADER_BYTES:] = bytes(len(memory) - HEADER_BYTES)
        now = 10 * SECOND
        for what, rule, address, passes in steps:
            now += passes
            if what == "take":
                waits = [buckets.take(rule, address, now, SECOND, 3) for buckets in self.both]
                self.assertEqual(waits[0], waits[1])
            else:
                for buckets in self.both:
                    buckets.give(rule, address, SECOND)
        self.assertEqual(*(bytes(memory[:]) for memory, _ in self.made))

    def test_many_addresses_gain_no_more_than_their_own(self) -> None:
        """More than there are cells: each still has no more than its burst at once, if it comes at once."""
        for buckets in self.both:
            taken = 0
            for n in range(1000):
                address = mapped(n.to_bytes(4, "big"))
                taken += sum(not buckets.take(1, address, SECOND, SECOND, 2) for _ in range(5))
            self.assertLessEqual(taken, 2000)

    def test_ten_processes_share_a_bucket(self) -> None:
        """Together they get what one would: exactly, in C and under the locks of Python."""
        for kind in ("native", "python"):
            memory = BucketMemory.create()
            context = multiprocessing.get_context("fork")
            results = context.Queue()
            takers = [
                context.Process(target=_take, args=(kind, memory.memory, memory.fd, results))
                for _ in range(10)
            ]
            for process in takers:
                process.start()
            taken = [results.get(timeout=60) for _ in takers]
            processes.join(*takers)
            self.assertEqual(sum(taken), 500, (kind, taken))
            memory.close()


def _take(kind: str, memory: mmap.mmap, fd: int, results: multiprocessing.Queue[int]) -> None:
    buckets: Buckets = NativeBuckets(memory) if kind == "native" else PythonBuckets(memory, fd)
    results.put(sum(not buckets.take(1, ADDRESSES[0], SECOND, SECOND, 500) for _ in range(2000)))
