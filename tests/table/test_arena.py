"""The account of the arena, against a model of bytes in use."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.table.arena import Arena

STEPS = st.lists(st.tuples(st.sampled_from(["allocate", "free"]), st.integers(1, 900)), max_size=60)


class ArenaTests(SynchronousTestCase):
    """Allocation, freeing, reservation, reclamation."""

    @given(STEPS)
    def test_blocks_never_overlap_and_nothing_is_lost(self, steps: list[tuple[str, int]]) -> None:
        """Whatever the order, and when all is freed the arena is one extent again."""
        arena = Arena(64, 64 + 4096)
        used: dict[int, int] = {}
        for step, number in steps:
            if step == "allocate":
                begin = arena.allocate(number)
                if begin is None:
                    continue
                size = -(-number // 64) * 64
                self.assertTrue(begin >= 64 and begin + size <= 64 + 4096 and begin % 64 == 0)
                self.assertTrue(all(begin + size <= b or b + s <= begin for b, s in used.items()))
                used[begin] = size
            elif used:
                begin = sorted(used)[number % len(used)]
                arena.free(begin, used.pop(begin))
            self.assertEqual(arena.free_bytes, 4096 - sum(used.values()))
        for begin, size in used.items():
            arena.free(begin, size)
        self.assertEqual(arena.allocate(4096), 64)

    def test_a_full_arena_says_none(self) -> None:
        """And serves again when something was freed."""
        arena = Arena(0, 128)
        self.assertEqual([arena.allocate(64), arena.allocate(1), arena.allocate(1)], [0, 64, None])
        arena.free(64, 1)
        self.assertEqual(arena.allocate(64), 64)

    def test_reserved_bytes_are_not_given_out(self) -> None:
        """Recovery takes what live entries use; twice the same bytes are a contradiction."""
        arena = Arena(0, 256)
        self.assertTrue(arena.reserve(64, 100))
        self.assertFalse(arena.reserve(128, 1))
        self.assertFalse(arena.reserve(1, 1))
        self.assertFalse(arena.reserve(192, 100))
        self.assertEqual([arena.allocate(64), arena.allocate(64), arena.allocate(64)], [0, 192, None])

    def test_retired_blocks_wait_for_every_reader(self) -> None:
        """A worker that entered in the epoch of the retirement, or before, holds them."""
        arena = Arena(0, 128)
        first = arena.allocate(64)
        assert first is not None
        arena.retire(first, 64, epoch=5)
        self.assertEqual(arena.reclaim([0, 5]), 0)
        self.assertEqual(arena.reclaim([3, 6]), 0)
        self.assertEqual(arena.reclaim([0, 6]), 1)
        self.assertEqual(arena.free_bytes, 128)
