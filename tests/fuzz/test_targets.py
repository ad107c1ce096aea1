"""A little of what `make fuzz` does for as long as one likes."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.targets import SEEDS, TARGETS, mutate


class TargetTests(SynchronousTestCase):
    """Each target."""

    def test_good_messages(self) -> None:
        for name, seeds in SEEDS.items():
            for seed in seeds:
                TARGETS[name](seed)

    def test_damaged_messages(self) -> None:
        random = Random(1)
        for name, seeds in SEEDS.items():
            for seed in seeds:
                if len(seed) < 2000:
                    for _ in range(300):
                        TARGETS[name](mutate(random, seed))

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        for target in TARGETS.values():
            target(data)
