"""``make sim``: thousands of simulated clusters, and what they say about the protocol, as one table.

``python -m simulation [--seed N] [--quick]``; exit code 1 when a goal is missed, with the seeds that did.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from simulation import faults
from simulation.world import World


class Figure(NamedTuple):
    """One row."""

    measure: str
    goal: str
    measured: str
    #: Seeds that missed the goal.
    missed: Sequence[int]


def _seeds(begin: int, count: int, quick: bool) -> range:
    return range(begin, begin + max(2, count // 20 if quick else count))


def _many(pool: ProcessPoolExecutor, work: Callable[..., Any], seeds: range, *more: Any) -> list[Any]:
    return list(pool.map(work, seeds, *([value] * len(seeds) for value in more), chunksize=1))


def false_deaths(pool: ProcessPoolExecutor, seed: int, quick: bool) -> Figure:
    """At 10 % loss."""
    seeds = _seeds(seed, 250, quick)
    found = _many(pool, faults.loss, seeds, 1000.0)
    total, time = sum(one[0] for one in found), sum(one[1] for one in found)
    missed = [number for number, one in zip(seeds, found, strict=True) if one[0]]
    return Figure("false deaths at 10 % loss", "0 in 10^6 node-seconds", f"{total} in {time:,.0f}", missed)


def starved(pool: ProcessPoolExecutor, seed: int, quick: bool) -> Figure:
    """Beside plain SWIM."""
    seeds = _seeds(seed, 8, quick)
    ours = sum(_many(pool, faults.starvation, seeds, True))
    plain = sum(_many(pool, faults.starvation, seeds, False))
    ratio = plain / max(ours, 1)
    measured = f"{ours}, plain SWIM {plain}: {'at least ' if not ours else ''}{ratio:.0f} x fewer"
    return Figure("false deaths, a quarter of 32 nodes starved", ">= 50 x fewer", measured,
                  [] if ratio >= 50 else list(seeds))  # fmt: skip


def stability(pool: ProcessPoolExecutor, seed: int, quick: bool) -> list[Figure]:
    """Faults that make other protocols oscillate."""
    figures = []
    for name, work in (
        ("one-way loss, on and off every 20 s", faults.flip_flop),
        ("80 % loss at one node", faults.bad_link),
    ):
        seeds = _seeds(seed, 100, quick)
        found = _many(pool, work, seeds)
        missed = [n for n, (changes, same) in zip(seeds, found, strict=True) if changes > 2 or not same]
        most, same = max(one[0] for one in found), sum(one[1] for one in found)
        measured = f"at most {most}, agreed in {same} of {len(found)}"
        figures.append(Figure(f"view changes per fault: {name}", "<= 2, agreed in 30 s", measured, missed))
    return figures


def partitions(pool: ProcessPoolExecutor, seed: int, quick: bool) -> Figure:
    """From 10 seconds to 24 hours."""
    runs = [(number, seconds) for seconds in (10, 30, 60, 600) for number in _seeds(seed, 100, quick)]
    runs += [] if quick else [(number, 3600) for number in range(seed, seed + 10)]
    runs += [] if quick else [(number, 86_400) for number in range(seed, seed + 2)]
    found = list(pool.map(faults.partition, *zip(*runs, strict=True), chunksize=1))
    missed = [number for (number, _), one in zip(runs, found, strict=True) if one is None]
    times = sorted(one for one in found if one is not None)
    measured = f"{len(times)} of {len(runs)}, p50 {times[len(times) // 2]:.2f} s, max {times[-1]:.2f} s"
    return Figure("partition healed: one view, one table", "within 10 s", measured, missed)


def crashes(pool: ProcessPoolExecutor, seed: int, quick: bool) -> Figure:
    """A machine vanishes."""
    seeds = _seeds(seed, 1000, quick)
    found = _many(pool, faults.crash, seeds)
    times = sorted(time for one in found for time in one)
    missed = [number for number, one in zip(seeds, found, strict=True) if max(one) > 3]
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    measured = f"p50 {p50:.2f} s, p99 {p99:.2f} s, max {times[-1]:.2f} s"
    return Figure("node vanishes, N = 4: not alive for all others", "p99 <= 3 s", measured,
                  missed if len(missed) > len(found) / 100 else [])  # fmt: skip


def idle(pool: ProcessPoolExecutor, seed: int, quick: bool) -> Figure:
    """Nothing happens."""
    most = max(_many(pool, faults.idle_bytes, _seeds(seed, 20, quick)))
    return Figure("datagrams sent by a node, N = 4, idle", "<= 5 KB/s", f"{most:.0f} B/s",
                  [] if most <= 5000 else [seed])  # fmt: skip


def _trace(seed: int, count: int) -> str:
    world = World(seed, count)
    world.run(4)
    return f"{world.trace} {len(world.changes)}"


def repeatable(pool: ProcessPoolExecutor, seed: int, quick: bool) -> Figure:
    """The same seed twice, in different processes."""
    count = 100 if quick else 1000
    first, second = pool.map(_trace, [seed, seed], [count, count])
    measured = "equal" if first == second else "different"
    return Figure(
        f"traces of the same seed, {count} nodes", "equal", measured, [] if first == second else [seed]
    )


def main(arguments: list[str] | None = None) -> int:
    """0 when all goals are reached."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description="Simulated clusters.")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the first seed (default 1)")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the seeds")
    options = parser.parse_args(arguments)
    figures: list[Figure] = []
    with ProcessPoolExecutor(2) as pool:
        for work in (false_deaths, starved, stability, partitions, crashes, idle, repeatable):
            found = work(pool, options.seed, options.quick)
            figures += found if isinstance(found, list) else [found]
    table = Table("measure", "goal", "measured", title="simulated clusters")
    for figure in figures:
        table.add_row(figure.measure, figure.goal, ("[red]" if figure.missed else "") + figure.measured)
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    for figure in figures:
        if figure.missed:
            print(f"missed: {figure.measure}: seeds {', '.join(map(str, figure.missed[:20]))}")
    return 1 if any(figure.missed for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
