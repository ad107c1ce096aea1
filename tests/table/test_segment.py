"""Segments: made, attached, refused."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import SegmentError
from edge.table.counters import COUNTER_COUNT, COUNTERS, INDEX
from edge.table.layout import HEADER_BYTES
from edge.table.segment import CounterBlock, Segment


class SegmentTests(SynchronousTestCase):
    """The life of a segment."""

    def test_what_one_process_makes_another_attaches(self) -> None:
        """Over a duplicate of the descriptor, as a child inherits it."""
        made = Segment.create(capacity=100, arena_bytes=8192, workers=3)
        self.addCleanup(made.close)
        attached = Segment.attach(os.dup(made.fd))
        self.addCleanup(attached.close)
        self.assertEqual(attached.slot_count, 256)
        self.assertEqual((attached.worker_count, attached.arena_bytes), (3, 8192))
        self.assertEqual(attached.hash_key, made.hash_key)
        self.assertEqual(
            (attached.epoch, attached.sequence, attached.complete, attached.entries), (1, 0, False, 0)
        )

    def test_a_memfd_cannot_be_resized(self) -> None:
        """So that no mapping of it can ever fault."""
        made = Segment.create(capacity=10, arena_bytes=4096)
        self.addCleanup(made.close)
        for size in (4096, made.segment_bytes + 4096):
            with self.assertRaises(PermissionError):
                os.ftruncate(made.fd, size)

    def test_default_capacity_costs_at_most_160_bytes_an_entry(self) -> None:
        """Besides bodies and heads."""
        made = Segment.create()
        self.addCleanup(made.close)
        self.assertLessEqual(made.arena_offset / 2**20, 160)

    def test_impossible_numbers_are_refused(self) -> None:
        """With what would be possible."""
        for arguments in ({"capacity": 0}, {"workers": 65}, {"arena_bytes": 1}, {"capacity": 2**40}):
            with self.assertRaisesRegex(SegmentError, "at most"):
                Segment.create(**arguments)

    def _broken(self, change: tuple[int, bytes] | None = None, size: int | None = None) -> int:
        file = tempfile.TemporaryFile()  # noqa: SIM115
        self.addCleanup(file.close)
        made = Segment.create(capacity=10, arena_bytes=4096, fd=os.dup(file.fileno()))
        if change is not None:
            made.memory[change[0] : change[0] + len(change[1])] = change[1]
        made.memory.flush()
        made.close()
        if size is not None:
            os.ftruncate(file.fileno(), size)
        return os.dup(file.fileno())

    def test_what_is_no_table_is_refused_with_the_reason(self) -> None:
        """Magic bytes, version, truncation, contradictions."""
        cases = (
            ({"change": (0, b"X")}, "magic"),
            ({"change": (8, b"\x01")}, "layout version 1, this program reads 5"),
            ({"size": 100}, "truncated: 100 bytes"),
            ({"size": HEADER_BYTES}, "truncated: 4096 of"),
            ({"change": (32, b"\x03")}, "contradict"),
            ({"change": (24, b"\x01")}, "contradict"),
            ({"change": (48, b"\xff" * 4)}, "contradict"),
            ({"change": (56, b"\xff")}, "contradict"),
            ({"change": (61, b"\x10")}, "contradict"),
        )
        for arguments, reason in cases:
            fd = self._broken(**arguments)  # type: ignore[arg-type]
            self.addCleanup(os.close, fd)
            with self.assertRaisesRegex(SegmentError, reason):
                Segment.attach(fd)

    def test_counters_are_summed_over_workers(self) -> None:
        """Lag is the worst, not the sum."""
        made = Segment.create(capacity=10, arena_bytes=4096, workers=2)
        self.addCleanup(made.close)
        for index in range(2):
            block = CounterBlock(made, index)
            block.add(INDEX["requests"], 2)
            block.set(INDEX["lag_us"], 10 * index)
            self.assertEqual(block.read()["requests"], 2)
        totals = made.totals()
        self.assertEqual((totals["requests"], totals["lag_us"], totals["accepts"]), (4, 10, 0))
        self.assertLessEqual(len(COUNTERS), COUNTER_COUNT)
        with self.assertRaisesRegex(SegmentError, "no block for worker 2"):
            CounterBlock(made, 2)

    def test_a_worker_can_write_its_own_block_and_nothing_else(self) -> None:
        """Neither by its mapping, nor by another, nor by the descriptor, nor by opening it anew."""
        made = Segment.create(capacity=10, arena_bytes=4096, workers=2)
        self.addCleanup(made.close)
        attached = Segment.attach(os.dup(made.fd), {1: os.dup(made.block(1).fd)})
        self.addCleanup(attached.close)
        with self.assertRaises(TypeError):
            attached.memory[128] = 1
        with self.assertRaises(PermissionError):
            mmap.mmap(attached.fd, attached.segment_bytes)
        with self.assertRaises(PermissionError):
            os.pwrite(attached.fd, b"x", 128)
        again = os.open(f"/proc/self/fd/{attached.fd}", os.O_RDWR)
        self.addCleanup(os.close, again)
        with self.assertRaises(PermissionError):
            mmap.mmap(again, attached.segment_bytes)
        with self.assertRaisesRegex(SegmentError, "no block for worker 0 of 2"):
            attached.block(0)
        CounterBlock(attached, 1).add(INDEX["requests"], 3)
        self.assertEqual(CounterBlock(made, 1).read()["requests"], 3)
        self.assertEqual(CounterBlock(made, 0).read()["requests"], 0)

    def test_a_read_only_mapping_cannot_be_made_writable(self) -> None:
        """``mprotect`` is refused, too."""
        made = Segment.create(capacity=10, arena_bytes=4096)
        self.addCleanup(made.close)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, made.fd, 0)
        self.assertEqual(libc.mprotect(at, 4096, mmap.PROT_READ | mmap.PROT_WRITE), -1)
        self.assertEqual(ctypes.get_errno(), errno.EACCES)

    def test_a_block_cannot_be_made_shorter(self) -> None:
        """The supervisor reads it: a page that is gone would end it."""
        made = Segment.create(capacity=10, arena_bytes=4096)
        self.addCleanup(made.close)
        with self.assertRaises(PermissionError):
            os.ftruncate(made.block(0).fd, 0)

    def test_what_is_no_block_is_refused(self) -> None:
        """By its size."""
        made = Segment.create(capacity=10, arena_bytes=4096)
        self.addCleanup(made.close)
        fd = os.dup(made.fd)
        self.addCleanup(os.close, fd)
        with self.assertRaisesRegex(SegmentError, "bytes, not 8192"):
            Segment.attach(os.dup(made.fd), {0: fd})

    def test_a_mapping_survives_the_close_of_another(self) -> None:
        """A worker keeps reading when the supervisor is gone."""
        made = Segment.create(capacity=10, arena_bytes=4096)
        attached = Segment.attach(os.dup(made.fd))
        made.close()
        self.assertEqual(attached.epoch, 1)
        self.assertIsInstance(attached.memory, mmap.mmap)
        attached.close()
