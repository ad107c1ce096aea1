"""Test cases of a result: each thing that was to hold, and what became of it."""

from __future__ import annotations

from typing import NamedTuple

from loadgen.results import Result
from loadgen.verdict.thresholds import parse_threshold, told, written


class Case(NamedTuple):
    """Something that was to hold."""

    name: str
    #: What was measured, or "".
    measured: str
    #: Why it did not hold; "": it did.
    failure: str
    #: It was not the cluster: the run says nothing of it.
    is_error: bool = False


def cases(result: Result) -> list[Case]:
    """All of *result*: whether the run is one, its thresholds, and what else its verdict names.

    At least one of them has failed unless the verdict is ``ok``.
    """
    broken = result.verdict in ("invalid", "error", "interrupted")
    why = "; ".join(result.reasons) or result.verdict
    found = [Case("the run is valid", "", why if broken else "", broken)]
    for one in result.thresholds:
        failure = "" if one.held else f"{one.text}: {told(one)}"
        measured = "" if one.of == "nothing" else written(parse_threshold(one.text).measure, one.measured)
        found.append(Case(one.text, measured, failure))
    others = [
        reason
        for reason in result.reasons
        if not any(reason.startswith(one.text) for one in result.thresholds)
    ]
    if result.verdict == "threshold":
        found.append(Case("nothing else was wrong", "", "; ".join(others)))
        if not any(case.failure for case in found):
            found[-1] = found[-1]._replace(failure=why)
    return found
