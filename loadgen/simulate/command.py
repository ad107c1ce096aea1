"""``loadgen simulate``: the command line."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from loadgen import constants, conversion
from loadgen.errors import UsageError
from loadgen.models.choice import POLICIES
from loadgen.output import STANDARD_OUTPUT, write
from loadgen.simulate import inputs as given
from loadgen.simulate.cohorts import World
from loadgen.simulate.document import Document, compare, encode
from loadgen.simulate.exact import Exact
from loadgen.simulate.inputs import ClusterInputs, Day, Inputs, Population
from loadgen.simulate.loading import with_utilization
from loadgen.simulate.parallel import Told, simulate

_T = TypeVar("_T")

#: (option, struct, field, placeholder, help); types and ranges are those of the fields.
_OPTIONS = (
    ("--users", Population, "users", "N", "registered users: all who come, within a session or not"),
    ("--warm-share", Population, "warm_share", "X", "of users: have been here before it begins"),
    ("--return-interval", Population, "return_interval_s", "S", "from a user's session to the next one"),
    ("--hours", Day, "hours", "H", "how long; it begins at midnight"),
    ("--peak-to-mean", Day, "peak_to_mean", "X", "of the day's curve; 1: it is flat"),
    ("--trough-to-mean", Day, "trough_to_mean", "X", "the quietest hour over the mean"),
    ("--peak-hour", Day, "peak_hour", "H", "when most users come"),
    ("--step", Day, "step_s", "S", "of simulated time"),
    ("--seed", Day, "seed", "N", "of all random numbers"),
    ("--nodes", ClusterInputs, "nodes", "N", "of the cluster"),
    ("--cores", ClusterInputs, "cores", "N", "of a node, each like the one the constants are of"),
    ("--gbit", ClusterInputs, "link_gbit", "X", "that a node can send, and receive"),
    ("--connections", ClusterInputs, "connections", "N", "that a node can hold"),
    ("--age", ClusterInputs, "age_s", "S", "of the load figures that users choose by"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    for option, struct, field, placeholder, text in _OPTIONS:
        default = getattr(struct(), field)
        parser.add_argument(option, metavar=placeholder, help=f"{text} [{default:g}]")
    parser.add_argument(
        "--policy",
        metavar="NAME[,...]",
        default=",".join(POLICIES),
        help=f"how users choose nodes: some of {', '.join(POLICIES)}; the first is shown in full [all]",
    )
    parser.add_argument(
        "--rho", metavar="X", help="instead of --return-interval: the nodes' utilization at the day's peak"
    )
    parser.add_argument(
        "--spike", metavar="AT,FADES,FACTOR", action="append", default=[],
        help="so many times the sessions at once, fading; like 14:00,30m,5",
    )  # fmt: skip
    parser.add_argument(
        "--node-failure", metavar="AT,LASTS,NODE", action="append", default=[],
        help="a node is gone; like 20:00,10m,2",
    )  # fmt: skip
    parser.add_argument(
        "--deploy", metavar="AT,RESOURCES", action="append", default=[],
        help="so many of the site's resources change; like 16:00,200",
    )  # fmt: skip
    parser.add_argument("--tls", action="store_true", help="all connections over TLS")
    parser.add_argument(
        "--model", metavar="FILE", type=Path, help="users and site: a TOML file, table [users]"
    )
    parser.add_argument(
        "--constants", metavar="FILE", type=Path, help="of make bench [those that come along]"
    )
    parser.add_argument(
        "--exact-sample",
        metavar="N",
        help="so many users one by one, too, and how far that is from the cohorts",
    )
    parser.add_argument("--json", metavar="FILE", help="all of it as JSON; - is standard output")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="a page of charts")


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Simulate, and show."""
    inputs = _inputs(options)
    policies = _policies(options.policy)
    sample = _number(options.exact_sample, "--exact-sample", int, 1, 1_000_000) if options.exact_sample else 0
    utilization = None if options.rho is None else _number(options.rho, "--rho", float, 0.001, 2)
    if sample > inputs.users.users:
        raise UsageError(f"--exact-sample {sample}: there are only {inputs.users.users:,} users")
    measured = constants.read(options.constants)
    costs = constants.load(options.constants)
    begun = time.monotonic()
    with _progress() as told:
        world = World(inputs, costs)
        if utilization is not None:
            world = World(with_utilization(world, utilization), costs)
        outcomes = simulate(world, policies, told)
    took = time.monotonic() - begun
    exact = None
    if sample:
        outcome = Exact(world, policies[0], sample).run()
        exact = compare(outcomes[policies[0]], outcome, policies[0], sample, inputs.users.users)
    document = Document(inputs=world.inputs, machine=measured.machine, policies=outcomes, exact=exact)
    if options.json != STANDARD_OUTPUT:
        from loadgen.simulate.tables import show

        console = Console(width=None if sys.stdout.isatty() else 80, highlight=False)
        show(document, console)
        console.print(f"simulated in {took:.1f} s", style="dim")
    if options.plot is not None:
        from loadgen.simulate.plot import render

        write(str(options.plot), render(document))
    if options.json is not None:
        write(options.json, encode(document).decode())
    return 0


@contextlib.contextmanager
def _progress() -> Iterator[Told]:
    """How far it is, on a terminal."""
    columns = (TextColumn("simulating"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=1.0)
        yield lambda share: shown.update(task, completed=share)


def _inputs(options: argparse.Namespace) -> Inputs:
    users = given.read_users(options.model) if options.model is not None else Population()
    parts: dict[type, Any] = {Population: users, ClusterInputs: ClusterInputs(tls=options.tls), Day: Day()}
    for option, struct, field, _, _ in _OPTIONS:
        text = getattr(options, option[2:].replace("-", "_"))
        if text is not None:
            parts[struct] = _replaced(parts[struct], field, text, option)
    if options.rho is not None and options.return_interval is not None:
        raise UsageError("--rho and --return-interval: give one of them, the other follows from it")
    return given.check(
        Inputs(
            users=parts[Population],
            cluster=parts[ClusterInputs],
            day=parts[Day],
            spikes=_events(options.spike, given.spike, "--spike"),
            failures=_events(options.node_failure, given.failure, "--node-failure"),
            deploys=_events(options.deploy, given.deploy, "--deploy"),
        )
    )


def _replaced(part: Any, field: str, text: str, option: str) -> Any:
    """*part* with another value for a *field*, within the range that the field's type says."""
    raw = msgspec.to_builtins(part)
    whole = isinstance(raw[field], int)
    raw[field] = text
    try:
        made = msgspec.convert(raw, type(part), strict=False)
    except msgspec.ValidationError as error:
        said = conversion.place_and_problem(str(error))[1]
        if said.endswith("not text"):
            said = "give a whole number" if whole else "give a number"
        raise UsageError(f"{option} {text}: {said}") from None
    if not whole and not math.isfinite(getattr(made, field)):
        raise UsageError(f"{option} {text}: this is no number")
    return made


def _events(texts: list[str], read: Callable[[str], _T], option: str) -> tuple[_T, ...]:
    try:
        return tuple(read(text) for text in texts)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _policies(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in POLICIES:
            raise UsageError(f"--policy: there is no {name!r}; policies are {', '.join(POLICIES)}")
    return names


def _number(text: str, option: str, kind: type[_T], low: float, high: float) -> _T:
    try:
        value = kind(text)  # type: ignore[call-arg]
    except ValueError:
        raise UsageError(f"{option} {text}: this is no number") from None
    if not low <= value <= high:  # type: ignore[operator]
        raise UsageError(f"{option} {text}: give {low:g} to {high:,.12g}")
    return value
