"""The subcommand ``loadgen compare A B``: two results, and whether B differs from A by more than noise."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

from loadgen.charts.numbers import plain
from loadgen.compare.difference import LEAST_SECONDS
from loadgen.compare.seconds import Measured, compare, same_plan
from loadgen.output import write
from loadgen.results import Result, load

_MARGIN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(%?)")
#: Of results that say nothing of a server.
_NOTHING = ("invalid", "error")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument(
        "one", type=Path, metavar="A", help="a result: a folder of loadgen run --out, or its file"
    )
    parser.add_argument("other", type=Path, metavar="B", help="another one")
    parser.add_argument(
        "--confidence", type=float, default=95.0, metavar="PERCENT",
        help="of all that is said together (default 95)",
    )  # fmt: skip
    parser.add_argument(
        "--margin", default="0 %", metavar="SHARE",
        help="how much worse B may be, like 5%%: only more than that is exit code 2 (default 0)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one object instead")


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """0 when B is not shown to be worse than A, 2 when it is, 3 when the runs cannot tell."""
    if not 50 <= options.confidence <= 99.99:
        parser.error(f"--confidence {options.confidence:g}: give 50 to 99.99, percent")
    match = _MARGIN.fullmatch(options.margin.strip())
    if match is None:
        parser.error(f"--margin {options.margin}: give a share like 5% or 0.05")
    margin = float(match[1]) / (100 if match[2] else 1)
    one, other = load(options.one), load(options.other)
    found = compare(one, other, options.confidence / 100)
    doubts = list(_doubts(options, one, other))
    told = {measured.name: _verdict(measured, margin) for measured in found}
    if any(result.verdict in _NOTHING for result in (one, other)) or "unknown" in told.values():
        code = 3
    else:
        code = 2 if "worse" in told.values() else 0
    show = _as_json if options.json else _as_text
    write("-", show(found, told, doubts, options.confidence, same_plan(one, other), code))
    return code


def _verdict(measured: Measured, margin: float) -> str:
    """``worse``, ``better``, ``within the margin``, ``no difference shown``, ``unknown``."""
    if measured.difference is None:
        return "unknown"
    _, low, high = measured.interval
    if low > margin:
        return "worse"
    if high < 0:
        return "better"
    return "within the margin" if low > 0 else "no difference shown"


def _doubts(options: argparse.Namespace, one: Result, other: Result) -> Iterator[str]:
    for path, result in ((options.one, one), (options.other, other)):
        if result.verdict in (*_NOTHING, "interrupted"):
            yield f"{path} is {result.verdict}: {'; '.join(result.reasons) or 'no reason is told'}"
    names = ("title", "users", "seconds", "policy")
    differing = [
        f"{name} {getattr(one, name)} and {getattr(other, name)}"
        for name in names
        if getattr(one, name) != getattr(other, name)
    ]
    if differing:
        yield f"the runs are not alike ({'; '.join(differing)}): what differs may be that"


def _as_text(
    found: list[Measured], told: dict[str, str], doubts: list[str], confidence: float, paired: bool, code: int
) -> str:
    lines = [f"{'':<8}{'A':>12}{'B':>12}{'B - A':>10}   {f'{confidence:g} % of all together':<24} ".rstrip()]
    for one in found:
        middle, low, high = (f"{100 * value:+.1f} %" for value in one.interval)
        values = (
            f"{100 * value:.2f} %" if one.is_share else f"{plain(value)} ms" for value in (one.one, one.other)
        )
        between = f"{low} .. {high}" if one.difference else "too few to tell"
        lines.append("{:<8}{:>12}{:>12}{:>10}   {:<24} {}".format(
            one.name, *values, middle if one.difference else "", between, told[one.name]
        ))  # fmt: skip
    way = "second by second (one plan)" if paired else "by means (two plans)"
    lines.append(f"Percentiles of seconds after the warm-up, compared {way}; intervals hold all at once.")
    if not all(one.difference for one in found):
        lines.append(f"Needed are {LEAST_SECONDS} seconds of each run, and more where neighbours are alike.")
    lines += doubts
    words = {0: "B is not shown to be worse.", 2: "B is worse.", 3: "These runs cannot tell."}
    return "\n".join([*lines, words[code]]) + "\n"


def _as_json(
    found: list[Measured], told: dict[str, str], doubts: list[str], confidence: float, paired: bool, code: int
) -> str:
    measures = {
        one.name: {
            "a": _number(one.one), "b": _number(one.other), "unit": "share" if one.is_share else "ms",
            "difference": _number(one.interval[0]), "low": _number(one.interval[1]),
            "high": _number(one.interval[2]), "verdict": told[one.name],
        }
        for one in found
    }  # fmt: skip
    whole = {"confidence": confidence, "paired": paired, "measures": measures, "doubts": doubts, "code": code}
    return json.dumps(whole) + "\n"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
