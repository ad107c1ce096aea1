"""wrk2, Gil Tene's: built where it is measured beside, and what it says of latency.

It is no package of any system: ``WRK2`` in the environment names the program, a folder of its sources, or
the address of a repository; without it, it is fetched from where its author keeps it.  In a folder that has
the program built already it is taken as it is; else a copy is built.  What it is built with,
``tools/bench_tools.py`` installs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

SOURCE = "https://github.com/giltene/wrk2"
_FETCH_S, _BUILD_S = 120.0, 900.0
_WAY_OUT = f"git clone {SOURCE} elsewhere, and name the folder: make bench BENCH=theory WRK2=FOLDER"
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_TROUBLE = re.compile(r"\b(?:fatal|error):|\bfatal error\b|not found", re.IGNORECASE)
_SUMMED = re.compile(r"^ *([0-9.]+)% +([0-9.]+)(us|ms|s|m) *$", re.MULTILINE)
_DETAILED = re.compile(r"^ *([0-9.]+) +([01]\.[0-9]+) +[0-9]+ +(?:[0-9.]+|inf)$", re.MULTILINE)


def program(folder: Path) -> Path | str:
    """The program, built in *folder* if need be; a sentence that says why there is none."""
    given = os.environ.get("WRK2", SOURCE)
    for built in (Path(given), Path(given, "wrk")):
        if os.access(built, os.X_OK) and built.is_file():
            return built
    source = folder / "source"
    if missing := [one for one in ("git", "make", "cc") if shutil.which(one) is None]:
        return f"wrk2 is left out: {missing[0]} is not installed"
    fetch = ["git", "clone", "--quiet", "--depth", "1", given, str(source)]
    if Path(given).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        fetch = ["cp", "-R", given, str(source)]
    for what, command, patience in (
        ("fetched", fetch, _FETCH_S),
        ("built", ["make", "-C", str(source)], _BUILD_S),
    ):
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=patience,
                check=False,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
            )
        except subprocess.TimeoutExpired:
            return f"wrk2 is left out: it was not {what} within {patience:.0f} s; {_WAY_OUT}"
        if done.returncode:
            why = _why(done.stderr or done.stdout)
            return f"wrk2 is left out: it could not be {what} from {given}: {why}; {_WAY_OUT}"
    return source / "wrk"


def _why(text: str) -> str:
    """The line of *text* that says what went wrong: make says behind it that something did."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it says nothing"]
    return next((line for line in lines if _TROUBLE.search(line)), lines[-1])


def latencies(text: str) -> dict[float, float]:
    """Milliseconds by percent: what *text*, its output with ``--latency``, says; corrected."""
    found = {100 * float(share): float(value) for value, share in _DETAILED.findall(text)}
    return {round(percent, 6): value for percent, value in found.items()} | {
        float(percent): float(value) * _UNITS[unit] for percent, value, unit in _SUMMED.findall(text)
    }
