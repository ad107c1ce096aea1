"""Simulated clusters in which clocks are off by a year, names are taken, old state is restored: what is lost.

Each seed is one cluster of publishers (:mod:`simulation.sites`); all cores simulate.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor

from benchmarks.rows import Row
from simulation.sites import run


def wrong(seed: int) -> int | None:
    """*seed*, if something was wrong in its cluster."""
    try:
        return seed if run(seed).problems else None
    except Exception:
        return seed


def row(count: int) -> Row:
    """*count* clusters."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        seeds = [seed for seed in pool.map(wrong, range(1, count + 1), chunksize=20) if seed is not None]
    first = f": seeds {', '.join(map(str, seeds[:10]))} (EDGE_SITE_FIRST=N of the tests)" if seeds else ""
    return Row(
        f"{count:,} clusters, clocks off by a year, duplicates, restores, kills", f"{len(seeds)} wrong", "",
        f"{len(seeds)} wrong{first}", "one table, all is served, 0 silent refusals", not seeds,
    )  # fmt: skip
