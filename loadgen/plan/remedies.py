"""What would have to change, and by how much, for a plan to work.

Each remedy is one key and the direction that relieves.  More relief never harms capacity, latency or failures
(tests hold the model to that), so the least change is found by bisection; what it does to the bill is said
with it.  Two have two sides: WebSockets cost messages, and save polls; constant think times may come due with
the load document or just miss it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct

from loadgen.constants import Constants
from loadgen.plan.inputs import Number, Plan, numbers, value_at, with_value
from loadgen.plan.verdict import Assessment, assess

_STEPS = 40


class Remedy(NamedTuple):
    """One key of a plan that could be otherwise, and the direction that relieves."""

    path: str
    #: +1: more of it relieves; -1: less.
    direction: int
    #: {value} is put in, or {percent}.
    text: str


REMEDIES = (
    Remedy("users.concurrent_at_peak", -1, "at most {value:,.0f} users at once"),
    Remedy("session.think.mean_s", +1, "{value:,.3g} s or more between page views"),
    Remedy("session.first_visit_share", -1, "at most {percent} of sessions as first visits"),
    Remedy("pages.missing_share", -1, "at most {percent} of a view's resources not kept"),
    Remedy("pages.changed_share", -1, "at most {percent} of the copies changed"),
    Remedy("pages.fresh_share", +1, "{percent} or more of a view's resources fresh by Cache-Control"),
    Remedy("pages.kilobytes_per_resource", -1, "at most {value:,.3g} kB for a resource"),
    Remedy("requests.head_bytes", -1, "request heads of {value:,.0f} bytes or less"),
    Remedy("push.share", -1, "at most {percent} of users with a WebSocket"),
    Remedy("push.share", +1, "{percent} or more of users with a WebSocket"),
    Remedy("push.load_period_s", +1, "{value:,.3g} s or more between two pushed load documents"),
    Remedy("requests.tls_share", -1, "at most {percent} of connections over TLS in the node"),
    Remedy("servers.count", +1, "{value:,.0f} servers"),
    Remedy("servers.link_gigabits_per_s", +1, "{value:,.3g} Gbit/s or more for each server"),
    Remedy("servers.cores", +1, "{value:,.0f} cores or more in each server"),
    Remedy("servers.ram_gigabytes", +1, "{value:,.3g} GB or more in each server"),
    Remedy("burst.count_max", +1, "up to {value:,.0f} burst machines"),
)


class Change(Struct, frozen=True):
    """The least change of one remedy; *value* None: it does not suffice alone."""

    path: str
    now: float
    value: float | None
    text: str
    #: A month's EUR after it.
    euros: float


def works(found: Assessment) -> bool:
    """Whether nothing but money is missing."""
    return all(problem.kind == "budget" for problem in found.problems)


def changes(plan: Plan, costs: Constants, shares: Sequence[float]) -> list[Change]:
    """For each remedy that is not at its end, in the order of :data:`REMEDIES`; none for a plan that works.

    A plan that lacks nothing but money is looked at for what makes it cheaper.
    """
    found = assess(plan, costs, shares)
    if found.feasible:
        return []
    good = _is_feasible if works(found) else works
    ranges = {number.path: number for number in numbers()}
    tried = [_change(plan, costs, shares, remedy, ranges[remedy.path], found, good) for remedy in REMEDIES]
    found_ones = [change for change in tried if change is not None]
    solved = {change.path for change in found_ones if change.value is not None}
    return [change for change in found_ones if change.value is not None or change.path not in solved]


def _is_feasible(found: Assessment) -> bool:
    return found.feasible


def _change(
    plan: Plan,
    costs: Constants,
    shares: Sequence[float],
    remedy: Remedy,
    limits: Number,
    found: Assessment,
    good: Callable[[Assessment], bool],
) -> Change | None:
    now = float(value_at(plan, remedy.path))
    end = _end(plan, remedy, limits)
    if (end - now) * remedy.direction <= 0:
        return None

    def tried(value: float) -> Assessment:
        return assess(with_value(plan, remedy.path, int(value) if limits.whole else value), costs, shares)

    def suffices(value: float) -> bool:
        return good(tried(value))

    if tried(end).hours == found.hours:
        return None  # it is of no consequence in this plan
    value = _whole(now, end, suffices) if limits.whole else _real(now, end, suffices)
    if value is None:
        return Change(remedy.path, now, None, "", 0.0)
    text = remedy.text.format(value=value, percent=f"{value * 100:.3g} %")
    return Change(remedy.path, now, value, text, tried(value).bill.total)


def _end(plan: Plan, remedy: Remedy, limits: Number) -> float:
    """How far the remedy goes, so that the plan does not contradict itself."""
    if remedy.path == "session.think.mean_s":
        return min(limits.high, plan.session.minutes * 60)
    if remedy.path == "pages.fresh_share":
        return 1 - plan.pages.missing_share
    return limits.high if remedy.direction > 0 else limits.low


def _whole(now: float, end: float, suffices: Callable[[float], bool]) -> float | None:
    """The first whole number on the way that suffices: in growing steps, then by bisection.

    Growing, because the far end may be worse again: every node has its place in the load document.
    """
    bad, sign, step = int(now), 1 if end > now else -1, 1
    while True:
        fine = bad + sign * step
        if (fine - end) * sign >= 0:
            fine = int(end)
        if suffices(fine):
            break
        if fine == int(end):
            return None
        bad, step = fine, step * 2
    while abs(fine - bad) > 1:
        middle = (bad + fine) // 2
        bad, fine = (bad, middle) if suffices(middle) else (middle, fine)
    return float(fine)


def _real(now: float, end: float, suffices: Callable[[float], bool]) -> float | None:
    """The first number on the way that suffices, rounded to three digits to the safe side."""
    if not suffices(end):
        return None
    bad, fine = now, end
    for _ in range(_STEPS):
        middle = math.sqrt(bad * fine) if bad > 0 and fine > 0 else (bad + fine) / 2
        bad, fine = (bad, middle) if suffices(middle) else (middle, fine)
    rounded = _rounded(fine, up=end > now)
    return rounded if (end - rounded) * (end - now) >= 0 else end


def _rounded(value: float, up: bool) -> float:
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    whole = math.ceil(value / unit - 1e-9) if up else math.floor(value / unit + 1e-9)
    return float(f"{whole * unit:.12g}")
