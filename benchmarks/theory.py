"""Corrected percentiles of ten servers whose latency is known, by ``loadgen run`` and, beside it, by wrk2.

Both ask at the same rate for the same time, each a server of its own (:mod:`benchmarks.known_server`).
The rate is even, and none waits for an answer before it asks again: ours has a user for each request, wrk2
so many connections that each rests between two.

What is right is the closed form; where the machine had the server itself be late, by more than a hundredth,
it is what that server did, by its own record of every request.  Servers and wrk2 have a core as soon as
something is due, as the generator has (:mod:`loadgen.run.process`), where that is permitted: as root.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import threading
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import wrk2
from benchmarks.known_server import SERVERS
from benchmarks.rows import Place, Row
from loadgen.results import load
from loadgen.verdict.thresholds import PERCENTS

#: Requests a second: wrk2's connections begin 5 ms after one another, so that at this rate they are even.
RATE = 200
#: wrk2's: each asks every 5 s, later than any answer.
CONNECTIONS = 1000
#: In which wrk2 looks at its target and records nothing: 10 s, and until all connections are made.
CALIBRATION_S = 15.0
#: What may be between a percentile and what is right; and the server and its closed form.
WITHIN, SERVER_WITHIN = 0.02, 0.01
_PERCENTS = {name: percent for name, percent in PERCENTS.items() if name != "p100"}
_SCENARIO = """
v = 1
title = "known latencies"
users = 30000
duration_s = {seconds}
arrivals = {{ kind = "constant", rate_per_s = {rate} }}
session = {{ pages_mean = 1, think = {{ kind = "constant", mean_s = 1 }} }}
site = {{ pages = 1 }}
"""


class Measured(NamedTuple):
    """What a generator says of a server, and what that server itself did; milliseconds by percentile."""

    said: Mapping[str, float]
    did: Mapping[str, float]


class Compared(NamedTuple):
    """A percentile beside what is right."""

    name: str
    said: float
    right: float
    #: The closed form is right; else the server's own record.
    by_form: bool

    @property
    def apart(self) -> float:
        """Relative difference."""
        return self.said / self.right - 1


def compare(server: str, measured: Measured) -> list[Compared]:
    """The percentiles of *measured* beside what is right of the *server*."""
    found = []
    for name, percent in _PERCENTS.items():
        form, did = SERVERS[server].quantile(percent / 100), measured.did[name]
        by_form = abs(did / form - 1) <= SERVER_WITHIN
        found.append(Compared(name, measured.said[name], form if by_form else did, by_form))
    return found


@contextlib.contextmanager
def _server(name: str, did: dict[str, float]) -> Iterator[str]:
    """Its address; *did* is filled with what it did when it has ended."""
    command = [sys.executable, "-m", "benchmarks.known_server", name]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, preexec_fn=_be_in_time) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode("ascii").strip()
            record = array("d", process.communicate(timeout=30)[0])
            for percentile, percent in _PERCENTS.items():
                did[percentile] = record[math.ceil(percent / 100 * len(record)) - 1]
        finally:
            process.kill()


def _be_in_time() -> None:
    """Run before what else runs here, where that is permitted."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _ours(folder: Path, url: str, seconds: float) -> dict[str, float]:
    folder.mkdir(parents=True)
    file = folder / "scenario.toml"
    file.write_text(_SCENARIO.format(seconds=seconds, rate=RATE))
    command = [sys.executable, "-m", "loadgen.cli", "run", str(file), "--plain", url, "--json"]
    done = subprocess.run(
        [*command, "--out", str(folder / "out")], capture_output=True, text=True, check=False,
        timeout=seconds + 120,
    )  # fmt: skip
    if done.returncode not in (0, 2, 3):
        raise SystemExit(f"loadgen run ended with {done.returncode}: {done.stderr}")
    result = load(folder / "out")
    return {name: result.measures[name] for name in _PERCENTS}


def _wrk2(program: Path, url: str, seconds: float) -> dict[str, float]:
    command = [str(program), "-t1", f"-c{CONNECTIONS}", f"-R{RATE}", f"-d{seconds:.0f}s", "--latency"]
    done = subprocess.run(
        [*command, url], capture_output=True, text=True, check=True, timeout=seconds + 120,
        preexec_fn=_be_in_time,
    )  # fmt: skip
    found = wrk2.latencies(done.stdout)
    return {name: found[percent] for name, percent in _PERCENTS.items()}


def measure(name: str, generate: Callable[[str], dict[str, float]]) -> Measured:
    """The server of that *name*, by what *generate* says of the one at an address."""
    did: dict[str, float] = {}
    with _server(name, did) as url:
        said = generate(url)
    return Measured(said, did)


def _both(place: Place, name: str, program: Path | None) -> tuple[Measured, Measured | None]:
    """Ours and wrk2's figures of a server, at the same time."""
    seconds = place.either(20.0, 60.0)
    theirs: list[Measured] = []
    beside = threading.Thread(
        target=lambda: theirs.append(
            measure(name, lambda url: _wrk2(program or Path(), url, seconds + CALIBRATION_S))
        )
    )
    if program is not None:
        beside.start()
    ours = measure(name, lambda url: _ours(place.directory / name, url, seconds))
    if program is not None:
        beside.join()
    return ours, theirs[0] if theirs else None


def _told(compared: list[Compared]) -> str:
    """In words: how far each percentile is apart."""
    return ", ".join(
        f"{one.name} {one.said:.4g} ({one.apart:+.1%}{'' if one.by_form else ' of its record'})"
        for one in compared
    )


def rows(place: Place) -> list[Row]:
    """A row for each server."""
    found = wrk2.program(place.directory / "wrk2")
    program = found if isinstance(found, Path) else None
    if program is None:
        print(found, flush=True)
    made, within, theirs_within, count = [], 0, 0, 0
    for name in SERVERS:
        ours, theirs = _both(place, name, program)
        compared = compare(name, ours)
        beside = compare(name, theirs) if theirs else []
        worst = max(compared, key=lambda one: abs(one.apart))
        good = [abs(one.apart) <= WITHIN for one in compared]
        within, count = within + sum(good), count + len(good)
        theirs_within += sum(abs(one.apart) <= WITHIN for one in beside)
        made.append(
            Row(
                f"corrected percentiles, ms: {name}", _told(compared),
                f"wrk2 {_told(beside)}" if beside else "no wrk2", f"worst: {worst.name} {worst.apart:+.1%}",
                f"within {WITHIN:.0%}", all(good),
            )
        )  # fmt: skip
    made.append(
        Row(
            f"percentiles within {WITHIN:.0%} of what is right", f"{within} of {count}",
            f"wrk2 {theirs_within} of {count}" if program else "no wrk2", "", "all", within == count,
        )
    )  # fmt: skip
    return made


FORMS = {"theory": rows}
