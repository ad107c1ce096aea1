"""A map of what fits: two keys of the plan swept over lists of values, a verdict in each cell."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from loadgen.constants import Constants
from loadgen.errors import UsageError
from loadgen.plan.document import checked
from loadgen.plan.inputs import Plan, contradictions, field_type, keys, with_value
from loadgen.plan.verdict import JSON_NAMES, assess

#: Values of one axis.
MOST = 24


class Axis(Struct, frozen=True):
    """A key, and the values that it takes."""

    path: str
    values: tuple[object, ...]


class Cell(Struct, frozen=True, rename=JSON_NAMES):
    """The verdict on one pair of values; *contradiction*: the two cannot go together."""

    feasible: bool
    saturation: float
    bottleneck: str
    kinds: tuple[str, ...]
    euros: float
    contradiction: str = ""


def axis(text: str, option: str = "--regions", most: int = MOST) -> Axis:
    """``KEY=VALUE,VALUE,...``, like ``session.think.mean_s=10,20,40``; :exc:`UsageError`."""
    path, equals, values = text.partition("=")
    known = keys()
    if path not in known:
        near = difflib.get_close_matches(path, known, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else "the keys are those of the plan, like push.share"
        raise UsageError(f"{option} {text}: unknown key {path}; {hint}")
    parts = [part.strip() for part in values.split(",")]
    if not equals or not all(parts) or len(parts) > most:
        form = "KEY=VALUE" if most == 1 else f"KEY=VALUE,VALUE,..., up to {most} values"
        raise UsageError(f"{option} {text}: write {form}")
    return Axis(path, tuple(_value(f"{option} {text}", path, part) for part in parts))


def _value(place: str, path: str, part: str) -> object:
    try:
        value: object = msgspec.json.decode(part.encode())
    except msgspec.DecodeError:
        value = part
    try:
        return checked(field_type(path), value)
    except ValueError as error:
        raise UsageError(f"{place}: {path} = {part}: {error}") from None


def regions(
    plan: Plan, costs: Constants, shares: Sequence[float], across: Axis, down: Axis
) -> list[list[Cell]]:
    """A row for each value of *down*, in it a cell for each value of *across*."""

    def row(of: Plan) -> list[Cell]:
        return [_cell(with_value(of, across.path, value), costs, shares) for value in across.values]

    return [row(with_value(plan, down.path, value)) for value in down.values]


def _cell(plan: Plan, costs: Constants, shares: Sequence[float]) -> Cell:
    wrong = contradictions(plan)
    if wrong:
        return Cell(False, 0.0, "", (), 0.0, wrong[0])
    found = assess(plan, costs, shares)
    kinds = tuple(problem.kind for problem in found.problems)
    return Cell(found.feasible, found.saturation, found.bottleneck, kinds, found.bill.total)
