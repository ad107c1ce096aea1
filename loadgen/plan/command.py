"""The command line of ``loadgen plan``: files in, tables, JSON and a page out.

Exit codes: 0 it fits, 2 something that was given is wrong, 4 it does not fit.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loadgen import constants as measured
from loadgen.constants import Constants
from loadgen.errors import UsageError
from loadgen.output import STANDARD_OUTPUT, write
from loadgen.plan import show
from loadgen.plan.curve import daily_shares
from loadgen.plan.demand import demand_of_user
from loadgen.plan.document import read
from loadgen.plan.forecast import Forecast, forecast
from loadgen.plan.history import parse, zone
from loadgen.plan.inputs import Plan, contradictions, with_value
from loadgen.plan.regions import Axis, Cell, axis, regions
from loadgen.plan.remedies import Change, changes
from loadgen.plan.sensitivity import Sensitivity, sensitivities
from loadgen.plan.verdict import Assessment, assess

INFEASIBLE = 4


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add("plan", type=Path, metavar="PLAN.toml", help="what is planned; plans/ has examples")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="instead of the plan's; repeatable")
    add("--constants", type=Path, metavar="FILE", help="costs that make bench measured")
    add("--history", type=Path, metavar="FILE.csv",
        help="past load, lines timestamp,requests_per_second: plan a week, not a day")  # fmt: skip
    add("--regions", nargs=2, metavar="KEY=V,V,...",
        help="also a map of what fits, like session.think.mean_s=10,20,40 push.share=0,0.1,0.5")  # fmt: skip
    add("--json", metavar="FILE|-", help="everything as JSON, into a file or instead of the tables")
    add("--plot", type=Path, metavar="FILE.html", help="everything as a page with charts")


class Found(msgspec.Struct, frozen=True):
    """Everything, as ``--json`` writes it; what is infinite is null."""

    plan: Plan
    feasible: bool
    assessment: Assessment
    changes: list[Change]
    sensitivity: list[Sensitivity]
    regions: tuple[Axis, Axis, list[list[Cell]]] | None
    notes: list[str]


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Read, calculate, print, write; the exit code."""
    plan = _changed(read(options.plan), options.set)
    axes = [axis(text) for text in options.regions or ()]
    if len(axes) == 2 and axes[0].path == axes[1].path:
        raise UsageError(f"--regions: {axes[0].path} cannot stand on both axes; name two keys")
    costs = measured.load(options.constants)
    notes = [_measured(measured.read(options.constants).machine)]
    if options.history:
        plan, shares, told = _from_history(plan, costs, options.history)
        notes += told
    else:
        users = plan.users
        shares = daily_shares(users.peak_to_mean, users.peak_hour, users.trough_to_mean)
    found = assess(plan, costs, shares)
    everything = Found(
        plan=plan,
        feasible=found.feasible,
        assessment=found,
        changes=changes(plan, costs, shares),
        sensitivity=sensitivities(plan, costs, shares),
        regions=(axes[0], axes[1], regions(plan, costs, shares, *axes)) if axes else None,
        notes=notes,
    )
    if options.json != STANDARD_OUTPUT:
        _print(everything)
    if options.json:
        write(options.json, msgspec.json.format(msgspec.json.encode(everything), indent=1).decode() + "\n")
    if options.plot:
        from loadgen.plan.page import render

        write(str(options.plot), render(plan, found, everything.changes, everything.sensitivity,
                                        everything.regions))  # fmt: skip
    return 0 if found.feasible else INFEASIBLE


def _changed(plan: Plan, settings: Sequence[str]) -> Plan:
    """The plan as ``--set`` wants it."""
    for text in settings:
        one = axis(text, "--set", 1)
        plan = with_value(plan, one.path, one.values[0])
    problems = contradictions(plan)
    if problems:
        raise UsageError("\n".join(f"--set: {problem}" for problem in problems))
    return plan


def _measured(machine: measured.Machine) -> str:
    return (f"What things cost was measured on {machine.cores} cores of {machine.cpu}, {machine.kernel}, "
            f"{machine.date}; more cores and real network cards are extrapolated.")  # fmt: skip


def _print(everything: Found) -> None:
    found = everything.assessment
    console = show.console()
    console.print(show.hours(found, console.width >= show.WIDE))
    console.print(show.workloads(found))
    console.print(show.resources(found))
    if found.runs:
        console.print(show.bursts(found.runs, len(found.hours)))
    console.print(show.sensitivity(found, everything.sensitivity))
    if everything.regions:
        console.print(show.regions(*everything.regions))
    console.print(show.verdict(everything.plan, found, everything.changes, everything.notes))


def _from_history(plan: Plan, costs: Constants, file: Path) -> tuple[Plan, Sequence[float], list[str]]:
    """The plan with the history's users if it says so, shares of the week's hours, what to know of them."""
    home = zone(plan.forecast.timezone)
    try:
        with file.open(encoding="utf-8") as lines:
            history = parse(lines, str(file), home)
    except OSError as error:
        raise UsageError(f"--history {file}: {error.strerror}; name a CSV file") from None
    except UnicodeDecodeError:
        raise UsageError(f"--history {file}: this is no UTF-8 text; name a CSV file") from None
    expected = forecast(history.samples, plan.forecast.quantile, home)
    highest = max(expected.rates)
    if not highest:
        raise UsageError(f"--history {file}: it holds nothing but zeros; there is nothing to plan for")
    notes = _history_notes(plan, expected, history.duplicates, len(history.samples))
    if plan.forecast.users == "history":
        each = demand_of_user(plan, costs, plan.servers.count).requests
        users = max(1, round(highest * plan.forecast.growth / each))
        plan = with_value(plan, "users.concurrent_at_peak", users)
        notes.append(f"{users:,} users at once make {highest * plan.forecast.growth:,.0f} requests/s, "
                     f"the history's highest hour times forecast.growth.")  # fmt: skip
    return plan, [rate / highest for rate in expected.rates], notes


def _history_notes(plan: Plan, expected: Forecast, duplicates: int, samples: int) -> list[str]:
    notes = [
        f"History: {samples:,} samples of {expected.weeks} weeks; quantile {plan.forecast.quantile:g} of the "
        f"same hours, wall clock of {plan.forecast.timezone}."
    ]
    if expected.weeks < 4:
        notes.append("Fewer than four weeks: a quantile of so few is little more than what happened once.")
    if expected.guessed:
        notes.append(f"{len(expected.guessed)} hours of the week have no sample; each is taken as high as "
                     f"the same hour of the other days.")  # fmt: skip
    if duplicates:
        notes.append(f"{duplicates:,} timestamps came twice; the higher rate counts.")
    return notes
