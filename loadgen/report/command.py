"""The subcommand ``loadgen report``: results to look at, to compare, and for other programs."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loadgen.errors import LoadgenError, UsageError
from loadgen.output import STANDARD_OUTPUT, write
from loadgen.report.columns import columns
from loadgen.report.document import document
from loadgen.report.exposition import exposition
from loadgen.report.runs import Run, read
from loadgen.results import FILE

_PAGE = "report.html"


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument(
        "results", nargs="+", type=Path, metavar="RESULT",
        help="a folder that loadgen run --out has written, or its result.json; several are compared",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=f"the page (default {_PAGE}, if nothing else is asked for)"
    )
    parser.add_argument(
        "--csv", metavar="DIR|FILE",
        help="the seconds: one file of all runs (NAME.csv), or one of each run in a folder",
    )  # fmt: skip
    parser.add_argument("--prometheus", metavar="FILE", help="the totals in Prometheus' text format")
    parser.add_argument(
        "--json", action="store_true", help="print an object for each run: all but seconds and histograms"
    )
    parser.epilog = 'FILE may be "-": standard output.'


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """0 when all is written, whatever the verdicts of the runs are."""
    runs = read(options.results)
    page = options.output or (None if options.csv or options.prometheus or options.json else _PAGE)
    outputs = [page, options.csv, options.prometheus, STANDARD_OUTPUT if options.json else None]
    _keep_apart(outputs, options.results)
    if page:
        write(page, document(runs))
        if STANDARD_OUTPUT not in outputs:
            write(STANDARD_OUTPUT, f"{page}\n")
    if options.csv:
        for path, some in _files(options.csv, runs):
            write(path, columns(some))
    if options.prometheus:
        write(options.prometheus, exposition(runs))
    if options.json:
        write(STANDARD_OUTPUT, "".join(f"{_summary(run)}\n" for run in runs))
    return 0


def _summary(run: Run) -> str:
    fields = msgspec.structs.asdict(run.result)
    for name in ("series", "histograms"):
        del fields[name]
    return msgspec.json.encode({"run": run.name, **fields}).decode()


def _keep_apart(outputs: Sequence[str | None], results: Sequence[Path]) -> None:
    """No output may take the place of a result, or of another output."""
    inputs = {os.path.realpath(path / FILE if path.is_dir() else path) for path in results}
    named = [path for path in outputs if path]
    for path in named:
        if os.path.realpath(path) in inputs:
            raise UsageError(f"{path}: this is a result to read; give another file to write to")
    if len(set(named)) < len(named):
        raise UsageError(f"{max(named, key=named.count)}: two outputs cannot go to one place")


def _files(path: str, runs: Sequence[Run]) -> list[tuple[str, Sequence[Run]]]:
    """The CSV files, and which runs go to which; makes the folder if one is meant."""
    folder = Path(path)
    if path == STANDARD_OUTPUT or (folder.suffix and not path.endswith("/") and not folder.is_dir()):
        return [(path, runs)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LoadgenError(f"{path}: the folder cannot be made: {error.strerror}; give another one") from None
    made: dict[str, Run] = {}
    for run in runs:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", run.name).strip("-.")[:80] or "run"
        name = plain
        number = 1
        while name in made:
            number += 1
            name = f"{plain}-{number}"
        made[name] = run
    return [(str(folder / f"{name}.csv"), [run]) for name, run in made.items()]
