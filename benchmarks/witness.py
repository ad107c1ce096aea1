"""What users really got, one by one: beside the histograms that a verdict is reached by.

A process of Python that imports this writes, while it runs virtual users, eight bytes for each request that
has ended into a file of its own: the latency in milliseconds from when it was planned, infinite if it failed.
"""

from __future__ import annotations

import math
import os
import struct
import sys
from pathlib import Path
from typing import Any

from loadgen.run.process.interval_stats import IntervalStats

#: The folder, in the environment.
FOLDER = "BENCHMARKS_WITNESS"
_ONE = struct.Struct("<d")


def environment(folder: Path) -> dict[str, str]:
    """For processes that are to write into *folder*, which is made."""
    records = folder / "records"
    records.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text("import benchmarks.witness\n\nbenchmarks.witness.begin()\n")
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[1]), *sys.path])
    return {**os.environ, FOLDER: str(records), "PYTHONPATH": path}


def latencies(folder: Path) -> list[float]:
    """All that was written there."""
    data = b"".join(file.read_bytes() for file in (folder / "records").iterdir())
    return [one for (one,) in _ONE.iter_unpack(data)]


def begin() -> None:
    """Write what becomes of requests in this process from now on."""
    file = (Path(os.environ[FOLDER]) / str(os.getpid())).open("wb", buffering=0)
    ended = IntervalStats.ended

    def record(stats: IntervalStats, request: Any, answer: Any, reason: str, now: int = 0) -> None:
        failed = bool(reason) or answer is None
        file.write(_ONE.pack(math.inf if failed else (answer.done - request.planned) / 1e6))
        ended(stats, request, answer, reason, now)

    IntervalStats.ended = record  # type: ignore[assignment, method-assign]
