"""A plan's assessment as one HTML page with charts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadgen.charts import Series, bars, lines, page, table
from loadgen.charts.numbers import plain
from loadgen.plan.capacity import RESOURCES
from loadgen.plan.inputs import Plan
from loadgen.plan.regions import Axis, Cell
from loadgen.plan.remedies import Change
from loadgen.plan.sensitivity import Sensitivity
from loadgen.plan.show import cell, clock, milliseconds, number, outcome
from loadgen.plan.verdict import Assessment

_STRONGEST = 12


def render(
    plan: Plan,
    found: Assessment,
    changes: Sequence[Change],
    outcomes: Sequence[Sensitivity],
    regions: tuple[Axis, Axis, Sequence[Sequence[Cell]]] | None,
) -> str:
    """The whole document."""
    sections = [_workloads(found), _resources(found), *_charts(found), *_sensitivity(found, outcomes)]
    if changes:
        sections.insert(0, _changes(changes))
    if found.runs:
        sections.append(_runs(found))
    if regions is not None:
        sections.append(_regions(*regions))
    sections.append(_hours(found))
    return page(plan.title or "Capacity plan", sections, _lead(plan, found))


def _lead(plan: Plan, found: Assessment) -> str:
    words = ["It fits." if found.feasible else "It does not fit."]
    words += [f"{problem.text}." for problem in found.problems]
    words.append(
        f"The bottleneck is {found.bottleneck}: the servers alone carry "
        f"{found.headroom[found.bottleneck]:.2f} times the busiest hour. "
        f"A month costs {found.bill.total:,.2f} EUR of {found.budget:,.0f}."
    )
    if found.without_one is not None:
        one = found.without_one
        holds = "holds" if one.holds else "does not hold"
        words.append(f"With one server less it {holds}: {one.bottleneck} at {one.saturation:.0%}.")
    return " ".join(words)


def _charts(found: Assessment) -> list[str]:
    x = [float(hour.hour) for hour in found.hours]
    label = "hour of the week" if len(x) > 24 else "hour"

    def chart(title: str, unit: str, series: dict[str, list[float]], note: str = "") -> str:
        drawn = [Series(name, x, values) for name, values in series.items()]
        return lines(title, drawn, x_label=label, y_label=unit, note=note)

    hours = found.hours
    used = {name: [hour.use[name] * 100 for hour in hours] for name in RESOURCES}
    latency = [hour.p99_ms if math.isfinite(hour.p99_ms) else math.nan for hour in hours]
    return [
        chart("Use of one server", "%", used, "relative to all of it; the plan's limits are lower"),
        chart("Requests", "per second", {"requests": [hour.requests_per_s for hour in hours]}),
        chart(
            "Links of the cluster",
            "Gbit/s",
            {
                "in": [hour.in_gbit_per_s for hour in hours],
                "out": [hour.out_gbit_per_s for hour in hours],
            },
            "with all that Ethernet, IP and TCP add",
        ),
        chart("Expected p99 in a node", "ms", {"p99": latency}, "gaps: it grows without bound"),
        *([chart("Burst machines", "machines", {"running": [float(hour.burst) for hour in hours]})]
          if found.runs else []),
    ]  # fmt: skip


def _changes(changes: Sequence[Change]) -> str:
    rows = [
        (change.path, f"{change.now:,.10g}", change.text or "no value alone suffices",
         f"{change.euros:,.2f}" if change.value is not None else "")
        for change in changes
    ]  # fmt: skip
    return table(("what", "now", "any one of these alone would do", "EUR a month"), rows)


def _workloads(found: Assessment) -> str:
    rows = [
        (work.name, f"{work.per_second:,.0f}", f"{work.in_gbit_per_s:.3f}", f"{work.out_gbit_per_s:.3f}",
         f"{work.cores:.2f}", f"{work.at_most_per_s:,.0f}", work.bottleneck)
        for work in found.workloads
    ]  # fmt: skip
    headings = ("in the busiest hour", "per second", "Gbit/s in", "Gbit/s out", "cores",
                "the servers alone could do", "bottleneck")  # fmt: skip
    return table(headings, rows)


def _resources(found: Assessment) -> str:
    use = found.hours[found.peak].use
    rows = [(name, f"{use[name]:.1%}", f"{found.headroom[name]:,.3g}") for name in RESOURCES]
    return table(("resource of one server", "used in the busiest hour", "carries, times the users"), rows)


def _sensitivity(found: Assessment, outcomes: Sequence[Sensitivity]) -> list[str]:
    strongest = outcomes[:_STRONGEST]
    sides = {
        name: [side.saturation * 100 if side is not None else math.nan for side in column]
        for name, column in (
            ("-20 %", [one.lower for one in strongest]),
            ("+20 %", [one.higher for one in strongest]),
        )
    }
    names = [one.path.rpartition(".")[2] for one in strongest]
    title, unit = "Each input a fifth lower and higher", "% of what may be used"
    rows = [
        (one.path, f"{one.now:,.10g}", outcome(one.lower, found), outcome(one.higher, found))
        for one in outcomes
    ]
    return [
        bars(title, names, sides, y_label=unit, note=f"the strongest; now {found.saturation:.0%}"),
        table(("input", "now", "-20 %", "+20 %"), rows),
    ]


def _runs(found: Assessment) -> str:
    circle = len(found.hours)
    rows = [
        (str(run.machine), clock(run.start, circle), clock(run.stop, circle), f"{run.hours:.2f}")
        for run in found.runs
    ]
    return table(("burst machine", "order at", "stop at", "hours"), rows)


def _regions(across: Axis, down: Axis, cells: Sequence[Sequence[Cell]]) -> str:
    headings = (f"{down.path} \\ {across.path}", *[number(value) for value in across.values])
    rows = [
        (number(value), *[cell(one) for one in row]) for value, row in zip(down.values, cells, strict=True)
    ]
    return table(headings, rows)


def _hours(found: Assessment) -> str:
    circle = len(found.hours)
    rows = [
        (clock(hour.hour, circle), f"{hour.users:,.0f}", f"{hour.requests_per_s:,.0f}",
         f"{hour.in_packets_per_s:,.0f}", f"{hour.out_packets_per_s:,.0f}", f"{hour.connections:,.0f}",
         plain(hour.ram_gigabytes), str(hour.burst), f"{hour.bottleneck} {hour.saturation:.0%}",
         milliseconds(hour.p99_ms))
        for hour in found.hours
    ]  # fmt: skip
    headings = ("hour", "users", "requests/s", "packets/s in", "packets/s out", "connections",
                "RAM GB", "burst", "bottleneck", "p99 ms")  # fmt: skip
    return table(headings, rows)
