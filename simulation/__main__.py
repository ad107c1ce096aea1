"""``make sim``: thousands of simulated clusters, and what they say about the protocol, as one table.

``python -m simulation [--seed N] [--quick]``; exit code 1 when a goal is missed, with the seeds that did.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from simulation.measures import measures


def main(arguments: list[str] | None = None) -> int:
    """0 when all goals are reached."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description="Simulated clusters.")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the first seed (default 1)")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the seeds")
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=not sys.stdout.isatty())
    table = Table("measure", "goal", "measured", title=f"simulated clusters, seeds from {options.seed}")
    missed: list[str] = []
    rows = measures(options.seed, options.quick)
    processes = max(2, os.cpu_count() or 1)
    with ProcessPoolExecutor(processes) as pool, Progress(console=console, transient=True) as progress:
        futures = {row.name: [pool.submit(row.work, *run) for run in row.runs] for row in rows}
        everything = [future for some in futures.values() for future in some]
        task = progress.add_task("simulating", total=len(everything))
        for _ in as_completed(everything):
            progress.advance(task)
        for row in rows:
            measured, seeds = row.judge(row.runs, [future.result() for future in futures[row.name]])
            table.add_row(row.name, row.goal, ("[red]" if seeds else "") + measured)
            if seeds:
                missed.append(f"missed: {row.name}: seeds {', '.join(map(str, seeds[:20]))}")
    console.print(table)
    for line in missed:
        print(line)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
