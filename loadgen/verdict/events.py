"""Events of a run: did each happen, and was its effect seen?

A run through a deploy that did not take place, or a failure of a node that nobody caused, has shown nothing.
An effect counts from the second on in which its event was due:

=======  ===========================================================================================
version  a user was given a body of a version that had not been there before; of a file, since an
         application's answers change by themselves
failure  an attempt at a node failed: no connection, closed early, no answer in time, or a 5xx
=======  ===========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from loadgen.results import Second

#: By name: whether a second shows it, and what nobody has seen otherwise.
EFFECTS: dict[str, tuple[Callable[[Second], bool], str]] = {
    "version": (lambda second: second.versions > 0, "no user was given a new version of a file"),
    "failure": (lambda second: any(second.node_errors.values()), "no node failed"),
}


class EventOutcome(NamedTuple):
    """An event, and why it says nothing; "" if it happened, and had its effect."""

    name: str
    problem: str = ""


def outcome(name: str, at_s: float, effect: str, problem: str, series: Sequence[Second]) -> EventOutcome:
    """How the event *name*, due at *at_s*, came out.

    *effect*: of :data:`EFFECTS`, or "": none is known; *problem*: why it did not happen, or "".
    """
    what = f"the event at {at_s:g} s ({name})"
    if problem:
        return EventOutcome(name, f"{what} did not happen: {problem}")
    if effect:
        is_seen, otherwise = EFFECTS[effect]
        if not any(is_seen(second) for second in series if second.at >= int(at_s)):
            return EventOutcome(name, f"{what} had no effect: after it {otherwise}")
    return EventOutcome(name)
