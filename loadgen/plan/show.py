"""A plan's assessment as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadgen.charts import numbers
from loadgen.plan.capacity import RESOURCES
from loadgen.plan.cost import Run
from loadgen.plan.inputs import Plan
from loadgen.plan.regions import Axis, Cell
from loadgen.plan.remedies import Change
from loadgen.plan.sensitivity import Effect, Sensitivity
from loadgen.plan.verdict import Assessment, Hour

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: Columns of a terminal that all columns of the hours need.
WIDE = 160
#: Rows of the table of sensitivities.
_STRONGEST = 12


def clock(hour: float, circle: int) -> str:
    """``19:55``, with the day of the week if the circle is a week; wraps around."""
    minutes = round(hour * 60) % (circle * 60)
    text = f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
    return f"{_DAYS[minutes // 1440]} {text}" if circle > 24 else text


def milliseconds(value: float) -> str:
    """A latency, or that there is no end to it."""
    return numbers.milliseconds(value) if math.isfinite(value) else "without bound"


def verdict(plan: Plan, found: Assessment, changes: Sequence[Change], notes: Sequence[str]) -> RenderableType:
    """The answer, its reasons and what would have to change."""
    lines: list[RenderableType] = []
    if found.feasible:
        lines.append(Text("It fits.", style="bold green"))
    else:
        lines.append(Text("It does not fit.", style="bold red"))
        lines += [Text(f"  {problem.text}") for problem in found.problems]
    lines.append(Text(_bottleneck(plan, found)))
    if found.without_one is not None:
        one = found.without_one
        holds = "holds" if one.holds else "does not hold"
        used = f"{one.bottleneck} at {one.saturation:.0%} of what may be used"
        lines.append(Text(f"One server less in the busiest hour: {holds}; {used}, "
                          f"p99 {milliseconds(one.p99_ms)}."))  # fmt: skip
        if math.isfinite(one.reopened_s):
            lines.append(Text(f"There is CPU time to open its {one.connections:,.0f} connections again in "
                              f"{milliseconds(one.reopened_s * 1000)}."))  # fmt: skip
    bill = found.bill
    parts = f"servers {bill.servers:,.2f}, burst machines {bill.burst:,.2f}, traffic {bill.traffic:,.2f}"
    lines.append(Text(f"A month costs {bill.total:,.2f} EUR of {found.budget:,.0f}: {parts}."))
    lines += [Text(note, style="dim") for note in notes]
    if changes:
        lines += [Text(""), Text("Any one of these alone would do:", style="bold")]
        lines += [Text(f"  {_change(change, found)}") for change in changes if change.value is not None]
        useless = [change.path for change in changes if change.value is None]
        if useless:
            lines.append(Text(f"No value alone suffices of {', '.join(useless)}.", style="dim"))
    return Panel(Group(*lines), title=plan.title or "plan", title_align="left")


def _bottleneck(plan: Plan, found: Assessment) -> str:
    working = plan.servers.count - plan.limits.failures
    words = f"{working} servers" if working > 1 else "One server"
    return (
        f"The bottleneck: {found.bottleneck}. {words} alone would carry "
        f"{found.headroom[found.bottleneck]:.2f} times the busiest hour "
        f"({plan.users.concurrent_at_peak:,} concurrent users, "
        f"{found.hours[found.peak].requests_per_s:,.0f} requests/s)."
    )


def _change(change: Change, found: Assessment) -> str:
    over = "" if change.euros <= found.budget + 1e-9 else ", over the budget"
    moved = abs(change.euros - found.bill.total) > 0.005
    costs = f" ({change.euros:,.2f} EUR a month{over})" if moved else over
    return f"{change.text}{costs}    [{change.path}, now {change.now:,.10g}]"


#: Heading, text of an hour's cell, whether it is left out where there is little room.
_COLUMNS: tuple[tuple[str, Callable[[Hour], str], bool], ...] = (
    ("users", lambda hour: f"{hour.users:,.0f}", False),
    ("req/s", lambda hour: f"{hour.requests_per_s:,.0f}", False),
    ("Gbit/s in", lambda hour: f"{hour.in_gbit_per_s:.3f}", True),
    ("out", lambda hour: f"{hour.out_gbit_per_s:.3f}", True),
    ("kpkt/s in", lambda hour: f"{hour.in_packets_per_s / 1e3:,.1f}", True),
    ("out", lambda hour: f"{hour.out_packets_per_s / 1e3:,.1f}", True),
    ("TLS/s", lambda hour: f"{hour.tls_handshakes_per_s:,.0f}", True),
    ("connections", lambda hour: f"{hour.connections:,.0f}", True),
    ("RAM GB", lambda hour: numbers.plain(hour.ram_gigabytes), False),
    ("CPU", lambda hour: f"{hour.use['CPU']:.0%}", False),
    ("in", lambda hour: f"{hour.use['link in']:.0%}", False),
    ("out", lambda hour: f"{hour.use['link out']:.0%}", False),
    ("burst", lambda hour: str(hour.burst or ""), False),
    ("bottleneck", lambda hour: f"{hour.bottleneck} {hour.saturation:.0%}", False),
    ("p99 ms", lambda hour: numbers.plain(hour.p99_ms) if math.isfinite(hour.p99_ms) else "grows", False),
)


def hours(found: Assessment, wide: bool) -> Table:
    """A row for each hour of a day; of a week, for the busiest one of each day."""
    circle = len(found.hours)
    days = [found.hours[first : first + 24] for first in range(0, circle, 24)]
    shown = found.hours if circle <= 24 else [max(day, key=lambda hour: hour.users) for day in days]
    title = "Hour by hour" if circle <= 24 else "The busiest hour of each day"
    table = Table(title=f"{title}: the cluster, and one server")
    columns = [column for column in _COLUMNS if wide or not column[2]]
    for heading in ("", *[heading for heading, _, _ in columns]):
        table.add_column(heading, justify="right")
    for hour in shown:
        style = "bold" if hour.hour == found.peak else ""
        table.add_row(clock(hour.hour, circle), *[text(hour) for _, text, _ in columns], style=style)
    return table


def workloads(found: Assessment) -> Table:
    """What each kind of work takes in the busiest hour, and how much of it alone the servers could do."""
    table = Table(title="The cluster in the busiest hour, and what its servers could do of one kind alone")
    for heading in ("", "per second", "Gbit/s in", "out", "cores", "at most, alone", "bottleneck"):
        table.add_column(heading, justify="left" if heading in ("", "bottleneck") else "right")
    for work in found.workloads:
        table.add_row(
            work.name,
            f"{work.per_second:,.0f}",
            f"{work.in_gbit_per_s:.3f}",
            f"{work.out_gbit_per_s:.3f}",
            f"{work.cores:.2f}",
            f"{work.at_most_per_s:,.0f}",
            work.bottleneck,
        )
    return table


def resources(found: Assessment) -> Table:
    """What each resource would carry in the busiest hour."""
    table = Table(title="One server in the busiest hour")
    for heading in ("resource", "used", "carries, times the users"):
        table.add_column(heading, justify="left" if heading == "resource" else "right")
    use = found.hours[found.peak].use
    for name in RESOURCES:
        table.add_row(name, f"{use[name]:.1%}", f"{found.headroom[name]:,.3g}",
                      style="bold" if name == found.bottleneck else "")  # fmt: skip
    return table


def bursts(runs: Sequence[Run], circle: int) -> Table:
    """When each burst machine is ordered and stopped."""
    table = Table(title="Burst machines")
    for heading in ("machine", "order at", "stop at", "hours"):
        table.add_column(heading, justify="right")
    for run in runs:
        always = run.hours >= circle
        spans = ("runs on", "") if always else (clock(run.start, circle), clock(run.stop, circle))
        table.add_row(str(run.machine), *spans, f"{run.hours:.2f}")
    return table


def sensitivity(found: Assessment, outcomes: Sequence[Sensitivity]) -> Table:
    """The inputs that move the saturation most."""
    table = Table(
        title=f"Each input a fifth lower and higher (now {found.saturation:.0%} of what may be used)"
    )
    for heading in ("input", "now", "-20 %", "+20 %"):
        table.add_column(heading, justify="left" if heading == "input" else "right")
    for one in outcomes[:_STRONGEST]:
        table.add_row(one.path, f"{one.now:,.10g}", outcome(one.lower, found), outcome(one.higher, found))
    return table


def outcome(one: Effect | None, found: Assessment) -> str:
    """What a changed input leads to, as far as it differs."""
    if one is None:
        return "-"
    parts = [f"{one.saturation:.0%}"]
    if one.bottleneck != found.bottleneck:
        parts.append(one.bottleneck)
    if one.burst != found.burst:
        parts.append(f"{one.burst} burst")
    if abs(one.euros - found.bill.total) > 0.005:
        parts.append(f"{one.euros:,.0f} EUR")
    if one.feasible != found.feasible:
        parts.append("fits" if one.feasible else "does not fit")
    return ", ".join(parts)


def cell(one: Cell) -> str:
    """``63 %`` of what may be used; or what is too much, and how much of it."""
    if one.contradiction:
        return "-"
    if one.feasible:
        return f"fits {one.saturation:.0%}"
    if one.saturation <= 1 and one.kinds:
        return one.kinds[0]
    return f"{one.bottleneck} {one.saturation:.0%}"


def regions(across: Axis, down: Axis, cells: Sequence[Sequence[Cell]]) -> Table:
    """The map of what fits."""
    table = Table()
    table.add_column(f"{down.path} \\ {across.path}")
    for value in across.values:
        table.add_column(number(value), justify="right")
    for value, row in zip(down.values, cells, strict=True):
        table.add_row(
            number(value), *[Text(cell(one), style="green" if one.feasible else "red") for one in row]
        )
    return table


def number(value: object) -> str:
    """A value of an axis as one would write it."""
    return f"{value:,.10g}" if isinstance(value, (int, float)) else str(value)


def console() -> Console:
    """As wide as the terminal; without one, wide enough for everything."""
    found = Console()
    return found if found.is_terminal else Console(width=WIDE)
