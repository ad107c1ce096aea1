"""The row of the costliest request of at most 64 KiB, as :mod:`benchmarks.costly` finds it."""

from __future__ import annotations

from random import Random

from benchmarks import costly
from benchmarks.rows import Row

#: CPU seconds that no request may cost.
GOAL = 0.005


def row(steps: int) -> Row:
    """What *steps* from each kind of request have found."""
    victim = costly.Victim()
    worst = costly.search(victim, Random(1), steps)[0]
    # what a busy machine added to it in the search is gone when it is tried again and again
    cost = min(victim.cost(worst.recipe.bytes()) for _ in range(20))
    victim.close()
    text = f"{cost * 1e3:.1f} ms"
    work = f"the costliest request of 64 KiB after {steps * len(costly.KINDS):,} steps"
    return Row(work, text, f"kind: {worst.kind}", text, f"<= {GOAL * 1e3:.0f} ms", cost <= GOAL)
