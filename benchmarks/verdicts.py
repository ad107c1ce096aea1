"""Verdicts on forty faulty targets, each a real process, by ``loadgen run`` as a user calls it.

What is right follows from what each user really got, request by request (:mod:`benchmarks.witness`), and
from the lies and the stale confirmations that the target itself counted.  A verdict is *wrong* if it passes
what is bad or fails what is good.  One that says INVALID vouches for nothing, which on a busy machine is
right: those are counted apart.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import witness
from benchmarks.faulty_target import Record
from benchmarks.rows import Place, Row
from loadgen.results import Result, load
from tests.loadgen.verdict.faulty import LIES, THRESHOLDS, missed, targets

USERS, SECONDS = 150, 3.0
_SCENARIO = """
v = 1
title = "a faulty target"
users = {users}
duration_s = {seconds}
timeout_s = 2
stale_ms = 300
thresholds = {thresholds}
arrivals = {{ rate_per_s = 30, present = 0.2 }}
session = {{ think = {{ mean_s = 0.5 }} }}
cache = {{ warm = 0.5, pages = 2 }}
"""


class Judged(NamedTuple):
    """A verdict, and what was right."""

    target: str
    thresholds: tuple[str, ...]
    verdict: str
    right: str
    reasons: tuple[str, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether it passes what is bad, or fails what is good."""
        return self.verdict not in (self.right, "invalid")


def _run(folder: Path, url: str, thresholds: tuple[str, ...]) -> Result:
    file = folder / "scenario.toml"
    file.write_text(_SCENARIO.format(users=USERS, seconds=SECONDS, thresholds=json.dumps(list(thresholds))))
    command = [sys.executable, "-m", "loadgen.cli", "run", str(file), "--cluster", url, "--json"]
    command += ["--out", str(folder / "out")]
    environment = witness.environment(folder / "witness")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    if done.returncode not in (0, 2, 3):
        raise SystemExit(f"loadgen run ended with {done.returncode}: {done.stderr}")
    return load(folder / "out")


def judge(
    folder: Path, name: str, fault: str, nodes: tuple[int, ...], since_s: float, thresholds: tuple[str, ...]
) -> Judged:
    """A run against a target with that fault, and whether its verdict is right."""
    folder.mkdir(parents=True)
    arguments = (fault, ",".join(map(str, nodes)), str(since_s))
    command = [sys.executable, "-m", "benchmarks.faulty_target", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as target:
        assert target.stdout is not None
        try:
            url = target.stdout.readline().split()[-1]
            result = _run(folder, url, thresholds)
            record = msgspec.json.decode(target.communicate(timeout=20)[0], type=Record)
        finally:
            target.kill()
    latencies = witness.latencies(folder / "witness")
    if len(latencies) != result.counts["requests"]:
        raise SystemExit(f"{name}: {len(latencies)} requests ended, {result.counts['requests']} were counted")
    if (fault in LIES) != (record.lies > 0):
        raise SystemExit(f"{name}: {record.lies} lies were told")
    is_bad = record.lies > 0 or fault == "stale" or missed(thresholds, latencies)
    right = "threshold" if is_bad else "ok"
    return Judged(name, thresholds, result.verdict, right, tuple(result.reasons))


def verdicts(folder: Path, quick: bool) -> Iterator[Judged]:
    """All targets, and one that has no fault, by all sets of thresholds; *quick*: by one each, in turn."""
    turn = itertools.cycle(THRESHOLDS)
    everything = targets() | {"no fault": ("none", (), 0.0)}
    for place, (name, target) in enumerate(everything.items()):
        for number, thresholds in enumerate([next(turn)] if quick else THRESHOLDS):
            yield judge(folder / f"{place}-{number}", name, *target, thresholds)


def rows(place: Place) -> list[Row]:
    """The rows of the table."""
    judged = []
    for one in verdicts(place.directory, place.quick):
        judged.append(one)
        said = f"{one.target}; {', '.join(one.thresholds) or 'no thresholds'}: {one.verdict}"
        if one.is_wrong:
            print(f"WRONG, {one.right} is right: {said}: {'; '.join(one.reasons)}", flush=True)
        elif one.verdict == "invalid":
            print(f"{said}: {'; '.join(one.reasons)}", flush=True)
    wrong = sum(one.is_wrong for one in judged)
    undecided = sum(one.verdict == "invalid" for one in judged)
    failed = sum(one.verdict == "threshold" for one in judged)
    return [
        Row(
            f"{len(targets())} faulty targets and a good one as real processes, {len(judged)} verdicts",
            f"{wrong} wrong", f"{failed} failed, {len(judged) - failed - undecided} passed",
            f"{undecided} INVALID: the generator was late", "0 wrong", wrong == 0,
        )
    ]  # fmt: skip


FORMS = {"verdicts": rows}
