"""What a simulation says, as one document: JSON, the table and the plot are made from it.

It holds nothing that differs from run to run: the same inputs and constants give the same bytes.
"""

from __future__ import annotations

import msgspec

from loadgen.constants import Machine
from loadgen.simulate.inputs import Inputs
from loadgen.simulate.outcome import Outcome

VERSION = 1

#: Figures of the cohorts that the exact simulation has to agree with, in this order.
_COMPARED = (
    "session",
    "view",
    "changes",
    "batch",
    "validator",
    "not_modified",
    "page",
    "asset",
    "newer",
    "load",
    "look",
    "connect",
)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both simulations."""

    figure: str
    cohorts: float
    exact: float
    #: exact / cohorts - 1.
    difference: float
    #: How far chance alone takes the exact one, about: two standard deviations of its number of sessions.
    chance: float


class Exactly(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of cohorts with users simulated one by one."""

    users: int
    policy: str
    figures: list[Compared]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a simulation: inputs, and an outcome for each policy."""

    v: int = VERSION
    inputs: Inputs
    #: Where the constants were measured.
    machine: Machine
    policies: dict[str, Outcome]
    exact: Exactly | None = None


def compare(cohorts: Outcome, exact: Outcome, policy: str, sample: int, users: int) -> Exactly:
    """The figures of both; *exact* counts for *users*, but only *sample* of them were there."""
    rows = [
        (name, float(cohorts.counts[name]), float(exact.counts[name]))
        for name in _COMPARED
        if cohorts.counts[name] or exact.counts[name]
    ]
    rows += [
        ("requests", float(cohorts.requests), float(exact.requests)),
        ("concurrent_mean", float(cohorts.concurrent_mean), float(exact.concurrent_mean)),
        ("bytes_in", float(cohorts.bytes_in), float(exact.bytes_in)),
        ("bytes_out", float(cohorts.bytes_out), float(exact.bytes_out)),
        ("confirmed_share", cohorts.confirmed_share, exact.confirmed_share),
    ]
    rows += [
        (f"share of n{number}", one.share, other.share)
        for number, (one, other) in enumerate(zip(cohorts.nodes, exact.nodes, strict=True), 1)
    ]
    sessions = max(1.0, exact.counts["session"] * sample / users)
    return Exactly(
        users=sample,
        policy=policy,
        figures=[
            Compared(
                figure=name,
                cohorts=one,
                exact=other,
                difference=float(f"{other / one - 1:.4g}") if one else float(other > 0),
                chance=float(f"{2 / sessions**0.5:.4g}"),
            )
            for name, one, other in rows
        ],
    )


def encode(document: Document) -> bytes:
    """As JSON; inputs and events by name."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
