"""Which inputs matter: each number of the plan a fifth lower and a fifth higher, everything else as it is."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from loadgen.constants import Constants
from loadgen.plan.inputs import Number, Plan, contradictions, numbers, value_at, with_value
from loadgen.plan.verdict import JSON_NAMES, Assessment, assess

STEP = 0.2


class Effect(Struct, frozen=True, rename=JSON_NAMES):
    """The verdict with one input changed."""

    value: float
    saturation: float
    bottleneck: str
    burst: int
    euros: float
    feasible: bool


class Sensitivity(Struct, frozen=True):
    """One input; None: that value is not possible."""

    path: str
    now: float
    lower: Effect | None
    higher: Effect | None

    def swing(self, saturation: float) -> float:
        """How far the saturation moves from what it is, at most."""
        return max(abs(one.saturation - saturation) for one in (self.lower, self.higher) if one is not None)

    def moves(self, found: Assessment) -> bool:
        """Whether anything changes at all."""
        before = (found.saturation, found.burst, found.bill.total, found.feasible)
        return any(
            one is not None and (one.saturation, one.burst, one.euros, one.feasible) != before
            for one in (self.lower, self.higher)
        )


def sensitivities(plan: Plan, costs: Constants, shares: Sequence[float]) -> list[Sensitivity]:
    """How much each input that changes something changes, the strongest first."""
    now = assess(plan, costs, shares)
    found = []
    for number in numbers():
        value = value_at(plan, number.path)
        if not value or number.path in ("users.peak_hour",):
            continue
        lower, higher = (_outcome(plan, costs, shares, number, value * (1 + step)) for step in (-STEP, STEP))
        one = Sensitivity(number.path, float(value), lower, higher)
        if one.moves(now):
            found.append(one)
    return sorted(found, key=lambda one: (-one.swing(now.saturation), one.path))


def _outcome(
    plan: Plan, costs: Constants, shares: Sequence[float], number: Number, value: float
) -> Effect | None:
    value = min(number.high, max(number.low, value))
    changed = with_value(plan, number.path, round(value) if number.whole else value)
    if contradictions(changed):
        return None
    found = assess(changed, costs, shares)
    return Effect(value, found.saturation, found.bottleneck, found.burst, found.bill.total, found.feasible)
