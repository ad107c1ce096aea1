"""Verdicts on faulty targets, each a real process, by ``loadgen run`` as a user calls it.

Forty clusters (:mod:`benchmarks.faulty_target`), and any server's sites (:mod:`benchmarks.faulty_site`).

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

from benchmarks import faulty_site, witness
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


class Target(NamedTuple):
    """Something to be loaded."""

    name: str
    #: A module, and its arguments.
    program: tuple[str, ...]
    #: How it is named to ``loadgen run``: --cluster, --plain; further options.
    options: tuple[str, ...]
    #: Some of its answers are wrong, and it counts them.
    lies: bool
    #: It is bad even where it told no lies and was in time.
    is_bad: bool = False


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


def cluster(name: str) -> Target:
    """The faulty cluster of that name, of :func:`tests.loadgen.verdict.faulty.targets`, or without fault."""
    fault, nodes, since_s = targets().get(name, ("none", (), 0.0))
    program = ("benchmarks.faulty_target", fault, ",".join(map(str, nodes)), str(since_s))
    return Target(name, program, ("--cluster",), fault in LIES, fault == "stale")


def site(way: str, folder: Path) -> Target:
    """Any server that answers in that *way*, of :mod:`benchmarks.faulty_site`.

    *folder*: for its certificate, if it needs one.
    """
    program: tuple[str, ...] = ("benchmarks.faulty_site", way, "0" if way in faulty_site.RIGHT else "1")
    options: tuple[str, ...] = ("--plain",)
    if way == "expired":
        folder.mkdir(parents=True)
        program, options = (*program, str(folder)), ("--cafile", str(folder / "authority.pem"), *options)
    return Target(way, program, options, way in faulty_site.LIES)


def _run(folder: Path, options: tuple[str, ...], url: str, thresholds: tuple[str, ...]) -> Result:
    file = folder / "scenario.toml"
    file.write_text(_SCENARIO.format(users=USERS, seconds=SECONDS, thresholds=json.dumps(list(thresholds))))
    command = [sys.executable, "-m", "loadgen.cli", "run", str(file), *options, url, "--json"]
    command += ["--out", str(folder / "out")]
    environment = witness.environment(folder / "witness")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    if done.returncode not in (0, 2, 3):
        raise SystemExit(f"loadgen run ended with {done.returncode}: {done.stderr}")
    return load(folder / "out")


def judge(folder: Path, target: Target, thresholds: tuple[str, ...]) -> Judged:
    """A run against *target*, and whether its verdict is right."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", *target.program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().split()[-1]
            result = _run(folder, target.options, url, thresholds)
            record = msgspec.json.decode(process.communicate(timeout=20)[0], type=Record)
        finally:
            process.kill()
    latencies = witness.latencies(folder / "witness")
    if len(latencies) != result.counts["requests"]:
        raise SystemExit(
            f"{target.name}: {len(latencies)} requests ended, {result.counts['requests']} were counted"
        )
    if target.lies != (record.lies > 0):
        raise SystemExit(f"{target.name}: {record.lies} lies were told")
    is_bad = record.lies > 0 or target.is_bad or missed(thresholds, latencies)
    right = "threshold" if is_bad else "ok"
    return Judged(target.name, thresholds, result.verdict, right, tuple(result.reasons))


def verdicts(folder: Path, quick: bool) -> Iterator[Judged]:
    """All targets, and one that has no fault, by all sets of thresholds; *quick*: by one each, in turn."""
    turn = itertools.cycle(THRESHOLDS)
    names = (*targets(), "no fault")
    for place, name in enumerate((*names, *faulty_site.WAYS)):
        for number, thresholds in enumerate([next(turn)] if quick else THRESHOLDS):
            own = folder / f"{place}-{number}"
            target = cluster(name) if name in names else site(name, own / "certificate")
            yield judge(own / "run", target, thresholds)


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
            f"{len(targets())} faulty clusters, a good one, and {len(faulty_site.WAYS)} sites, as real "
            f"processes: {len(judged)} verdicts",
            f"{wrong} wrong", f"{failed} failed, {len(judged) - failed - undecided} passed",
            f"{undecided} INVALID: the generator was late", "0 wrong", wrong == 0,
        )
    ]  # fmt: skip


FORMS = {"verdicts": rows}
