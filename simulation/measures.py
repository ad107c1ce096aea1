"""What ``make sim`` measures: for each row of its table the simulations to run, and how they are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from simulation import faults, fills
from simulation.world import World

#: A judged row: what was measured, and the seeds that missed the goal.
Verdict = tuple[str, Sequence[int]]


class Measure(NamedTuple):
    """One row."""

    name: str
    goal: str
    work: Callable[..., Any]
    #: Arguments of *work*, the seed first.
    runs: Sequence[tuple[Any, ...]]
    #: From what all runs returned, in their order.
    judge: Callable[[Sequence[tuple[Any, ...]], list[Any]], Verdict]


def measures(seed: int, quick: bool) -> list[Measure]:
    """The rows of the table, from the first seed *seed*; *quick*: with a twentieth of the seeds."""

    def seeds(count: int) -> range:
        return range(seed, seed + max(2, count // 20 if quick else count))

    def alone(count: int, *more: Any) -> list[tuple[Any, ...]]:
        return [(number, *more) for number in seeds(count)]

    lengths = [(10, 100), (30, 100), (60, 100), (600, 100)] + ([] if quick else [(3600, 10), (86_400, 2)])
    nodes, joins = (100, 3_000) if quick else (1000, 10_000)
    return [
        Measure(f"memory over {joins:,} joins and leaves", "flat", faults.burst, [(seed, joins)], _flat),
        Measure(f"traces of the same seed, {nodes:,} nodes", "equal", trace, [(seed, nodes)] * 2, _equal),
        Measure(
            "partition of 10 s .. 24 h healed: one view, one table", "within 10 s", faults.partition,
            [(number, seconds) for seconds, count in reversed(lengths) for number in seeds(count)], _in_time,
        ),
        Measure(
            "false deaths, a quarter of 32 nodes starved", ">= 50 x fewer than plain SWIM", faults.starvation,
            [(number, lifeguard) for lifeguard in (True, False) for number in seeds(8)], _ratio,
        ),
        Measure("false deaths at 10 % loss", "0 in 10^6 node-seconds", faults.loss, alone(250, 1000.0),
                _none),
        Measure("one-way loss, on and off every 20 s: view changes", "<= 2 per fault, agreed in 30 s",
                faults.flip_flop, alone(100), _stable),
        Measure("80 % loss at one node: view changes", "<= 2, agreed in 30 s", faults.bad_link, alone(100),
                _stable),
        Measure("node vanishes, N = 4: not alive for all others", "p99 <= 3 s", faults.crash, alone(1000),
                _seen),
        Measure("kills, stops of 30 s, lost state: one view, one table", "within 10 s", faults.restarts,
                alone(1000), _in_time),
        Measure("a date that jumps by up to a year: one table", "within 10 s", faults.clock_jump, alone(1000),
                _in_time),
        Measure("orders of fill, change, failure, delay: stale stored, old answers", "0", fills.troubles,
                alone(1000, 20), _none),
        Measure("datagrams sent by a node, N = 4, idle", "<= 5 KB/s", faults.idle_bytes, alone(20), _little),
    ]  # fmt: skip


def trace(seed: int, count: int) -> str:
    """A hash of four seconds of *count* nodes that find each other."""
    world = World(seed, count)
    world.run(4)
    return f"{world.trace} {len(world.changes)}"


def _seeds_of(runs: Sequence[tuple[Any, ...]], found: list[Any], missed: Callable[[Any], bool]) -> list[int]:
    return [run[0] for run, one in zip(runs, found, strict=True) if missed(one)]


def _flat(runs: Sequence[tuple[Any, ...]], found: list[Any]) -> Verdict:
    ((early, late, agreed),) = found
    missed = [runs[0][0]] if late > early * 1.1 or not agreed else []
    return f"{early / 1024:.0f} KiB after a half, {late / 1024:.0f} KiB at the end", missed


def _equal(runs: Sequence[tuple[Any, ...]], found: list[Any]) -> Verdict:
    return ("equal", []) if found[0] == found[1] else ("different", [runs[0][0]])


def _in_time(runs: Sequence[tuple[Any, ...]], found: list[Any]) -> Verdict:
    times = sorted(one for one in found if one is not None)
    measured = f"{len(times):,} of {len(runs):,}"
    if times:
        measured += f", p50 {times[len(times) // 2]:.2f} s, max {times[-1]:.2f} s"
    return measured, _seeds_of(runs, found, lambda one: one is None)


def _ratio(runs: Sequence[tuple[Any, ...]], found: list[Any]) -> Verdict:
    half = len(runs) // 2
    ours, plain = sum(found[:half]), sum(found[half:])
    ratio = plain / max(ours, 1)
    measured = f"{ours}, plain SWIM {plain}: {'at least ' if not ours else ''}{ratio:.0f} x fewer"
    return measured, [] if ratio >= 50 else [run[0] for run in runs[:half]]


def _none(runs: Sequence[tuple[Any, ...]], found: list[Any]) -> Verdict:
    total, time = sum(one[0] for one in found), sum(one[1] for one in found)
    return f"{total} in {time:,.0f}", _seeds_of(runs, found, lambda one: one[0] > 0)


def _stable(runs: Sequence[tuple[Any, ...]], found: list[Any]) -> Verdict:
    most, same = max(one[0] for one in found), sum(one[1] for one in found)
    missed = _seeds_of(runs, found, lambda one: one[0] > 2 or not one[1])
    return f"at most {most}, agreed in {same} of {len(found)}", missed


def _seen(runs: Sequence[tuple[Any, ...]], found: list[Any]) -> Verdict:
    times = sorted(time for one in found for time in one)
    missed = _seeds_of(runs, found, lambda one: max(one) > 3)
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    measured = f"p50 {p50:.2f} s, p99 {p99:.2f} s, max {times[-1]:.2f} s"
    return measured, missed if len(missed) > len(found) / 100 else []


def _little(runs: Sequence[tuple[Any, ...]], found: list[Any]) -> Verdict:
    return f"{max(found):.0f} B/s", _seeds_of(runs, found, lambda one: one > 5000)
